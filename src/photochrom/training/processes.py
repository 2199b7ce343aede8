"""Starts and ends the processes of a training run."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException

from ..errors import TrainingError
from ..models.engines import openvino_core
from .config import TrainingConfig

Result = TypeVar("Result")

_TIMEOUT = timedelta(days=2)  # for processes that wait while one of them inspects the photographs


def launch(config: TrainingConfig) -> Fabric:
    """Start the processes of a run, unless torchrun or SLURM has started them.

    Raises:
        TrainingError: The machine lacks the configured devices.
    """
    if config.accelerator not in accelerators():
        raise TrainingError(
            f"PyTorch {torch.__version__} finds no {config.accelerator} device on this machine",
            remedy="choose another accelerator, or install a PyTorch and a driver for this one",
        )
    devices, nodes = process_counts(config)
    several = devices * nodes > 1
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its messages only repeat the configuration
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=DDPStrategy(timeout=_TIMEOUT) if several else "auto",
            precision="bf16-mixed" if uses_bf16(config) else "32-true",
        )
        fabric.launch()
    except (ValueError, RuntimeError, MisconfigurationException) as exc:
        raise TrainingError(
            f"cannot train on {devices} x {config.accelerator} ({str(exc).splitlines()[0]})",
            remedy="choose another accelerator, or fewer devices",
        ) from exc
    return fabric


def accelerators() -> list[str]:
    """Return the accelerators of this machine, the fastest first."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, is_present in present.items() if is_present]


def process_counts(config: TrainingConfig) -> tuple[int, int]:
    """Return the number of processes per machine and the number of machines.

    Each is as configured, else as set by torchrun, else 1.
    """
    if "LOCAL_WORLD_SIZE" not in os.environ:  # Fabric itself sets WORLD_SIZE only
        return config.devices or 1, config.nodes or 1
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    return config.devices or local, config.nodes or int(os.environ.get("WORLD_SIZE", local)) // local


def decoding_processes(config: TrainingConfig) -> int:
    """Return the number of decoding processes of one training process: 0 on a CPU, whose cores are busy training.

    On a GPU, the cores are divided among the training processes.
    """
    if config.accelerator == "cpu":
        return 0
    return max(1, (os.cpu_count() or 1) // process_counts(config)[0])


def uses_bf16(config: TrainingConfig) -> bool:
    """Return whether to compute in bfloat16: as configured, or by default if the hardware supports it."""
    if config.precision != "auto":
        return config.precision == "bf16"
    if config.accelerator == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if config.accelerator == "mps":
        return False
    # PyTorch has no public function for this before 2.12.
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def in_first_process(fabric: Fabric, function: Callable[[], Result]) -> Result:
    """Call a function in the first process, and return its result in all of them; every process must call this.

    What depends on the machine, such as the free space on a disk, is found out once, since processes that decide
    differently would wait for one another for ever.
    """
    result = function() if fabric.is_global_zero else None
    return fabric.broadcast(result)  # type: ignore[return-value]


def leave_process_group() -> None:
    """Leave the process group, if there is one, after the last use of all trainers.

    The group's communication threads may still refer to tensors, and Python aborts if they free a tensor while it
    exits. The threads end with the last reference to the group. A trainer refers to the group in cycles, which only the
    garbage collector removes.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()


@contextmanager
def one_error_for_all(fabric: Fabric) -> Iterator[None]:
    """Let the first process that fails in the block raise its error; the others exit silently with status 1."""
    # An error in one process breaks the connections of the others, and an error in all would be reported by each.
    try:
        yield
    except Exception as exc:
        if fabric.world_size > 1 and (_is_broken_connection(exc) or not _is_first_to_fail()):
            raise SystemExit(1) from None
        raise


def _is_broken_connection(exc: Exception) -> bool:
    """Return whether an error only means that another process has ended."""
    return isinstance(exc, torch.distributed.DistError) or (isinstance(exc, RuntimeError) and "gloo" in str(exc))


def _is_first_to_fail() -> bool:
    """Return whether this process is the first to fail."""
    try:
        store = torch.distributed.distributed_c10d._get_default_store()
        return bool(store.add("photochrom/failed", 1) == 1)
    except (RuntimeError, ValueError):  # the process that serves the store has failed and ended
        return False
