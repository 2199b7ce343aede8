"""The training loop: steps, validation, early stopping and checkpoints. Read it from top to bottom.

One training step passes through these files: ``recipes.py`` and ``schedule.py`` (the hyperparameters, and the numbers
that follow from them), this file, ``data/batches.py`` or ``data/feature_cache.py`` (the source of batches, which
``preparation.py`` chooses), ``data/simulated_hints.py``, ``networks/colorization.py``, ``networks/encoders.py`` and
``networks/decoder.py`` (the network), ``networks/losses.py``, ``networks/annealed_mean.py`` and
``networks/perceptual_loss.py`` (the loss), and ``steps.py`` (the gradient and the weights).

The encoder's backbone is frozen, and its features are usually cached. The head is trained: the decoder and, with the
default recipe, the encoder's later stages. A run can be stopped at any time; resumed from its last checkpoint, it
reaches the same losses. ``pipeline.py`` calls ``fit``, and does everything before and after it.
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
from ..signals import stopping
from . import checkpoint
from .data.batches import Batch
from .data.feature_cache import Batches
from .data.simulated_hints import simulate_hints
from .memory import explain_memory_errors
from .networks.colorization import ColorizationHead
from .networks.encoders import constant_maps
from .networks.losses import ColorBins, Objective, build_objective
from .recipes import Recipe
from .remaining_time import Clock, Costs, Forecast, Kind, duration
from .schedule import Schedule
from .steps import change_weights, compute_gradient
from .stop_signals import SIGNALS, Stopped

_STRIDES = (8, 16, 32)  # strides of the feature maps that ``ColorizationHead.features`` returns
_COARSEST = 4  # side of a cell at stride 32, in cells at stride 8
_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps [{elapsed}{postfix}]"


class Log(Protocol):
    """Receiver of a run's progress; see ``run_folder.RunLog``."""

    def note(self, row: dict[str, float], seconds_left: float) -> None:
        """Record a round's row of the history and the remaining seconds, and write a checkpoint."""

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
        trainer: The trainer, at its first step or resumed.
        training: Source of the views to train on.
        validation: Source of the held-out views.
        log: Receives the progress and writes checkpoints; None in all processes except the first.
        minutes: Maximum minutes between two checkpoints.
        patience: Number of rounds without a better held-out loss after which the run ends; 0 for no early stopping.
        costs: Measured costs of steps and rounds, to forecast the remaining time; None to guess them.

    Raises:
        TrainingError: The loss is not a number, the encoder's features no longer depend on the picture, a photograph
            cannot be read or decoded, a file cannot be written, or the memory is too small; the last checkpoint is
            kept.
        Stopped: A signal arrived; a checkpoint was written.
        KeyboardInterrupt: Ctrl+C was pressed again before the run could stop.
    """
    schedule = trainer.schedule
    hidden = None if log else True  # None hides the bar unless the output is a terminal
    bar = tqdm(desc="training", total=trainer.steps, initial=trainer.step, unit="step", disable=hidden, bar_format=_BAR)
    forecast = Forecast(schedule.guessed_costs(len(validation)) if costs is None else costs)
    clock, batches = Clock(), training.stream(trainer.view_indices())
    with explain_memory_errors(), stopping(*SIGNALS) as signal_number, bar, closing(batches):
        for batch in clock.timed(batches):
            # Early stopping comes before the step, because a resumed run may already have ended.
            if 0 < patience <= trainer.rounds_without_gain:
                break

            # One step: crop, hints, loss, gradient, learning rate, AdamW, EMA.
            kind: Kind = "whole" if schedule.sees_whole_pictures(trainer.step) else "crop"
            loss = trainer.update(training, batch)
            forecast.measured(kind, clock.since_last())
            seconds_left = forecast.seconds_left(schedule.remaining(trainer.step))
            bar.set_postfix_str(f"about {duration(seconds_left)} left, loss {loss:.3f}", refresh=False)
            bar.update()
            stop = trainer.max_over_processes(signal_number())  # so that all processes stop at the same step

            # At the end of a round: validation of the EMA weights, and a checkpoint, which the log writes.
            if trainer.step % schedule.steps_per_round == 0 or trainer.step == trainer.steps:
                row = {"epoch": trainer.step / trainer.steps_per_epoch, "training": float(np.mean(trainer.losses))}
                trainer.check_features(validation)
                row |= {"validation": trainer.validate(validation)} | clock.lap()
                trainer.history.append(row)
                trainer.losses.clear()
                if log:
                    log.note(row, seconds_left)
                    clock.saved()
                forecast.measured("round", clock.since_last())

            # Within a round: a checkpoint every few minutes, and before stopping.
            elif log and (stop or clock.since_saved() > 60 * minutes):
                log.save()
                clock.saved()
            if stop:
                raise Stopped(trainer.step, trainer.steps, stop)


class Trainer:
    """Trains a head step by step, and holds the state: weights, EMA, optimizer, step, and losses so far.

    Several processes may train together, each with its own batch. Each step then equals that of one process with all
    batches combined.

    Args:
        fabric: Launched Fabric; see ``processes.launch``.
        recipe: Recipe of the run.
        head: The network to train; it is moved to the fabric's device.
        bins: Bins of the head; None for squared error on a*b*.
        count: Number of training views.
        conditions: Facts by name that must be equal in a resumed run, besides the recipe.
        backbone: Weights of the encoder's backbone by name, which checkpoints hold; see ``stored_weights``.

    Raises:
        TrainingError: The weights of a network in the perceptual loss are not installed.
    """

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        head: nn.Module,
        bins: ColorBins | None,
        count: int,
        conditions: Mapping[str, object] | None = None,
        backbone: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.backbone = dict(backbone or {})
        self.fabric, self.recipe, self.bins = fabric, recipe, bins
        self.conditions = asdict(recipe) | dict(conditions or {})
        self.schedule = Schedule(recipe, count, fabric.world_size)
        self.steps, self.steps_per_epoch = self.schedule.steps, self.schedule.steps_per_epoch
        if recipe.stages_rate == 0 and isinstance(head, ColorizationHead):
            head.stages.requires_grad_(False)
        self.head = fabric.to_device(head).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = {k: v.clone() for k, v in self.head.state_dict().items()}
        self.objective: Objective = build_objective(recipe, bins, fabric.autocast, fabric.device)
        optimizer = torch.optim.AdamW(self._parameter_groups())
        self.model, self.optimizer = fabric.setup(self.head, optimizer)
        self.step = 0
        self.losses: list[float] = []
        """Losses of the steps since the last row of the history."""
        self.history: list[dict[str, float]] = []
        """One row per round: epoch, training and validation loss, seconds, and seconds spent waiting for data."""

    def _parameter_groups(self) -> list[dict[str, object]]:
        """Return the trained parameters in groups, each with its weight decay and its rate relative to the decoder's.

        Biases, norms and the colour queries do not decay: biases hold folded batch norms and the logarithms of class
        weights, for which 0 is not a neutral value. (The published models were trained with decay of all parameters.)
        """
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for name, p in self.head.named_parameters():
            if p.requires_grad:
                rate = self.recipe.stages_rate if name.startswith("stages.") else 1.0
                decays = p.ndim > 1 and not name.endswith("queries.embedding")
                groups.setdefault((rate, self.recipe.weight_decay if decays else 0.0), []).append(p)
        return [{"params": ps, "relative_rate": rate, "weight_decay": decay} for (rate, decay), ps in groups.items()]

    def view_indices(self) -> Iterator[np.ndarray]:
        """Yield, for each remaining step, the indices of this process's views; see ``Schedule.view_indices``."""
        return self.schedule.view_indices(self.step, self.fabric.global_rank)

    def update(self, source: Batches, batch: Batch) -> float:
        """Make one training step: crop, hints, loss, gradient, AdamW, EMA.

        Args:
            source: Where the batch comes from; it computes the features of the backbone.
            batch: This process's views, with their true colours.

        Returns:
            The mean loss over all processes.

        Raises:
            TrainingError: The loss is not a number; the weights were not changed.
        """
        # Crop the targets, and simulate hints: on the CPU, because each of these small operations is slow on a GPU.
        crop = self.draw_crop()
        chroma = crop(batch.chroma)  # [N, 2, g, g], g the side of the crop
        small_lightness = crop(batch.small_lightness)  # [N, 1, cell * g, cell * g]
        hints = self._hints(chroma, self.step)  # [[N, 3, g, g]], or [] for a head without hints
        on_device = self.fabric.to_device((batch.inputs, chroma, small_lightness, hints))
        inputs, chroma, small_lightness, hints = on_device

        # Crop the features, not the picture, since the encoder would see the crop's edges as edges of the picture.
        with self.fabric.autocast():
            features = [crop(f.float()) for f in source.backbone_features(inputs)]  # [[N, C, g, g], ...] by stride

        # Weight the K terms of the loss so that their mean over processes equals that of one large batch.
        output = self.model(features, *hints)  # logits [N, bins, g, g], or a*b* [N, 2, h, w]
        losses, weights = self.objective(output, chroma, small_lightness)  # [K] both
        loss = (losses * (weights / self.mean_over_processes(weights))).sum()  # scalar

        # Gradient, clipped to norm 1.
        norm = compute_gradient(self.fabric, self.head, self.optimizer, loss)
        mean_loss = self.mean_over_processes(loss.detach()).item()  # waits for the GPU, so it comes after the gradient
        if not math.isfinite(mean_loss + norm.item()):
            again = "another run from this one" if self.history else "again in another folder,"  # no best weights yet
            raise TrainingError(
                f"the loss is not a number at step {self.step + 1:,}",
                remedy=f"start {again} with a learning rate below {self.recipe.learning_rate:g}",
            )

        # AdamW step, then EMA.
        rate = self.schedule.learning_rate(self.step)
        self.step += 1
        change_weights(self.head, self.optimizer, self.ema, rate, self.recipe.ema_decay, self.step)
        self.losses.append(mean_loss)
        return mean_loss

    def draw_crop(self) -> Callable[[Tensor], Tensor]:
        """Draw this step's crop, and return a function that cuts it out of tensors of any resolution.

        The function takes a tensor ``[..., S, S]`` that covers the whole picture, and returns it unchanged if the step
        sees whole pictures.
        """
        side, grid = self.recipe.crop, self.recipe.grid
        if side is None or self.schedule.sees_whole_pictures(self.step):
            return lambda x: x
        # Seeded by the step, so that a resumed run draws the same crop.
        rng = np.random.default_rng([self.recipe.seed, 1, self.step])
        unit = _COARSEST if self.recipe.stages_rate == 0 else 1  # frozen stages: features at stride 32 are cropped, too
        top, left = unit * rng.integers(0, (grid - side) // unit + 1, 2)

        def crop(x: Tensor) -> Tensor:
            rows, columns = (slice(at * x.shape[-1] // grid, (at + side) * x.shape[-1] // grid) for at in (top, left))
            return x[..., rows, columns]

        return crop

    def _hints(self, chroma: Tensor, step: int | None) -> list[Tensor]:
        """Return the head's hints as a list of one tensor ``[N, 3, h, w]``; an empty list for a head without hints.

        They are simulated from the true chroma ``[N, 2, h, w]``; without a step, the tensor contains no hints.
        """
        if self.bins is None:
            return []
        if step is None:
            return [chroma.new_zeros(len(chroma), 3, *chroma.shape[2:])]
        positions = range(self.fabric.global_rank, self.schedule.views_per_step, self.fabric.world_size)
        seeds = [[self.recipe.seed, 2, step, position] for position in positions[: len(chroma)]]
        return [simulate_hints(chroma, seeds, self.recipe.hintless)]

    @torch.no_grad()
    def validate(self, source: Batches) -> float:
        """Return the mean loss of the EMA weights over all views of a source, without hints.

        Raises:
            TrainingError: A photograph cannot be read or decoded.
        """
        total = torch.zeros(2, 1, device=self.fabric.device)  # sums of weighted losses and of weights; becomes [2, K]
        indices = np.arange(self.fabric.global_rank, len(source), self.fabric.world_size)
        for start in range(0, len(indices), self.recipe.batch):
            batch = source.batch(indices[start : start + self.recipe.batch])
            inputs, chroma, small_lightness = self.fabric.to_device(batch)
            with self.fabric.autocast():
                arguments = (source.backbone_features(inputs), *self._hints(chroma, None))
                output = torch.func.functional_call(self.head, self.ema, arguments)  # as in ``update``
            losses, weights = self.objective(output, chroma, small_lightness)  # [K] both
            total = total + torch.stack([losses * weights, weights])
        # Bring all processes to K columns; one without views still has a single column.
        losses, weights = self.mean_over_processes(total + total.new_zeros(2, self.max_over_processes(total.shape[1])))
        return (losses / weights).sum().item()

    @torch.no_grad()
    def check_features(self, source: Batches) -> None:
        """Check that training has not made the encoder's features the same for all pictures of the first batch.

        Nothing is checked if the source has only one view, or if the head contains no stages.

        Args:
            source: Source of the held-out views.

        Raises:
            TrainingError: The features have become the same for all pictures at some stride, or a photograph cannot be
                read or decoded.
        """
        indices = np.arange(min(len(source), self.recipe.batch))
        if len(indices) < 2 or not isinstance(self.head, ColorizationHead):
            return
        inputs = self.fabric.to_device(source.batch(indices).inputs)
        with self.fabric.autocast():
            features = self.head.features(source.backbone_features(inputs))  # [[N, C, h, w], ...] at _STRIDES
        for i in constant_maps([f.float() for f in features])[:1]:
            raise TrainingError(
                f"the encoder's features at stride {_STRIDES[i]} have become the same for all pictures at step "
                f"{self.step:,}",
                remedy=f"start another run with a learning rate below {self.recipe.learning_rate:g}",
            )

    @property
    def best(self) -> dict[str, float]:
        """Row of the history with the lowest held-out loss, the first if several are equal; needs at least one row."""
        return min(self.history, key=lambda row: row["validation"])

    @property
    def rounds_without_gain(self) -> int:
        """Number of rounds since the held-out loss last improved; equal in a resumed run and in all processes."""
        return len(self.history) - 1 - self.history.index(self.best) if self.history else 0

    def mean_over_processes(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes."""
        if self.fabric.world_size == 1:
            return value
        return self.fabric.all_reduce(value.clone(), reduce_op="mean")  # type: ignore[return-value]  # works in place

    def max_over_processes(self, number: int) -> int:
        """Return the maximum of an integer over all processes."""
        if self.fabric.world_size == 1:
            return number
        return int(self.fabric.all_reduce(torch.tensor(number, device=self.fabric.device), reduce_op="max"))  # type: ignore[arg-type]

    def ema_head(self) -> nn.Module:
        """Return a copy of the head with the EMA weights, on the CPU."""
        head = copy.deepcopy(self.head).cpu()
        head.load_state_dict(self.ema)
        return head.eval()

    def save(self, path: Path) -> None:
        """Write a checkpoint with everything that a resumed run needs.

        Raises:
            TrainingError: The checkpoint cannot be written.
        """
        tensors = checkpoint.pack(self.head, self.ema, self.optimizer)
        checkpoint.save(path, tensors | self._result(), self._facts() | {"losses": self.losses})

    def save_result(self, path: Path) -> None:
        """Write a checkpoint with only the EMA weights, from which a model is exported.

        Raises:
            TrainingError: The checkpoint cannot be written.
        """
        checkpoint.save(path, self._result(), self._facts())

    def _result(self) -> dict[str, Tensor]:
        bins = {} if self.bins is None else {"bins.centres": self.bins.centres, "bins.frequency": self.bins.frequency}
        return {f"ema.{k}": v for k, v in self.ema.items()} | bins | self.backbone

    def _facts(self) -> dict[str, Any]:
        photographs = self.schedule.count // self.recipe.views
        facts = {"recipe": asdict(self.recipe), "photographs": photographs, "conditions": self.conditions}
        return facts | {"step": self.step, "history": self.history}

    def resume(self, path: Path) -> None:
        """Restore the state from a checkpoint written by ``save``.

        Raises:
            TrainingError: The file is not a checkpoint, or belongs to a run with other options, photographs or
                architecture.
        """
        facts = checkpoint.restore(path, self.conditions, self.head, self.ema, self.optimizer)
        with checkpoint.reading(path):
            self.step, self.history, self.losses = facts["step"], facts["history"], facts["losses"]
