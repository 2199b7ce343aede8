"""Trains a student step by step, and compares it with its teacher; the step is shorter than that of ``train.py``."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ..color.spaces import lightness_of_luma
from ..errors import TrainingError
from ..signals import stopping
from . import checkpoint
from .data.batches import decode_ahead
from .data.dataset import View
from .networks.encoders import EfficientNetLite, constant_maps
from .networks.feature_distillation import FeatureDistillation, Figures
from .remaining_time import Clock
from .schedule import Schedule
from .steps import change_weights, compute_gradient
from .stop_signals import SIGNALS, Stopped

BACKBONE_RATE = 0.5  # learning rate of the backbone, relative to that of the stages
_MEASURED = 32  # views that are compared at once
_FOR_VARIANCES = 128  # views from which the variances in the loss are measured


@dataclass(frozen=True)
class Pairs:
    """Views as pictures in colour and in grey."""

    views: Sequence[View]
    size: int
    """Side of the squares, in pixels."""
    processes: int = 0
    """Number of decoding processes; with 0, threads decode."""

    def __len__(self) -> int:
        return len(self.views)

    def stream(self, indices: Iterator[np.ndarray]) -> Generator[tuple[Tensor, Tensor]]:
        """Yield the views of each array of indices as ``FeatureDistillation.compare`` takes them.

        Raises:
            TrainingError: A photograph cannot be read or decoded.
        """
        return decode_ahead(partial(_load_pair, self.views, self.size), indices, self.processes)


def _load_pair(views: Sequence[View], size: int, indices: np.ndarray) -> tuple[Tensor, Tensor]:
    rgb, luma = (np.stack(part) for part in zip(*(views[i].load(size) for i in indices), strict=True))
    return torch.from_numpy(rgb).permute(0, 3, 1, 2), torch.from_numpy(lightness_of_luma(luma) / 100)[:, None]


class DistillationTrainer:
    """Trains a student step by step, and holds the state: weights, EMA, optimizer and step.

    Args:
        distillation: The student and its teacher.
        schedule: Numbers of steps, and the learning rate and the views of each.
        conditions: Facts by name that must be equal when training is resumed.
    """

    def __init__(self, distillation: FeatureDistillation, schedule: Schedule, conditions: Mapping[str, object]) -> None:
        self.distillation, self.schedule, self.conditions = distillation, schedule, conditions
        self.student = distillation.student
        self.ema = {name: value.clone() for name, value in self.student.state_dict().items()}
        groups = [
            {"params": [p for p in self.student[part].parameters() if p.requires_grad], "relative_rate": rate}
            for part, rate in (("backbone", BACKBONE_RATE), ("stages", 1.0))
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0)
        self.step = 0

    def update(self, pictures: tuple[Tensor, Tensor], variances: Sequence[Tensor]) -> float:
        """Make one step: features, loss, gradient, AdamW, EMA; return the loss.

        Args:
            pictures: Views in colour and in grey; see ``FeatureDistillation.compare``.
            variances: See ``FeatureDistillation.loss``.

        Raises:
            TrainingError: The features are the same for all pictures, or the loss is not a number; the weights were not
                changed.
        """
        seen = self.distillation.compare(*pictures)
        for i in constant_maps([m.detach() for m in seen.maps]):
            stride = EfficientNetLite.strides[i]
            raise self._error(f"the encoder's features at stride {stride} are the same for all pictures")
        loss = self.distillation.loss(seen, variances)
        norm = compute_gradient(self.distillation.fabric, self.student, self.optimizer, loss)
        if not (loss + norm).isfinite():
            raise self._error("the loss is not a number")
        rate, decay = self.schedule.learning_rate(self.step), self.schedule.recipe.ema_decay
        self.step += 1
        change_weights(self.student, self.optimizer, self.ema, rate, decay, self.step)
        return loss.item()

    def _error(self, problem: str) -> TrainingError:
        remedy = "start in another folder with a lower learning rate, or from another model"
        return TrainingError(f"{problem} at step {self.step + 1:,}", remedy=remedy)

    def save(self, path: Path) -> None:
        """Write a checkpoint from which training can be resumed.

        Raises:
            TrainingError: The checkpoint cannot be written; an older one is kept.
        """
        tensors = checkpoint.pack(self.student, self.ema, self.optimizer)
        checkpoint.save(path, tensors, {"conditions": self.conditions, "step": self.step})

    def resume(self, path: Path) -> None:
        """Restore the state from a checkpoint written by ``save``.

        Raises:
            TrainingError: The file is not a checkpoint, or belongs to a run with other options, photographs or
                architecture.
        """
        facts = checkpoint.restore(path, self.conditions, self.student, self.ema, self.optimizer)
        with checkpoint.reading(path):
            self.step = facts["step"]


def fit(trainer: DistillationTrainer, training: Pairs, path: Path, minutes: float) -> None:
    """Train to the last step; then the student gets the EMA of its weights.

    Args:
        trainer: At its first step, or resumed.
        training: The views to learn from.
        path: Where to write checkpoints: from time to time, before stopping, and after the last step.
        minutes: Maximum minutes between two checkpoints.

    Raises:
        TrainingError: The features become the same for all pictures or are not numbers, a photograph cannot be read or
            decoded, or a checkpoint cannot be written; the last checkpoint is kept.
        Stopped: A signal arrived; a checkpoint was written.
        KeyboardInterrupt: Ctrl+C was pressed again before the step ended.
    """
    steps, clock = trainer.schedule.steps, Clock()
    bar = tqdm(desc="teaching", total=steps, initial=trainer.step, unit="step", disable=None)
    batches = training.stream(trainer.schedule.view_indices(trainer.step, 0))
    with stopping(*SIGNALS) as signal_number, bar, closing(batches):
        known = Pairs(training.views[:_FOR_VARIANCES], training.size)
        variances = trainer.distillation.fabric.to_device(measure(trainer.distillation, known).variances)
        for pictures in batches:
            loss = trainer.update(pictures, variances)
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            bar.update()
            stop = signal_number()
            if stop or trainer.step == steps or clock.since_saved() > 60 * minutes:
                trainer.save(path)
                clock.saved()
            if stop:
                raise Stopped(trainer.step, steps, stop)
    trainer.student.load_state_dict(trainer.ema)


@torch.no_grad()
def measure(distillation: FeatureDistillation, pairs: Pairs) -> Figures:
    """Compare student and teacher on views.

    Raises:
        TrainingError: A photograph cannot be read or decoded.
    """
    same, moments = 0, [torch.zeros(1, dtype=torch.float64)] * 3  # [3, C] for each of the three strides
    indices = (np.arange(i, min(i + _MEASURED, len(pairs))) for i in range(0, len(pairs), _MEASURED))
    for pictures in pairs.stream(indices):
        seen = distillation.compare(*pictures)
        same += int((seen.logits.argmax(1) == seen.true_logits.argmax(1)).sum())
        for i, (found, true) in enumerate(zip(seen.maps, seen.true_maps, strict=True)):
            # On the CPU, since an Apple GPU has no float64.
            values = torch.stack([(found - true).square(), true, true.square()]).cpu().double()  # [3, N, C, h, w]
            moments[i] = moments[i] + values.mean((3, 4)).sum(1) / len(pairs)
    variances = [(square - mean.square()).float() for _, mean, square in moments]
    return Figures([error.float() for error, _, _ in moments], variances, same / len(pairs))
