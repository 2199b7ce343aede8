"""A training step in plain PyTorch, against the trainer's step, which uses Lightning Fabric.

    python benchmarks/training.py

Both take the same batches of features of the published recipes, in turn. The loader's time is that of reading such a
batch from a disk cache, which threads do while the network trains.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from _tools import print_table
from torch import nn

from photochrom.training.config import TrainingConfig
from photochrom.training.data.batches import Sides
from photochrom.training.data.feature_cache import FeatureCache
from photochrom.training.data.simulated_hints import simulate_hints
from photochrom.training.memory import keep_memory
from photochrom.training.networks.colorization import new_head
from photochrom.training.networks.encoders import VGG16, Encoder, load_encoder
from photochrom.training.networks.losses import ColorBins
from photochrom.training.processes import launch
from photochrom.training.recipes import DEFAULT_CPU, REFERENCE, Recipe
from photochrom.training.steps import update_ema
from photochrom.training.train import Trainer

ROWS, RUNS = 256, 8


def main() -> None:
    keep_memory()
    rows = []
    for recipe, encoder in ((REFERENCE, VGG16()), (DEFAULT_CPU, load_encoder("efficientnet-lite2"))):
        with tempfile.TemporaryDirectory() as folder:
            cache = random_features(recipe, encoder, Path(folder))
            plain, fabric, load = measure(recipe, encoder, cache)
        rate = [f"{recipe.batch / s:.0f}" for s in (plain, fabric, load)]
        rows.append([recipe.name, *rate, f"{plain / fabric:.2f}"])
    print_table(["recipe", "plain PyTorch, views/s", "trainer", "loader, one thread", "trainer / plain"], rows)


def random_features(recipe: Recipe, encoder: Encoder, folder: Path) -> FeatureCache:
    """Return a cache of random features that are on disk."""
    rng = np.random.default_rng(0)
    shapes = tuple(
        (c, recipe.size // s, recipe.size // s)
        for c, s in zip(encoder.backbone.channels, encoder.backbone.strides, strict=True)
    )
    np.save(folder / "features.npy", rng.random((ROWS, sum(map(np.prod, shapes))), np.float32).astype(np.float16))
    features = np.load(folder / "features.npy", mmap_mode="r")
    chroma = rng.integers(-60, 60, (ROWS, 2, recipe.grid, recipe.grid)).astype(np.int8)
    side = Sides.of(recipe).thumbnail
    return FeatureCache(features, chroma, shapes, rng.integers(0, 256, (ROWS, side, side)).astype(np.uint8))


def measure(recipe: Recipe, encoder: Encoder, cache: FeatureCache) -> list[float]:
    """Return the least seconds of a plain step, of the trainer's step, and of reading a batch."""
    bins = ColorBins.of(cache.chroma) if recipe.rebalance_lambda is not None else None
    trainer = Trainer(launch(TrainingConfig(".", Path(), resume=True)), recipe, new_head(encoder, bins), bins, 100_000)
    batch = np.arange(recipe.batch)
    loaded = cache.batch(batch)
    head = trainer.head
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad])

    def plain() -> None:
        crop = trainer.draw_crop()
        truth, small_lightness = crop(loaded.chroma), crop(loaded.small_lightness)
        inputs: list[object] = [[crop(f) for f in loaded.inputs]]
        if bins is not None:
            inputs.append(simulate_hints(truth, [[i] for i in range(len(truth))], recipe.hintless))
        with torch.autocast("cpu", torch.bfloat16):
            output = head(*inputs)
        losses, _ = trainer.objective(output, truth, small_lightness)
        loss = losses.sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
        update_ema(trainer.ema, head, recipe.ema_decay, 1)
        loss.item()

    return in_turn(plain, lambda: trainer.update(cache, loaded), lambda: cache.batch(batch))


def in_turn(*works: Callable[[], object]) -> list[float]:
    """Call functions in turns, so that other work affects all alike, and return the least seconds of each."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(RUNS):
        for work, taken in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


if __name__ == "__main__":
    main()
