"""All that changes while training, and one step of it. ``train`` is the loop around it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ..errors import TrainingError
from . import checkpoint
from .data.batches import Batch, Batches
from .data.simulated_hints import simulate_hints
from .networks.encoders import Encoder
from .networks.losses import ColorBins, Objective
from .recipes import Recipe, build_objective, build_tail

WARM_UP = 200  # steps, or a tenth of a short run's
WHOLE = 0.2  # share of a course's steps, at its end, that see whole pictures


class Trainer:
    """The tail, its running average, optimizer, step, and the losses so far.

    Several processes may train together, each with a batch of its own: together they make the steps that one process
    would make with all of these batches as one.
    """

    def __init__(self, fabric: Fabric, recipe: Recipe, tail: nn.Module, bins: ColorBins | None, count: int) -> None:
        self.fabric, self.recipe, self.bins, self.count = fabric, recipe, bins, count
        self.batch = recipe.batch * fabric.world_size
        self.per_epoch = count // self.batch
        self.steps = max(1, round(recipe.epochs * self.per_epoch))
        self.per_course = math.ceil(self.steps / recipe.courses)
        self.tail = fabric.to_device(tail).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {k: v.clone() for k, v in self.tail.state_dict().items()}
        self.objective: Objective = build_objective(recipe, bins, fabric)
        optimizer = torch.optim.AdamW(self._groups(), weight_decay=recipe.weight_decay)
        self.model, self.optimizer = fabric.setup(self.tail, optimizer)
        self.photographs = ""
        """What they are, see ``fingerprint``; empty where it is not known. A run goes on with the same only."""
        self.step = 0
        self.losses: list[float] = []
        """Of the steps since the last row of the history."""
        self.history: list[dict[str, float]] = []

    @property
    def best(self) -> dict[str, float]:
        """The first row of the history with the least held-out loss."""
        return min(self.history, key=lambda row: row["validation"])

    @property
    def fruitless(self) -> int:
        """Rounds since the held-out loss last got better: the same in a resumed run, and in all processes."""
        return len(self.history) - 1 - self.history.index(self.best) if self.history else 0

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
        warm_up = min(WARM_UP, math.ceil(self.per_course / 10))
        highest = self.recipe.learning_rate / 2**course
        if step < warm_up:
            return highest * (step + 1) / warm_up
        done = (step - warm_up) / max(1, self.per_course - warm_up)
        return highest * (1 + math.cos(math.pi * done)) / 2

    def rows(self) -> Iterator[np.ndarray]:
        """This process' rows of each batch to come: every view once an epoch, in an order fixed by its number."""
        order, of_epoch = np.empty(0, np.intp), -1
        for step in range(self.step, self.steps):
            epoch, batch = divmod(step, self.per_epoch)
            if epoch != of_epoch:
                order, of_epoch = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.count), epoch
            rows = np.sort(order[batch * self.batch : (batch + 1) * self.batch])
            yield rows[self.fabric.global_rank :: self.fabric.world_size]

    def update(self, source: Batches, batch: Batch) -> float:
        """One step of gradient descent; the loss over all processes.

        Raises:
            TrainingError: it is not a number; nothing was changed.
        """
        part = self._part()
        chroma, lightness = part(batch.chroma), part(batch.lightness)
        hints = self._hints(chroma, self.step)  # before anything is on a GPU, where each small thing is slow
        inputs, chroma, lightness, hints = self.fabric.to_device((batch.inputs, chroma, lightness, hints))
        with self.fabric.autocast():
            # The part is cut out of the features: at its edges the encoder would else see the end of a picture.
            maps = [part(m.float()) for m in source.maps(inputs)]
        losses, weights = self.objective(self.model(maps, *hints), chroma, lightness)
        loss = (losses * (weights / self._mean(weights))).sum()
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.tail.parameters(), 1.0)
        found = self._mean(loss.detach()).item()
        if not math.isfinite(found + norm.item()):
            raise TrainingError(
                f"the loss is no number at step {self.step + 1:,}, the last checkpoint is kept: use another folder, "
                f"--from this one, with a --learning-rate below {self.recipe.learning_rate:g}"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = group["part"] * self.learning_rate()
        self.optimizer.step()
        self.step += 1
        self._follow()
        self.losses.append(found)
        return found

    def _mean(self, value: Tensor) -> Tensor:
        """Over the processes."""
        if self.fabric.world_size == 1:
            return value
        return self.fabric.all_reduce(value.clone(), reduce_op="mean")  # type: ignore[return-value]  # works in place

    def agreed(self, number: int) -> int:
        """The highest of the processes' numbers, so that all stop at the same step."""
        if self.fabric.world_size == 1:
            return number
        return int(self.fabric.all_reduce(torch.tensor(number, device=self.fabric.device), reduce_op="max"))  # type: ignore[arg-type]

    def _part(self) -> Callable[[Tensor], Tensor]:
        """Cuts the step's part out of what is known of each view; whole pictures at the end of a course."""
        side, grid = self.recipe.crop, self.recipe.grid
        if side is None or self.step % self.per_course >= (1 - WHOLE) * self.per_course:
            return lambda x: x
        # By the step alone, so that a resumed run draws the same.
        rng = np.random.default_rng([self.recipe.seed, 1, self.step])
        top, left = rng.integers(0, grid - side + 1, 2)

        def part(x: Tensor) -> Tensor:
            scale = x.shape[-1] // grid
            return x[..., scale * top : scale * (top + side), scale * left : scale * (left + side)]

        return part

    def _hints(self, chroma: Tensor, step: int | None) -> list[Tensor]:
        """Hints as the tail takes them, none if it does not; those that are drawn for a step, or no colours."""
        if self.bins is None:
            return []
        if step is None:
            return [chroma.new_zeros(len(chroma), 3, *chroma.shape[2:])]
        places = range(self.fabric.global_rank, self.batch, self.fabric.world_size)
        seeds = [[self.recipe.seed, 2, step, place] for place in places]
        return [simulate_hints(chroma, seeds, self.recipe.hintless)]

    def _follow(self) -> None:
        """Let the running average follow; it starts fast, so that the first steps do not linger in it."""
        decay = min(self.recipe.average, (1 + self.step) / (10 + self.step)) if self.recipe.average else 0.0
        for name, value in self.tail.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def validate(self, source: Batches) -> float:
        """Mean loss of the running average on held-out photographs, without hints."""
        total = torch.zeros(2, 1, device=self.fabric.device)  # grows to [2, K]
        rows = np.arange(self.fabric.global_rank, len(source), self.fabric.world_size)
        for start in range(0, len(rows), self.recipe.batch):
            batch = source.batch(rows[start : start + self.recipe.batch])
            inputs, chroma, lightness = self.fabric.to_device(batch)
            with self.fabric.autocast():
                entered = (source.maps(inputs), *self._hints(chroma, None))
                output = torch.func.functional_call(self.tail, self.average, entered)
            losses, weights = self.objective(output, chroma, lightness)
            total = total + torch.stack([losses * weights, weights])
        # A process without rows has not learnt how many losses there are.
        losses, weights = self._mean(total + total.new_zeros(2, self.agreed(total.shape[1])))
        return (losses / weights).sum().item()

    def averaged(self) -> nn.Module:
        """The tail with the running average of its weights, on the processor."""
        tail = copy.deepcopy(self.tail).cpu()
        tail.load_state_dict(self.average)
        return tail.eval()

    def save(self, path: Path) -> None:
        """All of it, so that a run goes on as if it had not stopped."""
        tensors = {f"tail.{k}": v for k, v in self.tail.state_dict().items()}
        tensors |= checkpoint.pack_optimizer(self.optimizer)
        checkpoint.save(path, tensors | self._result(), self._facts() | {"losses": self.losses})

    def save_result(self, path: Path) -> None:
        """What a model is made of: the running average."""
        checkpoint.save(path, self._result(), self._facts())

    def _result(self) -> dict[str, Tensor]:
        bins = {} if self.bins is None else {"bins.centres": self.bins.centres, "bins.frequency": self.bins.frequency}
        return {f"average.{k}": v for k, v in self.average.items()} | bins

    def _facts(self) -> dict[str, Any]:
        facts = {"recipe": asdict(self.recipe), "count": self.count, "photographs": self.photographs}
        return facts | {"step": self.step, "history": self.history}

    def resume(self, path: Path) -> None:
        """Go on from what ``save`` wrote.

        Raises:
            TrainingError: it is of another run: other options, other photographs, another architecture.
        """
        tensors, facts = checkpoint.load(path)
        then, now = facts["recipe"], asdict(self.recipe)
        if then != now or (facts["count"], facts["photographs"]) != (self.count, self.photographs):
            other = [k for k in now if then.get(k) != now[k]] or ["set of photographs"]
            raise TrainingError(f"{path} is of a run with another {', '.join(other)}: give the same, or another folder")
        try:
            self.tail.load_state_dict(checkpoint.under("tail.", tensors))
            self.average = {k: self.fabric.to_device(v) for k, v in checkpoint.under("average.", tensors).items()}
            checkpoint.unpack_optimizer(self.optimizer, tensors)
        except (RuntimeError, KeyError, ValueError) as exc:
            raise TrainingError(f"{path} is of another architecture: train in another folder") from exc
        self.step, self.history, self.losses = facts["step"], facts["history"], facts["losses"]


def new_tail(encoder: Encoder, bins: ColorBins | None) -> nn.Module:
    """A tail with an untrained decoder, the same every time."""
    torch.manual_seed(0)
    return build_tail(encoder, bins)
