"""Exports networks with PyTorch's ONNX exporter, without its warnings about missing packages and deprecations."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

_LOGS: Final = ("torch.onnx", "onnxscript")  # loggers of the exporter, and of the optimizer that it calls


def to_onnx(network: nn.Module, examples: Sequence[Tensor], **options: Any) -> torch.onnx.ONNXProgram:
    """Export a network as an ONNX program, for inputs of the examples' shapes.

    The options are those of ``torch.onnx.export``, which can make the shapes dynamic.
    """
    logs = [logging.getLogger(name) for name in _LOGS]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`isinstance.treespec", FutureWarning)
            program = torch.onnx.export(network, tuple(examples), dynamo=True, verbose=False, **options)
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
    assert program is not None
    return program
