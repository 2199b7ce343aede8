"""Small training runs: features from which the colours can be told, and a log that keeps what a run says."""

from __future__ import annotations

import json
import sys
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
from photochrom.training.processes import launch, leave
from photochrom.training.recipes import OWN, REFERENCE
from photochrom.training.train import Trainer

RECIPES = {
    "reference": replace(REFERENCE, epochs=30, batch=4),
    "default": replace(OWN, epochs=6, batch=4, grid=16, crop=8),
}
SHORT = {"epochs": 2, "learning_rate": 2e-4}  # faster, and Adam makes much of sums in another order


class Tiny(torch.nn.Module):
    """Stands in for VGG16: the same strides and an embedding of 512 channels, without the cost."""

    strides, channels = (32,), (512,)

    @property
    def backbone(self):
        return self

    def forward(self, lightness):
        pooled = torch.nn.functional.avg_pool2d(lightness, 8)
        return [torch.nn.functional.pixel_unshuffle(pooled, 4).repeat(1, 32, 1, 1)]


def features(recipe):
    """Twelve rows for a recipe."""
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
    """Keeps the rows of a run, and its checkpoints in a folder."""

    def __init__(self, trainer, folder):
        self.trainer, self.folder, self.rows, self.saves = trainer, folder, [], []

    def note(self, row):
        self.rows.append(row)
        self.save()

    def save(self):
        self.saves.append(self.trainer.step)
        if self.folder:
            self.trainer.save(self.folder / CHECKPOINT)


def new_trainer(recipe, folder, conditions=None, **numbers):
    """A trainer on ``features``; ``numbers`` replace those of the recipe."""
    fabric = launch(TrainingConfig(str(folder), folder, resume=True, precision="fp32"))
    cache = features(recipe)
    bins = ColorBins.of(cache.chroma) if recipe == "default" else None
    encoder = load_encoder("efficientnet-lite2") if recipe == "default" else Tiny()
    return Trainer(fabric, replace(RECIPES[recipe], **numbers), new_head(encoder, bins), bins, len(cache), conditions)


def run(trainer, training, validation, folder=None, patience=0):
    """Train to the end; the rows."""
    log = MemoryLog(trainer, folder)
    train.fit(trainer, training, validation, log if trainer.fabric.is_global_zero else None, 60, patience)
    return log.rows


def losses(rows):
    """What does not depend on the clock."""
    return [(row["epoch"], row["training"], row["validation"]) for row in rows]


def train_and_validate(trainer, recipe):
    """The losses of a run, and a last row: of one photograph, of which all processes but the first see nothing."""
    cache = features(recipe)
    rows = run(trainer, cache, cache)
    one = replace(cache, features=cache.features[:1], chroma=cache.chroma[:1], thumbnails=cache.thumbnails[:1])
    return [*losses(rows), (0, 0, trainer.validate(one))]


def main(recipe, batch, folder):
    trainer = new_trainer(recipe, folder, batch=batch, **SHORT)
    found = train_and_validate(trainer, recipe)
    if trainer.fabric.is_global_zero:
        (folder / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":  # one of several processes: RECIPE BATCH FOLDER
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    leave()
