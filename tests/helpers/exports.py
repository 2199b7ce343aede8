"""Caches ONNX exports of networks: an export takes seconds, and many runs begin from the same weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn


class KeptProgram:
    """Stands in for ``torch.onnx.ONNXProgram``, which would follow the weights of a network in training."""

    def __init__(self, program: torch.onnx.ONNXProgram) -> None:
        self._file = program.model_proto.SerializeToString()

    @property
    def model_proto(self) -> onnx.ModelProto:
        return onnx.load_from_string(self._file)

    def save(self, path: Path) -> None:
        path.write_bytes(self._file)


def keeping(export: Callable[..., torch.onnx.ONNXProgram]) -> Callable[..., KeptProgram]:
    """Return a caching version of ``torch.onnx.export``.

    An earlier export is returned if layers, weights, shapes, options, and the precision to which PyTorch rounds are
    equal.
    """
    kept: dict[tuple[object, ...], KeptProgram] = {}

    def exported(network: nn.Module, examples: tuple[Tensor, ...], **options: Any) -> KeptProgram:
        shapes = tuple((example.shape, example.dtype) for example in examples)
        rounding = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        key = (repr(network), network.training, _digest(network), shapes, repr(options), rounding)
        if key not in kept:
            kept[key] = KeptProgram(export(network, examples, **options))
        return kept[key]

    return exported


def _digest(network: nn.Module) -> bytes:
    """Hash the names and values of all tensors of a network, including those that it does not save."""
    digest = hashlib.sha256()
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.detach().cpu().contiguous().numpy())
    return digest.digest()
