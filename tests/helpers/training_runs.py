"""Small training runs: features that determine the colours, and a log in memory."""

from __future__ import annotations

import importlib.util
import json
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from photochrom.training import train
from photochrom.training.config import CHECKPOINT, TrainingConfig
from photochrom.training.data.feature_cache import FeatureCache
from photochrom.training.networks.colorization import new_head
from photochrom.training.networks.encoders import load_encoder
from photochrom.training.networks.losses import ColorBins
from photochrom.training.processes import launch, leave_process_group
from photochrom.training.recipes import DEFAULT_CPU, REFERENCE
from photochrom.training.train import Trainer

RECIPES = {
    "reference": replace(REFERENCE, epochs=30, batch=4),
    "default": replace(DEFAULT_CPU, epochs=6, batch=4, grid=16, crop=8, stages_rate=0.3),
}
SHORT = {"epochs": 2, "learning_rate": 2e-4}  # for a faster run


class Tiny(torch.nn.Module):
    """Stands in for VGG16: the same strides and an embedding of 512 channels at a small cost."""

    strides, channels = (32,), (512,)

    @property
    def backbone(self):
        return self

    def forward(self, lightness):
        pooled = torch.nn.functional.avg_pool2d(lightness, 8)
        return [torch.nn.functional.pixel_unshuffle(pooled, 4).repeat(1, 32, 1, 1)]


def toy():
    """Return the example ``toy.py`` as a module."""
    path = Path(__file__).parents[2] / "examples" / "train" / "toy.py"
    spec = importlib.util.spec_from_file_location("toy", path)
    module = sys.modules["toy"] = importlib.util.module_from_spec(spec)  # where its dataclass looks for it
    spec.loader.exec_module(module)
    return module


def features(recipe):
    """Return a cache of twelve views for one of ``RECIPES``, whose features determine the colours."""
    channels, cells, grid = {"reference": (512, 2, 16), "default": (48, 16, 16)}[recipe]
    rng = np.random.default_rng(0)
    colors = rng.integers(-60, 60, (12, 2, 1, 1)).astype(np.int8)
    maps = rng.normal(size=(12, channels, cells, cells)) * 0.1
    maps[:, :2] += colors / 20
    rows = maps.reshape(12, -1).astype(np.float16)
    shapes, thumbnail = ((channels, cells, cells),), {"reference": 0, "default": 4 * grid}[recipe]
    lightness = rng.integers(0, 256, (12, thumbnail, thumbnail)).astype(np.uint8)
    return FeatureCache(rows, np.tile(colors, (1, 1, grid, grid)), shapes, lightness)


class MemoryLog:
    """Keeps the rows of a run's history, and writes its checkpoints into a folder, if there is one."""

    def __init__(self, trainer, folder):
        self.trainer, self.folder, self.rows, self.saves = trainer, folder, [], []

    def note(self, row, left):
        assert left >= 0
        self.rows.append(row)
        self.save()

    def save(self):
        self.saves.append(self.trainer.step)
        if self.folder:
            self.trainer.save(self.folder / CHECKPOINT)


def new_trainer(recipe, folder, conditions=None, **numbers):
    """Return a trainer on ``features``; ``numbers`` replace those of the recipe."""
    fabric = launch(TrainingConfig(str(folder), folder, resume=True, precision="fp32"))
    cache = features(recipe)
    bins = ColorBins.of(cache.chroma) if recipe == "default" else None
    encoder = load_encoder("efficientnet-lite2") if recipe == "default" else Tiny()
    return Trainer(fabric, replace(RECIPES[recipe], **numbers), new_head(encoder, bins), bins, len(cache), conditions)


@contextmanager
def double_precision():
    """Make training compute in float64, within the block, what it otherwise computes in float32.

    The loss has kinks, at rectifiers and at the edge of the gamut. In float32, a sum in another order moves some values
    across a kink, and the gradient jumps by a thousandth. In float64, no value is so near to a kink.
    """
    to_float, hints = torch.Tensor.float, train.simulate_hints
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    train.simulate_hints = lambda *arguments: hints(*arguments).double()
    try:
        yield
    finally:
        train.simulate_hints, torch.Tensor.float = hints, to_float
        torch.set_default_dtype(torch.float32)


def doubled(trainer):
    """Return the trainer with float64 weights; a mean per photograph replaces the networks of the perceptual loss."""
    trainer.head.double()
    trainer.ema = {name: value.double() for name, value in trainer.ema.items()}
    if trainer.bins is not None:
        objective = trainer.objective
        objective.perceptual_loss = lambda lightness, ab, truth: (ab - truth).square().mean((1, 2, 3)) / 1000
        for name, value in vars(objective).items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                setattr(objective, name, value.double())
    return trainer


def run(trainer, training, validation, folder=None, patience=0):
    """Train to the end, and return the rows of the history."""
    log = MemoryLog(trainer, folder)
    train.fit(trainer, training, validation, log if trainer.fabric.is_global_zero else None, 60, patience)
    return log.rows


def losses(rows):
    """Return the columns of the history that do not depend on the clock."""
    return [(row["epoch"], row["training"], row["validation"]) for row in rows]


def train_and_validate(recipe, batch, folder):
    """Return the losses of a run, and whether this process is the first one.

    The last of the losses is that of a source with one view, which only the first process gets.
    """
    trainer = doubled(new_trainer(recipe, folder, batch=batch, **SHORT))
    cache = features(recipe)
    rows = run(trainer, cache, cache)
    one = replace(cache, features=cache.features[:1], chroma=cache.chroma[:1], thumbnails=cache.thumbnails[:1])
    return [*losses(rows), (0, 0, trainer.validate(one))], trainer.fabric.is_global_zero


def main(batch, folder):
    found = {}
    with double_precision():
        for recipe in RECIPES:
            found[recipe], is_first = train_and_validate(recipe, batch, folder)
    if is_first:
        (folder / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":  # one of several processes: BATCH FOLDER
    main(int(sys.argv[1]), Path(sys.argv[2]))
    leave_process_group()
