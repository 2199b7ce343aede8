"""Stores weights in fewer bits, which makes the model file small; the arithmetic stays in float32."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

_SMALL: Final = 256  # number of elements below which a weight stays float32


@torch.no_grad()
def round_to_stored(network: nn.Module) -> None:
    """Round the weights of a network, in place, to the values that ``store_small`` stores."""
    for name, tensor in network.state_dict().items():
        if _is_kernel(name, tensor.shape):
            integers, scale = _eight_bits(tensor.numpy(), 0)
            tensor.copy_(torch.from_numpy(integers * scale))
        elif tensor.numel() >= _SMALL:
            tensor.copy_(tensor.half().float())


def store_small(model: onnx.ModelProto, folded: Mapping[str, str]) -> None:
    """Store a model's large float32 weights in fewer bits, in place, with nodes that restore them on loading.

    Kernels of the decoder are stored as int8 with a scale per output channel, other weights as float16.

    Args:
        model: The model.
        folded: Unnamed constants by the names of weights; see ``export.find_folded_weights``. Those of linear layers
            are transposed.
    """
    names = {constant: name for name, constant in folded.items()}
    stored: list[TensorProto] = []
    nodes: list[onnx.NodeProto] = []  # nodes that restore the weights
    for tensor in model.graph.initializer:
        name, array = tensor.name, numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < _SMALL:
            stored.append(tensor)
        elif _is_kernel(names.get(name, name), array.shape):
            integers, scale = _eight_bits(array, 1 if name in names else 0)
            parts = {f"{name}.integers": integers, f"{name}.scale": scale}
            stored += [numpy_helper.from_array(part, part_name) for part_name, part in parts.items()]
            nodes.append(helper.make_node("Cast", [f"{name}.integers"], [f"{name}.unscaled"], to=TensorProto.FLOAT))
            nodes.append(helper.make_node("Mul", [f"{name}.unscaled", f"{name}.scale"], [name]))
        else:
            stored.append(numpy_helper.from_array(array.astype(np.float16), f"{name}.half"))
            nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:], model.graph.value_info[:]
    model.graph.initializer.extend(stored)
    model.graph.node.extend(nodes)


def _is_kernel(name: str, shape: Sequence[int]) -> bool:
    """Return whether a weight is stored in 8 bits.

    The decoder's convolutions and linear layers are, except those that compute logits.
    """
    is_last = name.startswith(("head.decoder.classify.", "head.decoder.queries.add."))
    is_weight = name.startswith("head.decoder.") and name.endswith(".weight")
    is_kernel = is_weight and (len(shape) == 4 or is_linear(shape))
    return is_kernel and not is_last and math.prod(shape) >= _SMALL


def is_linear(shape: Sequence[int]) -> bool:
    """Return whether a weight or constant of this shape is a linear layer's; a norm's may have the shape ``[C, 1]``."""
    return len(shape) == 2 and shape[1] > 1


def _eight_bits(kernel: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantise a kernel to int8, with a float32 scale for each output channel.

    Args:
        kernel: The weights.
        axis: Axis of the output channels.

    Returns:
        The integers, and the scales, which can be broadcast to them.
    """
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    scale = np.maximum(np.abs(kernel).max(others, keepdims=True) / np.float32(127), np.float32(1e-12))
    return np.rint(kernel / scale).astype(np.int8), scale


def restored(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Return the constants of a model by name, with those stored by ``store_small`` converted back to float32."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays.pop(node.input[0]).astype(np.float32)
        elif node.op_type == "Mul" and all(name in arrays for name in node.input):
            one, other = (arrays.pop(name) for name in node.input)
            arrays[node.output[0]] = one * other
    return arrays
