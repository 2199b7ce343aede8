"""Exports networks with PyTorch's ONNX exporter, without its warnings about missing packages and deprecations."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def to_onnx(network: nn.Module, examples: Sequence[Tensor], **options: Any) -> torch.onnx.ONNXProgram:
    """Export a network as an ONNX program, for inputs of the examples' shapes.

    The options are those of ``torch.onnx.export``, which can make the shapes dynamic.
    """
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`isinstance.treespec", FutureWarning)
            program = torch.onnx.export(network, tuple(examples), dynamo=True, verbose=False, **options)
    finally:
        log.setLevel(level)
    assert program is not None
    return program
