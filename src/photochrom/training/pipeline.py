"""``train`` runs a training from photographs to model, stage by stage."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from lightning_fabric import Fabric

from .config import BEST, CHECKPOINT, TrainingConfig
from .estimate import estimate
from .initial_model import load_initial_model
from .memory import keep_memory
from .networks.decoder import count_parameters
from .preparation import inspect_photographs, prepare_run
from .processes import launch, leave_process_group, one_error_for_all
from .recipes import RECIPES
from .run_folder import RunLog, check_best, finish, locked
from .train import Trainer, fit


def train(config: TrainingConfig) -> Path | None:
    """Inspect the photographs, estimate the run, train, export the model, and write the report.

    Returns:
        Path of the model file; None after a dry run, and in all processes except the first.

    Raises:
        PhotochromError: Something is missing or invalid; the message says what to do.
        Stopped: A signal arrived while training; a checkpoint was written.
        SystemExit: Several processes train, and another one has failed and reports the error.
    """
    keep_memory()
    config = config.resumed()
    fabric = launch(config)
    with one_error_for_all(fabric), locked(config.run_folder) if fabric.is_global_zero else nullcontext():
        model = _train(config, fabric)
    leave_process_group()
    return model


def _train(config: TrainingConfig, fabric: Fabric) -> Path | None:
    print_once = fabric.print  # prints in the first process only
    published = RECIPES.get(config.recipe or "") if config.initial in (None, "scratch") else None
    name, encoder = ("scratch", published.encoder) if published else (config.initial or "default", config.encoder)
    initial = load_initial_model(name, encoder, config.encoder_weights)
    inspection = inspect_photographs(config, fabric)
    print_once(f"{config.photographs}: {inspection}")
    run = prepare_run(config, fabric, initial, inspection)
    print_once(str(run))

    latest, costs = config.run_folder / CHECKPOINT, None
    if not config.check_resumed(run.conditions):  # before hours of work
        if config.resume:
            print_once(f"there is nothing to resume in {config.run_folder}: a new run begins")
        estimated = estimate(run)
        print_once(f"takes {estimated}")
        costs = estimated.costs
    if config.dry_run:
        return None

    if fabric.is_global_zero:
        config.note_settings()
    training, validation = run.batches()
    trainer = run.trainer(training, latest if latest.exists() else None)
    if fabric.is_global_zero:
        check_best(trainer, config.run_folder / BEST)
    print_once(f"{count_parameters(trainer.head):,} parameters, step {trainer.step:,} of {trainer.steps:,}")
    log = RunLog(run, trainer) if fabric.is_global_zero else None
    fit(trainer, training, validation, log, config.minutes, config.rounds_of_patience(), costs)
    if trainer.step < trainer.steps:
        print_once(_early_stop(trainer))
    return finish(run, trainer.best["epoch"]) if fabric.is_global_zero else None


def _early_stop(trainer: Trainer) -> str:
    count, epoch = trainer.rounds_without_gain, trainer.step / trainer.steps_per_epoch
    return (
        f"the held-out loss has not improved for {count} round{'s' if count > 1 else ''}: "
        f"stopped at epoch {epoch:g}, the best is epoch {trainer.best['epoch']:g}"
    )
