"""What a user asks of a training run, and the machine it runs on."""

from __future__ import annotations

import ctypes
import gc
import logging
import math
import os
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException

from ..errors import OptionError, TrainingError
from ..models.engines import openvino_core
from .data.sources import is_remote
from .initial_model import STARTS, Start
from .recipes import RECIPES, Recipe, at_size, fitted, tuned

CHECKPOINT, BEST, MODEL = "checkpoint.safetensors", "best.safetensors", "model.onnx"
PATIENCE = 10  # rounds without a better held-out loss, after which a run is not worth its time
_LONG = timedelta(days=2)  # that one process may look at photographs while the others wait
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1  # of glibc's malloc.h


@dataclass(frozen=True)
class Plan:
    """What the user asks for. None: chosen by the photographs and the machine."""

    photographs: str
    """A folder, a tar shard, or the address of either."""
    run: Path
    """The run's folder."""
    start: str | None = None
    """See ``start.begin``; None for the embedded model, with a recipe for nothing."""
    encoder: str | None = None
    encoder_weights: Path | None = None
    """A local file with VGG16's weights."""
    recipe: str | None = None
    """A published model to make anew, number by number: from scratch, unless ``start`` names a model."""
    epochs: float | None = None
    size: int | None = None
    """Side of the training squares, pixels; a multiple of 32."""
    batch: int | None = None
    """Views a step, of each process."""
    learning_rate: float | None = None
    seed: int | None = None
    """Another than 0 shows the same views in another order, with other hints: for a run that goes on from another."""
    patience: int | None = None
    """Rounds without a better held-out loss that end the run; 0: none do. See ``patience_of``."""
    minutes: float = 10.0
    """Between two checkpoints, at most."""
    cache_gb: float | None = None
    """At most so much disk for features, GB; 0: none are kept."""
    precision: str = "auto"
    """``bf16``, ``fp32``, or bf16 where the processor has it."""
    accelerator: str = "cpu"
    """``cpu``, ``cuda`` or ``mps``."""
    devices: int | None = None
    nodes: int | None = None
    resume: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "learning_rate", "minutes", "devices", "nodes"):
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf:
                raise OptionError(f"--{name.replace('_', '-')} is {value}: give a number above 0")
        if self.size is not None and (self.size < 64 or self.size % 32):
            raise OptionError(f"--size is {self.size}: give a multiple of 32, at least 64")
        for name in ("cache_gb", "seed", "patience"):
            if (value := getattr(self, name)) is not None and not 0 <= value < math.inf:
                raise OptionError(f"--{name.replace('_', '-')} is {value}: give 0 or more")
        if self.recipe is not None and (self.start in STARTS[1:] or self.encoder is not None or self.size is not None):
            raise OptionError(
                "--recipe has its own start, encoder and size: give no others, and --from but for a model"
            )
        if self.run.is_file():
            raise OptionError(f"{self.run} is a file: name a folder with -o")
        if not self.resume and not self.dry_run and (self.run / CHECKPOINT).exists():
            raise OptionError(f"{self.run} holds a run already: add --resume to go on with it, or name another folder")
        if not is_remote(self.photographs) and not Path(self.photographs).exists():
            raise TrainingError(f"there is no {self.photographs}: give a folder of photographs or a tar shard")

    def recipe_for(self, start: Start, photographs: int, world: int) -> Recipe:
        """The numbers of the run.

        Raises:
            OptionError: ``--recipe`` is of another network than the start.
        """
        if self.recipe is not None:
            recipe = RECIPES[self.recipe] if start.tail is None else tuned(RECIPES[self.recipe])
            if recipe.encoder != start.recipe.encoder:  # which decides the kind of decoder, too
                raise OptionError(
                    f"--recipe {self.recipe} trains {recipe.encoder}, {start.label} has {start.recipe.encoder}: "
                    "leave out --recipe or --from"
                )
        else:
            recipe = fitted(at_size(start.recipe, self.size or start.recipe.size), photographs, world)
        asked = {name: getattr(self, name) for name in ("epochs", "batch", "learning_rate", "seed")}
        return replace(recipe, **{name: value for name, value in asked.items() if value is not None})


def launch(plan: Plan) -> Fabric:
    """The processes of a run: this one, or those that ``--devices`` and ``--nodes`` say, or torchrun or SLURM started.

    Raises:
        TrainingError: the machine lacks what is asked for.
    """
    devices, nodes = processes(plan)
    several = devices * nodes > 1
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it remarks on what the plan says already
    try:
        fabric = Fabric(
            accelerator=plan.accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy=DDPStrategy(timeout=_LONG) if several else "auto",
            precision="bf16-mixed" if uses_bf16(plan) else "32-true",
        )
        fabric.launch()
    except (ValueError, RuntimeError, MisconfigurationException) as exc:
        raise TrainingError(f"cannot train on {devices} x {plan.accelerator}: {str(exc).splitlines()[0]}") from exc
    return fabric


def processes(plan: Plan) -> tuple[int, int]:
    """How many train on each machine, and on how many machines: as the plan says, else as torchrun does."""
    if "LOCAL_WORLD_SIZE" not in os.environ:  # WORLD_SIZE alone is what Fabric tells the processes that it starts
        return plan.devices or 1, plan.nodes or 1
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    return plan.devices or local, plan.nodes or int(os.environ.get("WORLD_SIZE", local)) // local


def patience_of(plan: Plan) -> int:
    """Rounds without a better held-out loss that end the run; 0: none do, as for a published recipe unless asked."""
    if plan.patience is not None:
        return plan.patience
    return PATIENCE if plan.recipe is None else 0


def leave() -> None:
    """Part from the other processes, if there are any, once no trainer is left.

    Threads that talk to them may hold tensors, and abort Python if it has to free these while it ends. They end with
    the last reference to the group, and a trainer's lie in cycles.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()


def uses_bf16(plan: Plan) -> bool:
    """Whether to compute in bfloat16: as asked, else where the hardware does."""
    if plan.precision != "auto":
        return plan.precision == "bf16"
    if plan.accelerator == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if plan.accelerator == "mps":
        return False
    # PyTorch has no public word on it before 2.12.
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def keep_memory() -> None:
    """Tell glibc to keep freed memory: it would return every large buffer to the kernel and take it anew each step."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
