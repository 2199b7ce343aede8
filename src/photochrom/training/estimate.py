"""What a run will take in time, disk and memory, from a few views and steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import TrainingError
from .data.batches import Batches
from .trainer import WHOLE, Trainer

_SLACK = 1.5  # of memory: what allocators and libraries take beside tensors
_LIBRARIES = 1_000_000_000  # bytes: PyTorch, OpenVINO, and pictures on their way
_CGROUP = Path("/sys/fs/cgroup")  # of this process' container, if it is in one


@dataclass(frozen=True)
class Estimate:
    """What a run takes."""

    features: float
    """Seconds for the features; 0 where they are not cached, or are there."""
    training: float
    """Seconds."""
    disk: int
    """Bytes that are still to be written: features and checkpoints."""
    memory: int
    """Bytes, of all processes on this machine."""

    def __str__(self) -> str:
        times = f"{_duration(self.features)} for features and " if self.features else ""
        return (
            f"about {times}{_duration(self.training)} for training, {self.disk / 1e9:.1f} GB of disk, "
            f"{self.memory / 1e9:.1f} GB of memory"
        )


def _duration(seconds: float) -> str:
    """To be read: 50 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def measure(trainer: Trainer, source: Batches) -> tuple[float, int]:
    """Mean seconds of a step of training, and the memory it takes, bytes, by a few of a trainer to be thrown away."""
    batch = source.batch(np.arange(trainer.recipe.batch) % len(source))

    def seconds(step: int) -> float:
        """The shorter of two: what else the machine does is no part of the estimate."""
        times = []
        for _ in range(2):
            trainer.step, start = step, time.perf_counter()
            trainer.update(source, batch)
            times.append(time.perf_counter() - start)
        return min(times)

    last = trainer.steps - 1  # sees whole pictures, the first ones parts of them
    with _Kept() as kept:
        trainer.step = last
        trainer.update(source, batch)
    mean = (1 - WHOLE) * seconds(0) + WHOLE * seconds(last)
    weights = 5 * sum(p.numel() * p.element_size() for p in trainer.tail.parameters())  # gradient, average, Adam's two
    return mean, round(_SLACK * (weights + kept.bytes)) + _LIBRARIES


class _Kept:
    """Counts what is kept for the gradient, each storage once."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._note, lambda tensor: tensor)

    def _note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self._seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(self._seen.values())

    def __enter__(self) -> _Kept:
        self._hooks.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self._hooks.__exit__(*exc)


@contextmanager
def told_of_memory() -> Iterator[None]:
    """Within, too little memory is a ``TrainingError``."""
    try:
        yield
    except (MemoryError, RuntimeError) as exc:
        known = isinstance(exc, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(exc)
        if not known:
            raise
        raise TrainingError("the memory is too small: give a smaller --batch, or close other programs") from exc


def free_memory() -> int | None:
    """Bytes that this process may still take: the machine's or its container's; None where neither says."""
    limits = []
    if (meminfo := Path("/proc/meminfo")).is_file():
        (line,) = (line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable"))
        limits.append(1024 * int(line.split()[1]))
    most, used, parts = (_CGROUP / name for name in ("memory.max", "memory.current", "memory.stat"))
    if most.is_file() and (text := most.read_text().strip()) != "max":
        # Copies of files count as used, but are given up where room is short.
        (copies,) = (line for line in parts.read_text().splitlines() if line.startswith("inactive_file "))
        limits.append(int(text) - int(used.read_text()) + int(copies.split()[1]))
    return min(limits, default=None)
