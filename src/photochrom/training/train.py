"""The training loop, top to bottom.

    python -m photochrom.training.train reference PHOTOS RUN

What of the encoder is frozen has its features computed once (``features.py``), and every epoch starts from them. The
tail is trained: the decoder, and with the default recipe the encoder's later stages. The run can be stopped at any time
and goes on from its last checkpoint, to the same losses.
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
from .dataset import Photograph, find_photographs, sample, split, views
from .decoder import count_parameters
from .encoders import Encoder, load_encoder
from .features import FeatureCache, cache_features
from .losses import ColorBins, Objective
from .recipes import RECIPES, Recipe, build_objective, build_tail
from .simulation import simulate_hints

VALIDATION = 500  # photographs whose loss is noted after each round
ROUND = 10_000  # views between two notes and checkpoints
WARM_UP = 200  # steps
WHOLE = 0.2  # share of a course's steps, at its end, that see whole pictures
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1  # of glibc's malloc.h


def prepare(recipe: Recipe, encoder: Encoder, photographs: Path, cache: Path) -> tuple[FeatureCache, FeatureCache]:
    """Training and validation features of a recipe, computed or read from ``cache``."""
    training, held_out = split(find_photographs(photographs))
    chosen = sample(training, recipe.photographs, recipe.per_source)
    checked = sample(held_out, VALIDATION, VALIDATION // 10)

    def cached(part: list[Photograph], name: str, each: int) -> FeatureCache:
        shown = views(part, each)
        return cache_features(encoder.early, name, shown, cache / name, size=recipe.size, grid=recipe.grid)

    return cached(chosen, "training", recipe.views), cached(checked, "validation", 1)


class Trainer:
    """All that changes while training: the tail, its running average, optimizer, step, and the losses so far."""

    def __init__(self, recipe: Recipe, encoder: Encoder, count: int, bins: ColorBins | None) -> None:
        torch.manual_seed(0)
        self.recipe = recipe
        self.bins = bins
        self.count = count
        self.steps = round(recipe.epochs * count / recipe.batch)
        self.per_course = math.ceil(self.steps / recipe.courses)
        self.tail = build_tail(encoder, bins).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {k: v.clone() for k, v in self.tail.state_dict().items()}
        self.objective: Objective = build_objective(recipe, bins)
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=recipe.weight_decay)
        self.step = 0
        self.history: list[dict[str, float]] = []

    def _groups(self) -> list[dict[str, object]]:
        """Parameters and the part of the learning rate that each kind gets."""
        trained = [(name, p) for name, p in self.tail.named_parameters() if p.requires_grad]
        late = [p for name, p in trained if name.startswith("late.")]
        others = [p for name, p in trained if not name.startswith("late.")]
        groups: list[dict[str, object]] = [{"params": others, "part": 1.0}]
        return [*groups, {"params": late, "part": self.recipe.late_rate}] if late else groups

    def learning_rate(self) -> float:
        """In each course linear warm-up, then a cosine to nothing: a function of the step alone."""
        course, step = divmod(self.step, self.per_course)
        highest = self.recipe.learning_rate / 2**course
        if step < WARM_UP:
            return highest * (step + 1) / WARM_UP
        done = (step - WARM_UP) / max(1, self.per_course - WARM_UP)
        return highest * (1 + math.cos(math.pi * done)) / 2

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
        rng = np.random.default_rng([1, self.step])  # by the step alone, so that a resumed run draws the same
        maps, chroma = self._part(maps, chroma, rng)
        for group in self.optimizer.param_groups:
            group["lr"] = group["part"] * self.learning_rate()
        loss = self.loss(maps, chroma, rng)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.tail.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._follow()
        return loss.item()

    def _part(self, maps: list[Tensor], chroma: Tensor, rng: np.random.Generator) -> tuple[list[Tensor], Tensor]:
        """A random part of the features and their chroma, which costs less; whole pictures at the end of a course."""
        side = self.recipe.crop
        if side is None or self.step % self.per_course >= (1 - WHOLE) * self.per_course:
            return maps, chroma
        top, left = rng.integers(0, self.recipe.grid - side + 1, 2)
        rows, columns = slice(top, top + side), slice(left, left + side)
        return [m[..., rows, columns] for m in maps], chroma[..., rows, columns]

    def loss(self, maps: list[Tensor], chroma: Tensor, rng: np.random.Generator | None) -> Tensor:
        """Of the tail on some pictures, with simulated hints if it takes any and there is a ``rng`` to draw them."""
        inputs: list[object] = [maps]
        if self.bins is not None:
            no_hints = chroma.new_zeros(len(chroma), 3, *chroma.shape[2:])
            inputs.append(no_hints if rng is None else simulate_hints(chroma, rng, self.recipe.hintless))
        with torch.autocast("cpu", torch.bfloat16):
            output = self.tail(*inputs)
        return self.objective(output, chroma)

    def _follow(self) -> None:
        """Let the running average follow; it starts fast, so that the first steps do not linger in it."""
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step)) if self.recipe.average else 0.0
        for name, value in self.tail.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def validate(self, cache: FeatureCache, *, hinted: bool = False) -> float:
        """Mean loss of the running average on held-out photographs, with or without simulated hints."""
        losses = []
        trained = {k: v.clone() for k, v in self.tail.state_dict().items()}
        self.tail.load_state_dict(self.average)
        rng = np.random.default_rng(0) if hinted else None
        for rows in np.array_split(np.arange(len(cache)), math.ceil(len(cache) / self.recipe.batch)):
            losses.append(len(rows) * self.loss(*cache.batch(rows), rng).item())
        self.tail.load_state_dict(trained)
        return sum(losses) / len(cache)

    def save(self, path: Path) -> None:
        """All of it, so that a run goes on as if it had not stopped."""
        tensors = {f"tail.{k}": v for k, v in self.tail.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        tensors |= checkpoint.pack_optimizer(self.optimizer)
        if self.bins is not None:
            tensors |= {"bins.centres": self.bins.centres, "bins.frequency": self.bins.frequency}
        facts = {"recipe": self.recipe.name, "count": self.count, "step": self.step, "history": self.history}
        checkpoint.save(path, tensors, facts)

    def resume(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        tensors, facts = checkpoint.load(path)
        self.tail.load_state_dict(_under("tail.", tensors))
        self.average = _under("average.", tensors)
        checkpoint.unpack_optimizer(self.optimizer, tensors)
        self.step, self.history = facts["step"], facts["history"]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def train(recipe: Recipe, encoder: Encoder, training: FeatureCache, validation: FeatureCache, run: Path) -> Trainer:
    """Train, or go on training, in the folder ``run``, where checkpoints, losses and their curves appear.

    A round ends every ``ROUND`` views: the losses are noted and a checkpoint is written.
    """
    run.mkdir(parents=True, exist_ok=True)
    bins = ColorBins.of(training.chroma) if recipe.uniform is not None else None
    trainer = Trainer(recipe, encoder, len(training), bins)
    latest = run / "checkpoint.safetensors"
    if latest.exists():
        trainer.resume(latest)
    print(f"{recipe.name}: {count_parameters(trainer.tail):,} parameters, {trainer.steps:,} steps", flush=True)
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
    """Write the losses of a round down, draw the curves, and keep the best so far."""
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
    encoder = load_encoder(recipe.encoder, args.encoder_weights)
    features = prepare(recipe, encoder, args.photographs, args.run / "features")
    train(recipe, encoder, *features, args.run)


if __name__ == "__main__":
    main()
