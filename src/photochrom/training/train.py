"""The training loop, top to bottom.

    python -m photochrom.training.train reference PHOTOS RUN

Only the decoder is trained; the encoder is frozen, so its features are computed once (``features.py``) and every
epoch starts from them. The run can be stopped at any time and goes on from its last checkpoint, to the same losses.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from . import checkpoint
from .dataset import Photograph, find_photographs, sample, split
from .decoder import count_parameters
from .encoders import load_encoder
from .features import FeatureCache, cache_features
from .losses import ColorBins, Objective
from .recipes import RECIPES, Recipe, build_decoder, build_objective

VALIDATION = 500  # photographs whose loss is noted after each round
ROUND = 10_000  # photographs between two notes and checkpoints
WARM_UP = 200  # steps
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1  # of glibc's malloc.h


def prepare(recipe: Recipe, photographs: Path, cache: Path, weights: Path | None) -> tuple[FeatureCache, FeatureCache]:
    """Training and validation features of a recipe, computed or read from ``cache``."""
    encoder = load_encoder(recipe.encoder, weights)
    training, held_out = split(find_photographs(photographs))
    chosen = sample(training, recipe.photographs, recipe.per_source)
    checked = sample(held_out, VALIDATION, VALIDATION // 10)

    def cached(part: list[Photograph], name: str) -> FeatureCache:
        return cache_features(encoder, recipe.encoder, part, cache / name, size=recipe.size, grid=recipe.grid)

    return cached(chosen, "training"), cached(checked, "validation")


class Trainer:
    """All that changes while training: decoder, its running average, optimizer, step, and the losses so far."""

    def __init__(self, recipe: Recipe, count: int, channels: tuple[int, ...], bins: ColorBins | None) -> None:
        torch.manual_seed(0)
        self.recipe = recipe
        self.bins = bins
        self.count = count
        self.steps = round(recipe.epochs * count / recipe.batch)
        self.decoder = build_decoder(channels, bins).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {k: v.clone() for k, v in self.decoder.state_dict().items()}
        self.objective: Objective = build_objective(recipe, bins)
        self.optimizer = torch.optim.AdamW(
            self.decoder.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.step = 0
        self.history: list[dict[str, float]] = []

    def learning_rate(self) -> float:
        """Linear warm-up, then a cosine to nothing: a function of the step alone."""
        if self.step < WARM_UP:
            return self.recipe.learning_rate * (self.step + 1) / WARM_UP
        done = (self.step - WARM_UP) / max(1, self.steps - WARM_UP)
        return self.recipe.learning_rate * (1 + math.cos(math.pi * min(1.0, done))) / 2

    def rows(self) -> Iterator[np.ndarray]:
        """Rows of each batch still to come: every photograph once an epoch, in an order fixed by the epoch's number."""
        per_epoch = self.count // self.recipe.batch
        while self.step < self.steps:
            epoch, batch = divmod(self.step, per_epoch)
            order = np.random.default_rng(epoch).permutation(self.count)
            for start in range(batch, per_epoch):
                if self.step >= self.steps:
                    return
                yield np.sort(order[start * self.recipe.batch : (start + 1) * self.recipe.batch])

    def update(self, maps: list[Tensor], chroma: Tensor) -> float:
        """One step of gradient descent; the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        with torch.autocast("cpu", torch.bfloat16):
            output = self.decoder(maps)
        loss = self.objective(output, chroma)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._follow()
        return loss.item()

    def _follow(self) -> None:
        """Let the running average follow; it starts fast, so that the first steps do not linger in it."""
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step)) if self.recipe.average else 0.0
        for name, value in self.decoder.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def validate(self, cache: FeatureCache) -> float:
        """Mean loss of the running average's decoder on held-out photographs."""
        losses = []
        trained = {k: v.clone() for k, v in self.decoder.state_dict().items()}
        self.decoder.load_state_dict(self.average)
        for rows in np.array_split(np.arange(len(cache)), math.ceil(len(cache) / self.recipe.batch)):
            maps, chroma = cache.batch(rows)
            with torch.autocast("cpu", torch.bfloat16):
                output = self.decoder(maps)
            losses.append(len(rows) * self.objective(output, chroma).item())
        self.decoder.load_state_dict(trained)
        return sum(losses) / len(cache)

    def save(self, path: Path) -> None:
        """All of it, so that a run goes on as if it had not stopped."""
        tensors = {f"decoder.{k}": v for k, v in self.decoder.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= checkpoint.pack_optimizer(self.optimizer)
        if self.bins is not None:
            tensors |= {"bins.centres": self.bins.centres, "bins.frequency": self.bins.frequency}
        facts = {"recipe": self.recipe.name, "count": self.count, "step": self.step, "history": self.history}
        checkpoint.save(path, tensors, facts)

    def resume(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        tensors, facts = checkpoint.load(path)
        self.decoder.load_state_dict(_under("decoder.", tensors))
        self.average = _under("average.", tensors)
        checkpoint.unpack_optimizer(self.optimizer, tensors)
        self.step, self.history = facts["step"], facts["history"]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def train(recipe: Recipe, training: FeatureCache, validation: FeatureCache, run: Path) -> Trainer:
    """Train, or go on training, in the folder ``run``, where checkpoints, losses and their curves appear.

    A round ends every ``ROUND`` photographs: the losses are noted and a checkpoint is written.
    """
    run.mkdir(parents=True, exist_ok=True)
    bins = ColorBins.of(training.chroma) if recipe.uniform is not None else None
    trainer = Trainer(recipe, len(training), tuple(s[0] for s in training.shapes), bins)
    latest = run / "checkpoint.safetensors"
    if latest.exists():
        trainer.resume(latest)
    print(f"{recipe.name}: {count_parameters(trainer.decoder):,} parameters, {trainer.steps:,} steps", flush=True)
    per_round = max(1, ROUND // recipe.batch)
    losses: list[float] = []
    started = time.monotonic()
    for rows in tqdm(trainer.rows(), recipe.name, trainer.steps, initial=trainer.step, mininterval=10):
        losses.append(trainer.update(*training.batch(rows)))
        if trainer.step % per_round == 0 or trainer.step == trainer.steps:
            seconds = time.monotonic() - started
            note(trainer, float(np.mean(losses)), trainer.validate(validation), seconds, run)
            trainer.save(latest)
            losses, started = [], time.monotonic()
    return trainer


def note(trainer: Trainer, training: float, validation: float, seconds: float, run: Path) -> None:
    """Write the losses of a round down, draw the curves, and keep the best decoder so far."""
    epoch = trainer.step * trainer.recipe.batch / trainer.count
    best = min((past["validation"] for past in trainer.history), default=math.inf)
    trainer.history.append({"epoch": epoch, "training": training, "validation": validation, "seconds": seconds})
    with (run / "losses.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["epoch", "training", "validation", "seconds"])
        table.writeheader()
        table.writerows(trainer.history)
    draw_curves(trainer.history, f"{trainer.recipe.name}: loss over the epochs", run / "curves.png")
    if validation < best:
        trainer.save(run / "best.safetensors")


def draw_curves(history: list[dict[str, float]], title: str, path: Path) -> None:
    """Training and validation loss over the epochs, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel="epoch", ylabel="loss", title=title)
    for name in ("training", "validation"):
        axes.plot([h["epoch"] for h in history], [h[name] for h in history], label=name)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def keep_memory() -> None:
    """Tell glibc to keep freed memory: it would return every large buffer to the kernel and take it anew each step."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def main(arguments: list[str] | None = None) -> None:
    """Train one of the published models."""
    parser = argparse.ArgumentParser(description="Train one of the published models on a folder of photographs.")
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("run", type=Path, help="folder of the run: checkpoints, losses, curves, cached features")
    parser.add_argument("--encoder-weights", type=Path, help="a local file with VGG16's weights (Keras notop .h5)")
    args = parser.parse_args(arguments)
    keep_memory()
    recipe = RECIPES[args.recipe]
    train(recipe, *prepare(recipe, args.photographs, args.run / "features", args.encoder_weights), args.run)


if __name__ == "__main__":
    main()
