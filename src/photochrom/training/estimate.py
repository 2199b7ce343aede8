"""Estimates the time, disk space and memory of a run before it begins, by training for a few steps."""

from __future__ import annotations

import math
import shutil
import statistics
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..errors import TrainingError
from ..machine import free_memory
from .data.batches import Batch, Pictures, Sides
from .data.feature_cache import Batches, few_features
from .memory import explain_memory_errors
from .preparation import REPORTED, TrainingRun, gigabytes
from .processes import in_first_process, process_counts
from .remaining_time import Costs, duration
from .schedule import Schedule
from .train import Trainer

_MIN_VIEWS = 32  # minimum number of views used for the estimate
_MEASURED = (4, 8)  # views in the steps whose memory is measured; that of a whole step follows from them
_TIMED = 3  # maximum number of steps of each kind that are timed
_LONG = 4.0  # seconds after which no further step is timed, so that a short run does not wait for its estimate
_ROUND_SECONDS = 2.0  # for the end of a round, apart from validation: samples, curves and a checkpoint
_EXPORT_SECONDS, _REPORT_SECONDS = 15.0, 0.3  # for the model, and for each held-out photograph of the report
_STORED = 9  # copies of the weights on the disk: four in a checkpoint, four in the next one beside it, and the best
_OVERHEAD = 1.5  # factor on the memory of tensors, for what allocators and libraries need besides
_UNKNOWN = 2**62  # bytes that count as free where the system does not say
_LIBRARIES = 1_000_000_000  # bytes of memory for PyTorch, OpenVINO, and decoded photographs


@dataclass(frozen=True)
class Estimate:
    """Estimated time, disk space and memory of a run."""

    features: float
    """Seconds for computing features; 0 if they are already computed or will not be cached."""
    training: float
    """Seconds for training, including the ends of rounds."""
    ending: float
    """Seconds for exporting the model and writing the report."""
    disk: int
    """Bytes still to be written: features and checkpoints."""
    memory: int
    """Bytes of memory for all processes on this machine."""
    costs: Costs
    """Seconds of each kind of step, and of the end of a round."""

    def __str__(self) -> str:
        times = f"{duration(self.features)} for features and " if self.features else ""
        return (
            f"about {times}{duration(self.training)} for training and {duration(self.ending)} for the report, "
            f"{self.disk / 1e9:.1f} GB of disk, {self.memory / 1e9:.1f} GB of memory"
        )


def estimate(run: TrainingRun) -> Estimate:
    """Estimate the resources of a run by training a copy of its network on a few views.

    Raises:
        TrainingError: The disk or the memory is too small, a photograph cannot be read or decoded, the loss is not a
            number, or the weights of a network in the perceptual loss are not installed.
    """
    with explain_memory_errors():
        few, seconds = _few_batches(run)
        trial_recipe = replace(run.recipe, epochs=10)  # long enough for crops and whole pictures
        trial = replace(run, recipe=trial_recipe).trainer(few)
        memory = process_counts(run.config)[0] * process_memory(trial, few)
        _check_memory(memory, run, trial)  # before a whole step, for which the system might end the process
        costs = measure(trial, few, len(run.validation))
    checkpoints = _STORED * sum(value.nbytes for value in trial.head.state_dict().values())
    missing = run.missing_views()
    counts = Schedule(run.recipe, len(run.training), run.fabric.world_size).remaining(0)
    ending = _EXPORT_SECONDS + _REPORT_SECONDS * min(REPORTED, len(run.validation))
    disk = checkpoints + missing * run.view_bytes
    estimated = Estimate(missing * seconds, costs.total(counts), ending, disk, memory, costs)
    _check_disk(disk, run)
    return estimated


def _few_batches(run: TrainingRun) -> tuple[Batches, float]:
    """Return a source of a few training views, and the seconds per view for computing features.

    The seconds are 0 if the run does not cache features. Errors are those of ``estimate``.
    """
    backbone, sides = run.backbone, Sides.of(run.recipe)
    count = max(_MIN_VIEWS, run.recipe.batch * run.fabric.world_size)  # with fewer, no step would see whole pictures
    views = (run.training * math.ceil(count / len(run.training)))[:count]
    if not run.cached:
        return Pictures(views, run.backbone_on_device(), sides), 0.0
    few_features(backbone, run.compiled, views[:_MIN_VIEWS], sides)  # not timed, since the first inference is slower
    started = time.perf_counter()
    few = few_features(backbone, run.compiled, views, sides)
    return few, (time.perf_counter() - started) / len(views)


def _check_disk(needed: int, run: TrainingRun) -> None:
    """Raise a ``TrainingError`` if less than the needed bytes are free on the disk of the run."""
    folder = run.config.run_folder
    free = in_first_process(run.fabric, lambda: shutil.disk_usage(folder).free)
    if needed > free:
        remedy = "give cache_gb=0, which is slower but needs less" if run.cached else "free some space"
        raise TrainingError(
            f"the run takes {gigabytes(needed)} there, but {gigabytes(free)} are free", path=folder, remedy=remedy
        )


def _check_memory(needed: int, run: TrainingRun, trainer: Trainer) -> None:
    """Raise a ``TrainingError`` in all processes if a run on a CPU needs more memory than is free on some machine."""
    free = free_memory()
    least = -trainer.max_over_processes(-(_UNKNOWN if free is None else free))
    if needed > least and run.config.accelerator == "cpu":
        raise TrainingError(
            f"training takes about {gigabytes(needed)} of memory, but {gigabytes(least)} are free",
            remedy=f"give a batch below {run.recipe.batch}, or close other programs",
        )


def process_memory(trainer: Trainer, source: Batches) -> int:
    """Estimate the memory of a training process in bytes, from steps on whole pictures with at most eight views.

    Args:
        trainer: A trainer for this measurement only, since its weights change.
        source: Source of the views.

    Raises:
        TrainingError: The loss is not a number, or a photograph cannot be read or decoded.
    """
    trainer.step = trainer.steps - 2  # two steps on whole pictures follow
    few, more = (min(n, trainer.recipe.batch) for n in _MEASURED)
    saved_by = {n: _saved_bytes(trainer, source.batch(np.arange(n) % len(source)), source) for n in sorted({few, more})}
    per_view = (saved_by[more] - saved_by[few]) / max(1, more - few)
    saved = saved_by[more] + per_view * (trainer.recipe.batch - more)
    # Five tensors per parameter: the weights, their gradient, their EMA, and the two moments of AdamW.
    weight_bytes = 5 * sum(p.numel() * p.element_size() for p in trainer.head.parameters())
    return round(_OVERHEAD * (weight_bytes + saved)) + _LIBRARIES


def _saved_bytes(trainer: Trainer, batch: Batch, source: Batches) -> int:
    """Return the number of bytes that autograd saves in one training step; shared memory counts once."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        trainer.update(source, batch)
    return sum(sizes.values())


def measure(trainer: Trainer, source: Batches, held_out: int) -> Costs:
    """Measure the costs of steps and rounds.

    Args:
        trainer: A trainer for this measurement only, since its weights change.
        source: Source of the views to train on and to validate.
        held_out: Number of held-out views of the run.

    Raises:
        TrainingError: The loss is not a number, or a photograph cannot be read or decoded.
    """
    batch = source.batch(np.arange(trainer.recipe.batch) % len(source))

    def seconds(step: int) -> float:
        """Return the median time of repetitions of a step, since the first may be slow and other programs interfere."""
        times = []
        for _ in range(_TIMED):
            trainer.step, start = step, time.perf_counter()
            trainer.update(source, batch)
            times.append(time.perf_counter() - start)
            if trainer.max_over_processes(int(sum(times) > _LONG)):  # a step needs all processes, so they stop together
                break
        return statistics.median(times)

    trainer.step = last = trainer.steps - 1  # sees whole pictures; the first steps see crops
    trainer.update(source, batch)  # not timed, since the first step is slower
    whole, crop = seconds(last), seconds(0)
    start = time.perf_counter()
    trainer.validate(source)
    seconds_per_view = (time.perf_counter() - start) / len(source)
    return Costs(crop, whole, _ROUND_SECONDS + held_out * seconds_per_view)
