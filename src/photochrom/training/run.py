"""A run before its first step: photographs looked at, recipe fitted, features cached, time and room estimated."""

from __future__ import annotations

import copy
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..errors import OptionError, TrainingError
from .config import Plan, processes, uses_bf16
from .data.batches import Batches, Pictures
from .data.curation import Inspection, inspect
from .data.dataset import Photograph, View, fingerprint, sample, split, views
from .data.feature_cache import (
    Compiled,
    FeatureCache,
    cache_features,
    cached_views,
    compile_early,
    few_features,
    for_any_shape,
    row_bytes,
)
from .data.sources import copy_here, is_remote
from .estimate import Estimate, free_memory, measure, told_of_memory
from .initial_model import Start
from .networks.losses import ColorBins
from .recipes import Recipe
from .trainer import Trainer, new_tail

VALIDATION = 500  # photographs whose loss is noted after each round
_TRIED = 32  # views that the estimate is made with, at least
_COLORS = 2_000  # views that the colours are found in, where all of them would have to be decoded for it
_FREE = 0.8  # of the disk that is free, which features may take unless the user says how much


@dataclass(frozen=True)
class Work:
    """What is learnt from what, and where."""

    plan: Plan
    fabric: Fabric
    start: Start
    recipe: Recipe
    training: list[View]
    validation: list[Photograph]

    @property
    def parts(self) -> dict[str, list[View]]:
        """The views by the names of their folders of features."""
        return {"training": self.training, "validation": views(self.validation, 1)}

    @property
    def row_bytes(self) -> int:
        """What the features of a view take on disk."""
        return row_bytes(self.start.encoder.early, self.recipe.sides)

    @property
    def feature_bytes(self) -> int:
        """What the features of all views take on disk."""
        return self.row_bytes * sum(map(len, self.parts.values()))

    def missing_views(self) -> int:
        """Views whose features are still to be computed; none where they are not kept."""
        early, sides, folder = self.start.encoder.early, self.recipe.sides, self.plan.run / "features"
        there = [cached_views(early, part, folder / name, sides) for name, part in self.parts.items()]
        return sum(map(len, self.parts.values())) - sum(there) if self.cached else 0

    @cached_property
    def bound(self) -> int:
        """What features may take on disk, bytes; nothing on a GPU, which is faster than a disk."""
        if self.plan.cache_gb is not None:
            return round(1e9 * self.plan.cache_gb)
        there = sum(path.stat().st_size for path in (self.plan.run / "features").rglob("*.npy"))
        return there + round(_FREE * shutil.disk_usage(self.plan.run).free) if self.plan.accelerator == "cpu" else 0

    @property
    def cached(self) -> bool:
        """Whether features are kept on disk; else the encoder's early part runs at every step."""
        return self.feature_bytes <= self.bound

    @cached_property
    def compiled(self) -> Compiled:
        """The encoder's early part."""
        return compile_early(self.start.encoder.early, self.recipe.size)

    def batches(self) -> tuple[Batches, Batches]:
        """Training and validation. One process computes the features while the others wait.

        Raises:
            TrainingError: a photograph cannot be decoded, or the disk is full.
        """
        early, sides = self.start.encoder.early, self.recipe.sides
        if not self.cached:
            pictures = Pictures(self.training, self._early_on_device(), sides, self._decoders())
            return pictures, few_features(early, self.compiled, self.parts["validation"], sides)

        def cache(name: str, part: list[View]) -> FeatureCache:
            return cache_features(
                early, name, part, self.plan.run / "features" / name, sides, lambda x: self.compiled(x)
            )

        with self.fabric.rank_zero_first():
            cached = [cache(name, part) for name, part in self.parts.items()]
        return cached[0], cached[1]

    def _decoders(self) -> int:
        """Processes that keep a GPU busy; a CPU is kept busy by the training."""
        return 0 if self.plan.accelerator == "cpu" else max(1, (os.cpu_count() or 1) // processes(self.plan)[0])

    def _early_on_device(self) -> Callable[[Tensor], list[Tensor]]:
        if self.plan.accelerator == "cpu":
            return for_any_shape(self.start.encoder.early)
        early = copy.deepcopy(self.start.encoder.early).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        moved: nn.Module = self.fabric.to_device(early)
        return moved

    def trainer(self, training: Batches) -> Trainer:
        """A trainer at its first step."""
        bins = self.start.bins
        if bins is None and self.recipe.uniform is not None:
            rows = np.linspace(0, len(training) - 1, min(_COLORS, len(training))).astype(int)
            every = training.chroma if isinstance(training, FeatureCache) else training.batch(rows).chroma.numpy()
            bins = ColorBins.of(every.astype(np.int8, copy=False))
        tail = self.start.tail or new_tail(self.start.encoder, bins)
        trainer = Trainer(self.fabric, self.recipe, tail, bins, len(training))
        trainer.photographs = fingerprint(self.training)
        return trainer

    def estimate(self) -> Estimate:
        """What the run takes, by trying it on a few views.

        Raises:
            TrainingError: the disk or the memory is too small.
        """
        with told_of_memory():
            few, seconds = self._few()
            course = replace(self.recipe, epochs=10, courses=1)  # from parts of pictures to whole ones
            start = replace(self.start, tail=copy.deepcopy(self.start.tail))
            trial = replace(self, recipe=course, start=start).trainer(few)
            step, memory = measure(trial, few)
        checkpoints = 5 * sum(value.nbytes for value in trial.tail.state_dict().values())
        steps = round(self.recipe.epochs * (len(self.training) // trial.batch))
        missing = self.missing_views()
        memory *= processes(self.plan)[0]
        found = Estimate(missing * seconds, steps * step, checkpoints + missing * self.row_bytes, memory)
        self._check(found)
        return found

    def _few(self) -> tuple[Batches, float]:
        """A few views to train on, and the seconds that the features of one take if they are cached."""
        early, sides = self.start.encoder.early, self.recipe.sides
        count = max(_TRIED, self.recipe.batch * self.fabric.world_size)  # with fewer no step sees whole pictures
        some = (self.training * math.ceil(count / len(self.training)))[:count]
        if not self.cached:
            return Pictures(some, self._early_on_device(), sides), 0.0
        few_features(early, self.compiled, some[:_TRIED], sides)  # the first run is slower
        started = time.perf_counter()
        few = few_features(early, self.compiled, some, sides)
        return few, (time.perf_counter() - started) / len(some)

    def _check(self, estimate: Estimate) -> None:
        free = shutil.disk_usage(self.plan.run).free
        if estimate.disk > free:
            hint = "give --cache-gb 0, which is slower but needs less" if self.cached else "free some"
            raise TrainingError(f"the run takes {_gb(estimate.disk)} in {self.plan.run}, {_gb(free)} are free: {hint}")
        memory = free_memory()
        if memory is not None and estimate.memory > memory and self.plan.accelerator == "cpu":
            raise TrainingError(
                f"training takes about {_gb(estimate.memory)} of memory, {_gb(memory)} are free: "
                f"give a --batch below {self.recipe.batch}, or close other programs"
            )

    def __str__(self) -> str:
        recipe = self.recipe
        where = f"features take {_gb(self.feature_bytes)}"
        if not self.cached:
            where += f", and may take {_gb(self.bound)}: the encoder runs at every step instead"
        numbers = "bfloat16" if uses_bf16(self.plan) else "float32"
        return (
            f"{len(self.training) // recipe.views:,} to train on ({recipe.views} views of each), "
            f"{len(self.validation):,} to check with, {recipe.size} pixels\n"
            f"from {self.start.label}, {recipe.epochs:g} epoch{'' if recipe.epochs == 1 else 's'} "
            f"in steps of {recipe.batch} views"
            f"{f' on each of {self.fabric.world_size}' if self.fabric.world_size > 1 else ''}, {numbers}; {where}"
        )


def arrange(plan: Plan, fabric: Fabric, start: Start, found: Inspection) -> Work:
    """Recipe and photographs of a run.

    Raises:
        TrainingError: a batch is more than there is.
    """
    training, held_out = split(found.photographs)
    recipe = plan.recipe_for(start, len(training), fabric.world_size)
    cap = max(VALIDATION // 10, math.ceil(VALIDATION / len({p.source for p in held_out})))
    chosen = sample(training, recipe.photographs, recipe.per_source)
    shown, step = views(chosen, recipe.views), recipe.batch * fabric.world_size
    if len(shown) < step:
        raise TrainingError(f"a step takes {step} views, and there are {len(shown)}: give a smaller --batch")
    return Work(plan, fabric, start, recipe, shown, sample(held_out, VALIDATION, cap))


def look(plan: Plan, fabric: Fabric) -> Inspection:
    """The photographs, looked at by one process for all.

    Raises:
        OptionError: the run's folder lies among them.
        TrainingError: they or the run's folder cannot be read, or too few are of use.
    """
    folder, run = Path(plan.photographs), plan.run.resolve()
    if not is_remote(plan.photographs) and run.is_relative_to(folder.resolve()):
        raise OptionError(f"{plan.run} lies in {folder}, and its pictures would be learnt from: name another with -o")
    found: Inspection | None = None
    if fabric.is_global_zero:
        try:
            plan.run.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise TrainingError(f"{plan.run} cannot be made ({exc.strerror}): name another folder with -o") from exc
        if is_remote(plan.photographs):
            folder = plan.run / "photographs"
            copy_here(plan.photographs, folder)
        found = inspect(folder, plan.run / "photographs.csv")
    shared: Inspection = fabric.broadcast(found)  # type: ignore[assignment]
    return shared


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
