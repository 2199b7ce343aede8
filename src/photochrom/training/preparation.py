"""Prepares a ``TrainingRun``: inspects photographs, chooses the recipe, caches features."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..batch.remote_files import is_remote
from ..colorizer.vividness import DIAL_LAMBDA
from ..errors import OptionError, TrainingError
from . import checkpoint
from .config import TrainingConfig
from .data.batches import Pictures, Sides
from .data.curation import Inspection, inspect_for_training
from .data.dataset import Photograph, View, fingerprint, sample, split, views
from .data.feature_cache import Batches, DiskCache, cached_views, compile_backbone, few_features, view_bytes
from .data.sources import copy_here
from .initial_model import InitialModel
from .networks.colorization import ColorizationHead, new_head, shift_class_weights
from .networks.compilation import Compiled, for_any_shape
from .networks.encoders import Backbone, EfficientNetLite, stored_weights
from .networks.losses import ColorBins
from .processes import decoding_processes, in_first_process, uses_bf16
from .recipes import Recipe
from .train import Trainer

VALIDATION = 500  # maximum number of photographs in each round's validation
REPORTED = 200  # maximum number of held-out photographs that the report at the end measures
_COLOR_VIEWS = 2_000  # maximum number of views from which the bins are determined
_FREE_SHARE = 0.8  # share of the free disk space that cached features may take unless the user sets a limit


@dataclass(frozen=True)
class TrainingRun:
    """A run before its first step: options, initial model, recipe, and photographs."""

    config: TrainingConfig
    fabric: Fabric
    initial: InitialModel
    recipe: Recipe
    training: list[View]
    """Views to train on."""
    validation: list[Photograph]
    """Held-out photographs, of which the central squares are evaluated after each round."""
    cache_limit: float
    """Maximum size of the feature cache in bytes, the same in all processes."""

    @property
    def conditions(self) -> dict[str, object]:
        """Facts by name that must be equal in a resumed run, since its losses depend on them."""
        return asdict(self.recipe) | {
            "set of photographs": fingerprint(self.training),
            "held-out photographs": fingerprint(self.parts["validation"]),
            "initial model": self.initial.identity,
            "number of processes": self.fabric.world_size,
        }

    @property
    def parts(self) -> dict[str, list[View]]:
        """Training and validation views, by the name of the folder of their cached features."""
        return {"training": self.training, "validation": views(self.validation, 1)}

    @cached_property
    def backbone(self) -> Backbone:
        """Frozen part of the encoder, whose features can be cached."""
        encoder, head = self.initial.encoder, self.initial.head
        if self.recipe.stages_rate > 0 or not isinstance(encoder, EfficientNetLite):
            return encoder.backbone
        whole = copy.deepcopy(encoder)
        if isinstance(head, ColorizationHead):
            whole.stages = copy.deepcopy(head.stages)
        return whole.eval().requires_grad_(False)

    @property
    def view_bytes(self) -> int:
        """Number of bytes that one view takes in the feature cache."""
        return view_bytes(self.backbone, Sides.of(self.recipe))

    @property
    def feature_bytes(self) -> int:
        """Number of bytes that all views take in the feature cache."""
        return self.view_bytes * sum(map(len, self.parts.values()))

    def missing_views(self) -> int:
        """Return the number of views whose features must still be computed; 0 if features are not cached."""
        backbone, sides = self.backbone, Sides.of(self.recipe)
        folder = self.config.run_folder / "features"
        done = [cached_views(backbone, part, folder / name, sides) for name, part in self.parts.items()]
        return sum(map(len, self.parts.values())) - sum(done) if self.cached else 0

    @property
    def cached(self) -> bool:
        """Whether features are cached on disk; otherwise the backbone computes them at every step."""
        return self.feature_bytes <= self.cache_limit

    @cached_property
    def compiled(self) -> Compiled:
        """The backbone, compiled with OpenVINO; errors are those of ``compile_backbone``."""
        return compile_backbone(self.backbone, self.recipe.size)

    def batches(self) -> tuple[Batches, Batches]:
        """Return the sources of training and validation batches.

        If features are cached, those that are missing are computed first, by one process while the others wait. With a
        recipe that repeats views, a single process computes those of training views on first use instead. Without a
        cache, training views are decoded in each step, and features of validation views are kept in memory.

        Raises:
            TrainingError: A photograph cannot be read or decoded, or the features cannot be written.
        """
        backbone, sides = self.backbone, Sides.of(self.recipe)
        if not self.cached:
            pictures = Pictures(self.training, self.backbone_on_device(), sides, decoding_processes(self.config))
            return pictures, few_features(backbone, self.compiled, self.parts["validation"], sides)

        folder, on_demand = self.config.run_folder / "features", self.recipe.repeats > 1 and self.fabric.world_size == 1
        with self.fabric.rank_zero_first():
            caches = {
                name: DiskCache(backbone, part, folder / name, sides, lambda x: self.compiled(x))
                for name, part in self.parts.items()
            }
            for name, cache in caches.items():
                if name == "validation" or not on_demand:
                    cache.fill(name)
        return caches["training"], caches["validation"]

    def backbone_on_device(self) -> Callable[[Tensor], list[Tensor]]:
        """Return the backbone on the training device: a function from lightness ``[N, 1, H, W]`` to feature maps."""
        backbone = self.backbone
        if self.config.accelerator == "cpu":
            return for_any_shape(backbone)
        moved: nn.Module = self.fabric.to_device(copy.deepcopy(backbone))
        return moved.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def trainer(self, training: Batches, latest: Path | None = None) -> Trainer:
        """Return a trainer at its first step, or resumed from the checkpoint ``latest``.

        The bins of an untrained head are the checkpoint's, or are determined from the training views.

        Raises:
            TrainingError: The weights of a network in the perceptual loss are not installed, a photograph cannot be
                read or decoded, the cache cannot be written, or the checkpoint is not one of this run.
        """
        bins = self.initial.bins
        if bins is None and self.recipe.rebalance_lambda is not None:
            bins = _bins_of_views(training, self.recipe.batch) if latest is None else self._bins_of(latest)
        backbone = stored_weights(self.initial.encoder)
        trainer = Trainer(self.fabric, self.recipe, self._head(bins), bins, len(training), self.conditions, backbone)
        if latest is not None:
            trainer.resume(latest)
        return trainer

    def _bins_of(self, latest: Path) -> ColorBins | None:
        tensors, facts = checkpoint.load(latest)
        checkpoint.check_conditions(latest, facts, self.conditions)
        with checkpoint.reading(latest):
            return checkpoint.bins_of(tensors, self.recipe)

    def _head(self, bins: ColorBins | None) -> nn.Module:
        """Return the head to train, with the recipe's class weights and colour queries."""
        # It is a copy, because the initial model must not change: its hash is a condition of resuming.
        head, recipe = copy.deepcopy(self.initial.head), self.recipe
        if head is None:
            return new_head(self.initial.encoder, bins, recipe.color_queries)
        if bins is not None and recipe.rebalance_lambda is not None:
            shift_class_weights(head, bins, DIAL_LAMBDA, recipe.rebalance_lambda)
            if recipe.color_queries and head.decoder.queries is None:  # type: ignore[union-attr]
                head.decoder.add_queries(recipe.color_queries)  # type: ignore[union-attr, operator]
        return head

    def __str__(self) -> str:
        recipe, world_size = self.recipe, self.fabric.world_size
        features = f"features take {gigabytes(self.feature_bytes)}"
        if not self.cached:
            features += f", more than the {gigabytes(self.cache_limit)} allowed: the encoder runs at every step instead"
        precision = "bfloat16" if uses_bf16(self.config) else "float32"
        views = "view" if recipe.views == 1 else "views"
        return (
            f"{len(self.training) // recipe.views:,} to train on ({recipe.views} {views} of each), "
            f"{len(self.validation):,} to check with, {recipe.size} pixels\n"
            f"from {self.initial.label}, {recipe.epochs:g} epoch{'' if recipe.epochs == 1 else 's'} "
            f"in steps of {recipe.batch} views"
            f"{f' on each of {world_size}' if world_size > 1 else ''}, {precision}; {features}"
        )


def _bins_of_views(training: Batches, batch: int) -> ColorBins:
    """Determine the bins from evenly spaced views, which are the same ones whether features are cached or not."""
    indices = np.linspace(0, len(training) - 1, min(_COLOR_VIEWS, len(training))).astype(int)
    batches = training.stream(iter(np.array_split(indices, math.ceil(len(indices) / batch))))
    with closing(batches):
        return ColorBins.of(np.concatenate([batch.chroma.numpy().astype(np.int8) for batch in batches]))


def prepare_run(config: TrainingConfig, fabric: Fabric, initial: InitialModel, inspection: Inspection) -> TrainingRun:
    """Choose the recipe, the training views and the held-out photographs of a run.

    Raises:
        OptionError: The recipe is for another network than the initial model's.
        TrainingError: No photographs are left to train on, or there are fewer views than a step takes.
    """
    training, validation = training_and_validation(config, inspection)
    recipe = config.recipe_for(initial, len(training), fabric.world_size)
    chosen = sample(training, recipe.photographs, recipe.per_source)
    training_views = views(chosen, recipe.views, recipe.first_view, recipe.aged)
    needed = recipe.batch * fabric.world_size
    if len(training_views) < needed:
        raise TrainingError(
            f"a step takes {needed} views, but there are {len(training_views)}", remedy="give a smaller batch"
        )
    cache_limit = in_first_process(fabric, lambda: _cache_limit(config))
    return TrainingRun(config, fabric, initial, recipe, training_views, validation, cache_limit)


def _cache_limit(config: TrainingConfig) -> float:
    """Return the maximum size of the feature cache in bytes.

    By default, it is 0 on a GPU, which computes features faster than a disk reads them, and on a CPU 80 % of the free
    disk space plus the cache's present size.
    """
    if config.cache_gb is not None:
        return 1e9 * config.cache_gb
    if config.accelerator != "cpu":
        return 0
    folder = config.run_folder.resolve()
    used = sum(path.stat().st_size for path in (folder / "features").rglob("*.npy"))
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return used + round(_FREE_SHARE * shutil.disk_usage(existing).free)


def training_and_validation(
    config: TrainingConfig, inspection: Inspection
) -> tuple[list[Photograph], list[Photograph]]:
    """Return the photographs to train on, and up to ``VALIDATION`` of those held out, from many sources.

    Raises:
        TrainingError: No photographs are left to train on.
    """
    training, held_out = split(inspection.photographs)
    if not training:
        raise TrainingError(
            f"all its {len(held_out):,} photographs are held out, and none are left to train on",
            path=config.photographs,
            remedy="add photographs",
        )
    per_source = max(VALIDATION // 10, math.ceil(VALIDATION / len({p.source for p in held_out})))
    return training, sample(held_out, VALIDATION, per_source)


def inspect_photographs(config: TrainingConfig, fabric: Fabric) -> Inspection:
    """Inspect the photographs in the first process; the others wait for its result.

    Raises:
        OptionError: The run's folder lies inside the folder of photographs.
        TrainingError: The run's folder cannot be written, the photographs cannot be read or copied into it, or too few
            of them are usable.
        PhotochromError: The photographs are remote, and fsspec or the package for the protocol is missing.
    """
    folder, run_folder = Path(config.photographs), config.run_folder
    if not is_remote(config.photographs) and run_folder.resolve().is_relative_to(folder.resolve()):
        raise OptionError(
            f"is inside {folder}, so the run's own pictures would be trained on",
            path=run_folder,
            remedy="choose a folder outside for the run",
        )

    def inspect_copy() -> Inspection:
        if is_remote(config.photographs):
            copy_here(config.photographs, run_folder / "photographs")
            return inspect_for_training(run_folder / "photographs", run_folder / "photographs.csv")
        return inspect_for_training(folder, run_folder / "photographs.csv")

    return in_first_process(fabric, inspect_copy)


def gigabytes(count: float) -> str:
    """Format a number of bytes in GB, as ``1.5 GB``."""
    return f"{count / 1e9:.1f} GB"
