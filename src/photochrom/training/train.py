"""The training loop, to be read from top to bottom.

A training step is followed through eight files: ``recipes.py`` (the numbers), this one, ``data/batches.py`` and
``data/feature_cache.py`` (where batches come from; ``preparation.py`` chooses between them),
``data/simulated_hints.py``, ``networks/colorization.py`` and ``networks/decoder.py`` (what is trained), and
``networks/losses.py`` (what is minimised).

The encoder's backbone is frozen, and its features are usually cached. The head is trained: the decoder, and with the
default recipe also the encoder's later stages. A run can be stopped at any time; resumed from its last checkpoint, it
reaches the same losses. ``pipeline.py`` calls this loop, and does everything before and after it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from ..errors import TrainingError
from . import checkpoint
from .data.batches import Batch, Batches
from .data.simulated_hints import simulate_hints
from .forecast import Clock, Costs, Forecast, Kind, duration
from .memory import explain_memory_errors
from .networks.colorization import ColorizationHead
from .networks.encoders import constant_maps
from .networks.losses import ColorBins, Objective, build_objective
from .recipes import Recipe
from .schedule import Schedule
from .stopping import Stopped, stopping

WARM_UP = 200  # steps; at most a tenth of a cycle
STRETCH = 200  # steps per stretch of views; a stretch is repeated before the next one begins
_STRIDES = (8, 16, 32)  # of the features that a ColorizationHead takes
_COARSEST = 4  # cells at stride 8 along one side of a cell at stride 32
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps [{elapsed}{postfix}]"


class Log(Protocol):
    """Receiver of a run's progress; see ``run_folder.RunLog``."""

    def note(self, row: dict[str, float], left: float) -> None:
        """Record the losses of a round and the remaining seconds, and write a checkpoint."""

    def save(self) -> None:
        """Write a checkpoint."""


def fit(
    trainer: Trainer,
    training: Batches,
    validation: Batches,
    log: Log | None,
    minutes: float,
    patience: int,
    costs: Costs | None = None,
) -> None:
    """Train to the last step, or until the held-out loss no longer improves.

    Args:
        trainer: The trainer, at any step.
        training: Batches to learn from.
        validation: Held-out views.
        log: Called after each round; None in all processes except the first.
        minutes: Maximum time between two checkpoints.
        patience: Number of rounds without a better held-out loss after which the run ends; 0 for no early stopping.
        costs: Costs measured by the estimate, for the forecast of the remaining time; None for a rough guess.

    Raises:
        TrainingError: The loss is not a number, the encoder's features no longer depend on the picture, the disk is
            full, or the memory is too small; the last checkpoint is kept.
        Stopped: A signal arrived; a checkpoint is written.
    """
    per_round = trainer.schedule.steps_per_round
    hidden = None if log else True  # None: hidden unless the output is a terminal
    bar = tqdm(desc="training", total=trainer.steps, initial=trainer.step, unit="step", disable=hidden, bar_format=_BAR)
    forecast = Forecast(trainer.schedule.guessed_costs(len(validation)) if costs is None else costs)
    clock, batches = Clock(), training.stream(trainer.rows())
    with explain_memory_errors(), stopping() as signal_number, bar, closing(batches):
        blind = trainer.constant_strides(validation)  # of the initial model
        for batch in clock.timed(batches):
            # Early stopping comes before the step, because a resumed run may already have ended.
            if 0 < patience <= trainer.rounds_without_gain:
                break

            # One step: crop, hints, loss, gradient, learning rate, AdamW, EMA.
            kind: Kind = "whole" if trainer.schedule.sees_whole_pictures(trainer.step) else "crop"
            loss = trainer.update(training, batch)
            forecast.measured(kind, clock.since_last())
            left = duration(forecast.left(trainer.schedule.left(trainer.step)))
            bar.set_postfix_str(f"about {left} left, loss {loss:.3f}", refresh=False)
            bar.update()
            stop = trainer.max_over_processes(signal_number())

            # Validation of the EMA weights, once a round; the log writes a checkpoint with it.
            if trainer.step % per_round == 0 or trainer.step == trainer.steps:
                row = {"epoch": trainer.step / trainer.steps_per_epoch, "training": float(np.mean(trainer.losses))}
                trainer.check_features(validation, blind)
                row |= {"validation": trainer.validate(validation)} | clock.lap()
                trainer.history.append(row)
                trainer.losses.clear()
                if log:
                    log.note(row, forecast.left(trainer.schedule.left(trainer.step)))
                    clock.saved()
                forecast.measured("round", clock.since_last())

            # Checkpoints in between.
            elif log and (stop or clock.since_saved() > 60 * minutes):
                log.save()
                clock.saved()
            if stop:
                raise Stopped(f"stopped at step {trainer.step:,} of {trainer.steps:,}", 128 + stop)


class Trainer:
    """The state of training: head, EMA, optimizer, step, and losses so far.

    Several processes may train together, each with its own batch. Their steps equal those of one process with all
    batches combined.

    Args:
        fabric: Launched Fabric; see ``processes.launch``.
        recipe: Recipe of the run.
        head: The network to train, moved to the fabric's device.
        bins: Bins of the head; None for squared error on a*b*.
        count: Number of training views.
        conditions: Further conditions, by name, that must be equal in a resumed run.
    """

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        head: nn.Module,
        bins: ColorBins | None,
        count: int,
        conditions: Mapping[str, object] | None = None,
    ) -> None:
        self.fabric, self.recipe, self.bins, self.count = fabric, recipe, bins, count
        self.conditions = asdict(recipe) | dict(conditions or {})
        self.schedule = Schedule(recipe, count, fabric.world_size)
        self.batch, self.steps, self.steps_per_epoch = (
            self.schedule.batch,
            self.schedule.steps,
            self.schedule.steps_per_epoch,
        )
        if recipe.stages_rate == 0 and isinstance(head, ColorizationHead):
            head.stages.requires_grad_(False)
        self.head = fabric.to_device(head).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = {k: v.clone() for k, v in self.head.state_dict().items()}
        self.objective: Objective = build_objective(recipe, bins, fabric.autocast, fabric.device)
        optimizer = torch.optim.AdamW(self._parameter_groups(), weight_decay=recipe.weight_decay)
        self.model, self.optimizer = fabric.setup(self.head, optimizer)
        self.step = 0
        self.losses: list[float] = []
        """Losses of the steps since the last row of the history."""
        self.history: list[dict[str, float]] = []
        """One row per round: epoch, training and validation loss, seconds, seconds waited for data."""

    def _parameter_groups(self) -> list[dict[str, object]]:
        """Return the trained parameters in groups, each with its learning rate relative to the decoder's."""
        trained = [(name, p) for name, p in self.head.named_parameters() if p.requires_grad]
        stages = [p for name, p in trained if name.startswith("stages.")]
        decoder = [p for name, p in trained if not name.startswith("stages.")]
        groups: list[dict[str, object]] = [{"params": decoder, "part": 1.0}]
        return [*groups, {"params": stages, "part": self.recipe.stages_rate}] if stages else groups

    def rows(self) -> Iterator[np.ndarray]:
        """Yield this process's rows of each remaining batch, int ``[batch]``.

        Every view comes once per epoch, in an order determined by the recipe's seed and the number of the epoch. With
        repeats, the epoch's order is cut into stretches, and each is passed several times in a new order before the
        next. An epoch then has the same number of steps, but does not contain every view. With stretches of 200 steps
        and 3 passes, for example, step 1,250 is batch 50 of the first pass through the third stretch.
        """
        order, ordered = np.empty(0, np.intp), None
        length, passes = self._stretch()
        for step in range(self.step, self.steps):
            visited, in_stretch = divmod(step, length * passes)
            epoch, stretch = divmod(visited, self.steps_per_epoch // length)
            pass_number, position = divmod(in_stretch, length)
            if (epoch, stretch, pass_number) != ordered:
                order, ordered = self._order(epoch, stretch, pass_number), (epoch, stretch, pass_number)
            rows = np.sort(order[position * self.batch : (position + 1) * self.batch])
            yield rows[self.fabric.global_rank :: self.fabric.world_size]

    def _stretch(self) -> tuple[int, int]:
        """Return the number of steps per pass through a stretch of views, and the number of passes."""
        if self.recipe.repeats == 1:
            return self.steps_per_epoch, 1
        return min(self.steps_per_epoch, STRETCH), self.recipe.repeats

    def _order(self, epoch: int, stretch: int, pass_number: int) -> np.ndarray:
        """Return the views of one pass through a stretch, in the order of the steps."""
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.count)
        length, repeats = self._stretch()
        if repeats == 1:
            return order
        views = order[stretch * length * self.batch : (stretch + 1) * length * self.batch]
        return np.random.default_rng([self.recipe.seed, epoch, stretch, pass_number]).permutation(views)

    def update(self, source: Batches, batch: Batch) -> float:
        """Make one step of gradient descent.

        Returns:
            The mean loss over all processes.

        Raises:
            TrainingError: The loss is not a number; nothing was changed.
        """
        # Crop, and hints drawn from the true colours; on the CPU, because each small operation is slow on a GPU.
        crop = self.draw_crop()
        chroma, lightness = crop(batch.chroma), crop(batch.lightness)  # [N, 2, g, g], [N, 1, cell g, cell g]
        hints = self._hints(chroma, self.step)  # [[N, 3, g, g]], or [] for a head without hints
        inputs, chroma, lightness, hints = self.fabric.to_device((batch.inputs, chroma, lightness, hints))

        # Features are cropped, not the picture, since the encoder would see the crop's edges as edges of the picture.
        with self.fabric.autocast():
            maps = [crop(m.float()) for m in source.maps(inputs)]  # [N, C, g, g] at stride 8

        # The K losses are weighted so that the mean over processes equals that of one large batch.
        losses, weights = self.objective(self.model(maps, *hints), chroma, lightness)  # [K] both
        loss = (losses * (weights / self.mean_over_processes(weights))).sum()  # []

        # Gradient, clipped to norm 1.
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
        mean_loss = self.mean_over_processes(loss.detach()).item()  # waits for the GPU, so it comes after the gradient
        if not math.isfinite(mean_loss + norm.item()):
            raise TrainingError(
                f"the loss is not a number at step {self.step + 1:,}, and the last checkpoint is kept",
                remedy=f"start another run from this one with a learning rate below {self.recipe.learning_rate:g}",
            )

        # AdamW step, then EMA.
        for group in self.optimizer.param_groups:
            group["lr"] = group["part"] * self.learning_rate()
        self.optimizer.step()
        self.step += 1
        self.update_ema()
        self.losses.append(mean_loss)
        return mean_loss

    def draw_crop(self) -> Callable[[Tensor], Tensor]:
        """Return this step's crop function for maps ``[..., s grid, s grid]`` of any scale s; none at a cycle's end."""
        side, grid = self.recipe.crop, self.recipe.grid
        if side is None or self.schedule.sees_whole_pictures(self.step):
            return lambda x: x
        # Seeded by the step, so that a resumed run draws the same crop.
        rng = np.random.default_rng([self.recipe.seed, 1, self.step])
        step = _COARSEST if self.recipe.stages_rate == 0 else 1  # features at stride 32 are cropped, too
        top, left = step * rng.integers(0, (grid - side) // step + 1, 2)

        def crop(x: Tensor) -> Tensor:
            rows, columns = (slice(at * x.shape[-1] // grid, (at + side) * x.shape[-1] // grid) for at in (top, left))
            return x[..., rows, columns]

        return crop

    def _hints(self, chroma: Tensor, step: int | None) -> list[Tensor]:
        """Return simulated hints of a step, or planes without hints for None; an empty list for heads without hints."""
        if self.bins is None:
            return []
        if step is None:
            return [chroma.new_zeros(len(chroma), 3, *chroma.shape[2:])]
        places = range(self.fabric.global_rank, self.batch, self.fabric.world_size)
        seeds = [[self.recipe.seed, 2, step, place] for place in places]
        return [simulate_hints(chroma, seeds, self.recipe.hintless)]

    def learning_rate(self) -> float:
        """Return the learning rate of this step: in each cycle a linear warm-up, then a cosine to zero.

        Each cycle starts at half the rate of the one before.
        """
        cycle, step = divmod(self.step, self.schedule.steps_per_cycle)
        warm_up = min(WARM_UP, math.ceil(self.schedule.steps_per_cycle / 10))
        highest = self.recipe.learning_rate / 2**cycle
        if step < warm_up:
            return highest * (step + 1) / warm_up
        done = (step - warm_up) / max(1, self.schedule.steps_per_cycle - warm_up)
        return highest * (1 + math.cos(math.pi * done)) / 2

    def update_ema(self) -> None:
        """Update the moving average of the weights; faster in the first steps, which are soon forgotten."""
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step)) if self.recipe.ema_decay else 0.0
        for name, value in self.head.state_dict().items():
            self.ema[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def validate(self, source: Batches) -> float:
        """Return the mean loss of the EMA weights on all rows, without hints."""
        total = torch.zeros(2, 1, device=self.fabric.device)  # grows to [2, K]
        rows = np.arange(self.fabric.global_rank, len(source), self.fabric.world_size)
        for start in range(0, len(rows), self.recipe.batch):
            batch = source.batch(rows[start : start + self.recipe.batch])
            inputs, chroma, lightness = self.fabric.to_device(batch)
            with self.fabric.autocast():
                arguments = (source.maps(inputs), *self._hints(chroma, None))
                output = torch.func.functional_call(self.head, self.ema, arguments)
            losses, weights = self.objective(output, chroma, lightness)  # [K] both
            total = total + torch.stack([losses * weights, weights])
        # A process without rows does not know K.
        losses, weights = self.mean_over_processes(total + total.new_zeros(2, self.max_over_processes(total.shape[1])))
        return (losses / weights).sum().item()

    @torch.no_grad()
    def constant_strides(self, source: Batches) -> set[int]:
        """Return the strides at which the encoder's features are the same for all held-out pictures."""
        rows = np.arange(min(len(source), self.recipe.batch))
        if len(rows) < 2 or not isinstance(self.head, ColorizationHead):
            return set()
        with self.fabric.autocast():
            maps = self.head.features(source.maps(self.fabric.to_device(source.batch(rows).inputs)))
        return {_STRIDES[i] for i in constant_maps([m.float() for m in maps])}

    def check_features(self, source: Batches, known: set[int]) -> None:
        """Check that training has not made the encoder's features independent of the picture.

        Args:
            source: Held-out views.
            known: Strides at which the initial model's features were already constant.

        Raises:
            TrainingError: The features have become the same for all held-out pictures at some stride.
        """
        if constant := self.constant_strides(source) - known:
            raise TrainingError(
                f"the encoder's features at stride {min(constant)} have become the same for all pictures at step "
                f"{self.step:,}, and the last checkpoint is kept",
                remedy=f"start another run with a learning rate below {self.recipe.learning_rate:g}",
            )

    @property
    def best(self) -> dict[str, float]:
        """First row of the history that has the lowest held-out loss."""
        return min(self.history, key=lambda row: row["validation"])

    @property
    def rounds_without_gain(self) -> int:
        """Number of rounds since the held-out loss last improved; equal in a resumed run and in all processes."""
        return len(self.history) - 1 - self.history.index(self.best) if self.history else 0

    def mean_over_processes(self, value: Tensor) -> Tensor:
        """Return the mean of the processes' tensors."""
        if self.fabric.world_size == 1:
            return value
        return self.fabric.all_reduce(value.clone(), reduce_op="mean")  # type: ignore[return-value]  # works in place

    def max_over_processes(self, number: int) -> int:
        """Return the maximum of the processes' numbers, so that all stop at the same step."""
        if self.fabric.world_size == 1:
            return number
        return int(self.fabric.all_reduce(torch.tensor(number, device=self.fabric.device), reduce_op="max"))  # type: ignore[arg-type]

    def ema_head(self) -> nn.Module:
        """Return a copy of the head with the EMA weights, on the CPU."""
        head = copy.deepcopy(self.head).cpu()
        head.load_state_dict(self.ema)
        return head.eval()

    def save(self, path: Path) -> None:
        """Write a checkpoint with everything that a resumed run needs."""
        tensors = {f"head.{k}": v for k, v in self.head.state_dict().items()}
        tensors |= checkpoint.pack_optimizer(self.optimizer)
        checkpoint.save(path, tensors | self._result(), self._facts() | {"losses": self.losses})

    def save_result(self, path: Path) -> None:
        """Write a checkpoint with only the EMA weights, from which a model is exported."""
        checkpoint.save(path, self._result(), self._facts())

    def _result(self) -> dict[str, Tensor]:
        bins = {} if self.bins is None else {"bins.centres": self.bins.centres, "bins.frequency": self.bins.frequency}
        return {f"ema.{k}": v for k, v in self.ema.items()} | bins

    def _facts(self) -> dict[str, Any]:
        facts = {"recipe": asdict(self.recipe), "count": self.count, "conditions": self.conditions}
        return facts | {"step": self.step, "history": self.history}

    def resume(self, path: Path) -> None:
        """Restore the state from a checkpoint written by ``save``.

        Raises:
            TrainingError: The checkpoint belongs to a run with other options, photographs or architecture.
        """
        tensors, facts = checkpoint.load(path)
        checkpoint.check_conditions(path, facts, self.conditions)
        try:
            self.head.load_state_dict(checkpoint.under("head.", tensors))
            self.ema = {k: self.fabric.to_device(v) for k, v in checkpoint.under("ema.", tensors).items()}
            checkpoint.unpack_optimizer(self.optimizer, tensors)
        except (RuntimeError, KeyError, ValueError) as exc:
            raise TrainingError(f"{path} holds another architecture", remedy="train in another folder") from exc
        self.step, self.history, self.losses = facts["step"], facts["history"], facts["losses"]
