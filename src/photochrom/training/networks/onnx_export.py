"""PyTorch's ONNX exporter, without its remarks on packages that are not installed and on its own future."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def to_onnx(network: nn.Module, examples: Sequence[Tensor], **options: Any) -> torch.onnx.ONNXProgram:
    """A network as an ONNX graph, for inputs like the examples."""
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
