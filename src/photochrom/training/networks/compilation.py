"""Compiles frozen networks with OpenVINO, which runs convolutions faster than PyTorch on a CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from ...atomic import temporary_folder
from ...errors import TrainingError, system_errors
from ...models.engines import openvino_core, openvino_settings
from .onnx_export import to_onnx

Compiled = Callable[[np.ndarray], list[np.ndarray]]  # from the input to the outputs, such as feature maps [N, C, h, w]


def for_any_shape(backbone: nn.Module) -> Callable[[Tensor], list[Tensor]]:
    """Return a function that runs a backbone on lightness ``[N, 1, H, W]`` of any shape, float32 on the CPU.

    Each new shape is compiled on first use, which takes about a second, and stays in memory; errors are then those of
    ``compiled``. Two threads must not run the function at once.
    """

    @cache
    def of(shape: torch.Size) -> Compiled:
        return compiled(backbone, torch.zeros(shape))

    def run(lightness: Tensor) -> list[Tensor]:
        features = [torch.from_numpy(m) for m in of(lightness.shape)(lightness.numpy())]
        return [m.contiguous(memory_format=torch.channels_last) for m in features]

    return run


def compiled(network: nn.Module, example: Tensor, *, exact: bool = False) -> Compiled:
    """Compile a network with OpenVINO, which runs convolutions 1.4 to 2.5 times as fast as PyTorch on a CPU.

    Args:
        network: The network, with one input.
        example: Example input; the compiled network only takes inputs of this shape.
        exact: Whether to compute in float32 even if the processor supports bfloat16.

    Returns:
        A function from the input to the outputs; two threads must not run it at once.

    Raises:
        TrainingError: The network cannot be written to the system's temporary folder.
    """
    place, remedy = tempfile.gettempdir(), "make room, or set TMPDIR to another folder"
    with system_errors(TrainingError, place, remedy, "written"), temporary_folder("photochrom-network") as folder:
        path = folder / "network.onnx"
        with torch.autocast("cpu", enabled=False):  # a trace within autocast would round twice
            to_onnx(network, [example]).save(path)
        model = openvino_core().compile_model(path, "CPU", openvino_settings(exact))
    return lambda inputs: list(model(inputs).values())
