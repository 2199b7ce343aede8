"""A training run, top to bottom: what ``photochrom train`` does.

What of the encoder is frozen has its features computed once (``features.py``), and every epoch starts from them. The
tail is trained: the decoder, and with the default recipe the encoder's later stages. The run can be stopped at any time
and goes on from its last checkpoint, to the same losses.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
from lightning_fabric import Fabric
from tqdm import tqdm

from .config import CHECKPOINT, Plan, keep_memory, launch, leave, patience_of
from .data.batches import Batches
from .estimate import told_of_memory
from .initial_model import begin
from .networks.decoder import count_parameters
from .recipes import RECIPES
from .result import Log, finish
from .run import arrange, look
from .stopping import Stopped, stopping
from .trainer import Trainer

ROUND = 10_000  # views between two notes; fewer if an epoch has fewer,
ROUNDS = 50  # and more in a long run: no more notes than these
Item = TypeVar("Item")


def train(plan: Plan) -> Path | None:
    """Look, estimate, train, export, report.

    Returns:
        The model file; None after a dry run, and in all processes but the first.

    Raises:
        PhotochromError: something is missing or wrong; one line that says what to do.
        Stopped: asked to stop while training.
    """
    keep_memory()
    fabric = launch(plan)
    model = _train(plan, fabric)
    leave()
    return model


def _train(plan: Plan, fabric: Fabric) -> Path | None:
    say = fabric.print
    recipe = RECIPES.get(plan.recipe or "")
    anew = recipe if plan.start is None else None  # from nothing
    source, encoder = ("scratch", anew.encoder) if anew else (plan.start or "default", plan.encoder)
    start = begin(source, encoder, plan.encoder_weights)
    found = look(plan, fabric)
    say(f"{plan.photographs}: {found}")
    work = arrange(plan, fabric, start, found)
    say(str(work))
    latest = plan.run / CHECKPOINT
    if not (plan.resume and latest.exists()):
        if plan.resume:
            say(f"nothing to resume in {plan.run}: a new run begins")
        say(f"takes {work.estimate()}")
    if plan.dry_run:
        return None
    training, validation = work.batches()
    trainer = work.trainer(training)
    if latest.exists():
        trainer.resume(latest)
    say(f"{count_parameters(trainer.tail):,} parameters, step {trainer.step:,} of {trainer.steps:,}")
    log = Log(work, trainer) if fabric.is_global_zero else None
    fit(trainer, training, validation, log, plan.minutes, patience_of(plan))
    if trainer.step < trainer.steps:
        say(_ended_early(trainer))
    return finish(work, trainer.best["epoch"]) if fabric.is_global_zero else None


def _ended_early(trainer: Trainer) -> str:
    count, epoch = trainer.fruitless, trainer.step / trainer.per_epoch
    return (
        f"held-out loss has not got better for {count} round{'s' if count > 1 else ''}: "
        f"stopped at epoch {epoch:g}, the best is of epoch {trainer.best['epoch']:g}"
    )


def fit(
    trainer: Trainer, training: Batches, validation: Batches, log: Log | None, minutes: float, patience: int
) -> None:
    """Train to the last step, or until it is of no use to go on.

    Every round what came of it is noted; checkpoints come every ``minutes``, too.

    Args:
        trainer: at any step.
        training: what it learns from.
        validation: what it is checked with.
        log: None in all processes but the first.
        minutes: between two checkpoints, at most.
        patience: rounds without a better held-out loss after which it ends; 0: it does not.

    Raises:
        TrainingError: the loss is no number, the disk is full, or the memory too small; the last checkpoint is kept.
        Stopped: by a signal; a checkpoint is written.
    """
    per_round = max(1, min(trainer.per_epoch, ROUND // trainer.batch), trainer.steps // ROUNDS)
    hidden = None if log else True  # None: hidden where nobody looks
    bar = tqdm(desc="training", total=trainer.steps, initial=trainer.step, unit="step", disable=hidden)
    clock, coming = Clock(), training.stream(trainer.rows())
    with told_of_memory(), stopping() as asked, bar, closing(coming):
        for batch in clock.timed(coming):
            if 0 < patience <= trainer.fruitless:  # asked before a step: a resumed run may have ended already
                break
            loss = trainer.update(training, batch)
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            stop = trainer.agreed(asked())
            if trainer.step % per_round == 0 or trainer.step == trainer.steps:
                row = {"epoch": trainer.step / trainer.per_epoch, "training": float(np.mean(trainer.losses))}
                row |= {"validation": trainer.validate(validation)} | clock.lap()
                trainer.history.append(row)
                trainer.losses.clear()
                if log:
                    log.note(row)
                    clock.saved()
            elif log and (stop or clock.since_saved() > 60 * minutes):
                log.save()
                clock.saved()
            if stop:
                raise Stopped(f"stopped at step {trainer.step:,} of {trainer.steps:,}: go on with --resume", 128 + stop)


class Clock:
    """Where the time of a round goes."""

    def __init__(self) -> None:
        self._lap = self._saved = time.monotonic()
        self._waited = 0.0

    def timed(self, coming: Iterator[Item]) -> Iterator[Item]:
        """The same, and the time spent waiting for each noted."""
        while True:
            start = time.monotonic()
            try:
                item = next(coming)
            except StopIteration:
                return
            self._waited += time.monotonic() - start
            yield item

    def lap(self) -> dict[str, float]:
        """Seconds of the round, and of those, seconds in which training waited for its data."""
        now = time.monotonic()
        found = {"seconds": now - self._lap, "waited": self._waited}
        self._lap, self._waited = now, 0.0
        return found

    def saved(self) -> None:
        """A checkpoint was written."""
        self._saved = time.monotonic()

    def since_saved(self) -> float:
        """Seconds since the last checkpoint."""
        return time.monotonic() - self._saved
