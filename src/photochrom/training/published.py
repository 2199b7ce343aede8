"""A model file -> the weights of its network in PyTorch, so that training can start from a published model.

The exporter keeps the names of most weights. Those of linear layers and group norms it folds into nameless constants,
transposed or with more axes; they are told by their order, which is that of their use, and by their shapes.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor, nn

from ..errors import TrainingError
from ..models.registry import CARD_KEY, ModelCard
from .networks.decoder import ColorDecoder
from .networks.losses import ColorBins

Weights = dict[str, Tensor]


def read_model(path: Path) -> tuple[ModelCard, Weights]:
    """The card of a model file and its constants by name, float32, in the order of their use.

    Raises:
        TrainingError: not an ONNX file.
        ModelError: not a model of Photochrom.
    """
    try:
        model = onnx.load(path)
    except (DecodeError, OSError) as exc:
        raise TrainingError(f"{path} is not an ONNX file: start from a model that Photochrom wrote") from exc
    card = ModelCard.of({entry.key: entry.value for entry in model.metadata_props if entry.key == CARD_KEY}, path)
    arrays = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = model.graph.node
    for node in nodes:  # weights are stored as float16 and cast to float32, see ``export.store_half``
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays.pop(node.input[0])
    used = dict.fromkeys(name for node in nodes for name in node.input if name in arrays)
    weights = {name: numpy_helper.to_array(arrays[name]) for name in used}
    return card, {k: torch.from_numpy(v.astype(np.float32)) for k, v in weights.items() if v.dtype.kind == "f"}


def load_part(part: nn.Module, prefix: str, weights: Weights, path: Path) -> None:
    """Set a part of a network, called ``prefix`` in the model file, to the file's weights.

    Raises:
        TrainingError: the file holds another architecture.
    """
    state = part.state_dict()
    found = {name: weights[prefix + name] for name in state if prefix + name in weights}
    found |= idle_blocks(state, found)
    nameless = (w for w in weights.values() if w.ndim in (2, 3))  # all others have no, one or four axes
    try:
        found |= {name: _unfolded(next(nameless)) for name in _folded(part) if name not in found}
        part.load_state_dict({name: with_planes(found[name], name, value) for name, value in state.items()})
    except (KeyError, RuntimeError, StopIteration) as exc:
        raise TrainingError(f"{path} holds a network of another architecture: start from another model") from exc


def _folded(part: nn.Module) -> list[str]:
    """Names of the weights that the exporter folds, in the order of their use: the decoder's levels, coarse to fine."""
    names = []
    for i in reversed(range(len(ColorDecoder.widths))):
        for name, module in part.named_modules():
            if f"refine.{i}." in f"{name}." and isinstance(module, nn.GroupNorm):
                names += [f"{name}.weight", f"{name}.bias"]
            elif f"refine.{i}." in f"{name}." and isinstance(module, nn.Linear):
                names.append(f"{name}.weight")
    return names


def _unfolded(constant: Tensor) -> Tensor:
    """``[in, out]`` -> ``[out, in]`` of a linear layer; ``[C, 1, 1]`` -> ``[C]`` of a group norm."""
    return constant.T if constant.ndim == 2 else constant.ravel()


def idle_blocks(state: Weights, found: Weights) -> Weights:
    """The decoder's blocks that an older model does not know, doing nothing yet: its colours stay as they are."""
    known = {_block(name) for name in found}
    idle = {name: value for name, value in state.items() if _block(name) not in known}
    return {name: value if _LAST.search(name) is None else torch.zeros_like(value) for name, value in idle.items()}


_LAST = re.compile(r"\.(place|second|join|narrow)\.(weight|bias)$")  # layers of a block that add to what enters it


def _block(name: str) -> str:
    """The block that a weight belongs to; none outside of blocks."""
    match = re.match(r"(.*refine\.\d+\.\d+)\.", name)
    return match[1] if match else ""


def with_planes(weight: Tensor, name: str, like: Tensor) -> Tensor:
    """Weights that see hints, with zeros for planes that an older model does not know: its colours stay as they are."""
    if ".hint." not in name or weight.ndim != 4:
        return weight
    missing = like.shape[1] - weight.shape[1]
    return torch.cat([weight, weight.new_zeros(len(weight), missing, *weight.shape[2:])], dim=1)


def read_bins(card: ModelCard, weights: Weights, uniform: float) -> ColorBins:
    """The colours that a model tells apart; how common they are follows from its tilt (see ``ColorBins.rarity``)."""
    mixed = (-weights["tilt"].ravel()).exp()
    mixed /= mixed.sum()
    frequency = (mixed - uniform / len(mixed)) / (1 - uniform)
    return ColorBins(torch.tensor(card.bins), frequency.clamp(min=0))
