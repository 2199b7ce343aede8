"""Teaches a model's encoder to find in a grey picture what ImageNet's network finds in the same picture in colour.

The whole encoder is taught, except the kernels of its depthwise convolutions.

Command: ``python -m photochrom.training distillation PHOTOS START``
Then: ``photochrom train PHOTOS -o RUN --recipe broad --from START``
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from torch import Tensor

from ..colorizer.vividness import DIAL_LAMBDA
from ..errors import OptionError
from . import checkpoint
from .config import ACCELERATORS, BEST, CHECKPOINT, PRECISIONS, TrainingConfig
from .data.dataset import View, fingerprint, sample, views
from .distillation_trainer import DistillationTrainer, Pairs, fit, measure
from .initial_model import INITIAL_MODELS, InitialModel, load_initial_model
from .memory import explain_memory_errors, keep_memory
from .networks.colorization import ColorizationHead
from .networks.encoders import EfficientNetLite, stored_weights
from .networks.feature_distillation import FeatureDistillation, Figures
from .preparation import inspect_photographs, training_and_validation
from .processes import accelerators, decoding_processes, launch, process_counts
from .recipes import Recipe
from .run_folder import locked
from .schedule import Schedule

VIEWS, BATCH, SIZE = 35_000, 32, 224  # views in all and in a step, and the side of their squares in pixels
LEARNING_RATE = 6e-5  # 4e-4 destroyed the features
AGED = 0.15  # share of the views that are aged
EMA_DECAY = 0.998


def distill(config: TrainingConfig, view_count: int = VIEWS) -> tuple[Figures, Figures]:
    """Teach the encoder of a model, and write the model to the run's folder as ``best.safetensors``.

    Args:
        config: Options, of which ``photographs``, ``run_folder``, ``initial``, ``batch``, ``size``, ``learning_rate``,
            ``seed``, ``minutes``, ``precision``, ``accelerator`` and ``resume`` are used.
        view_count: Number of random squares, each shown once.

    Returns:
        Figures on the held-out photographs, before and after.

    Raises:
        PhotochromError: Something is missing or invalid; the message says what to do.
        Stopped: A signal arrived while the encoder was taught; a checkpoint was written.
    """
    keep_memory()
    smallest = config.batch or BATCH
    if not smallest <= view_count < 1e9:
        remedy = f"give a number from {smallest} on, below a billion"
        raise OptionError(f"the number of views is {view_count}", remedy=remedy)
    if process_counts(config) != (1, 1):
        raise OptionError("an encoder is taught by one process", remedy="start one, without devices and nodes")
    fabric = launch(config)
    initial = _load(config.initial or "default")
    assert isinstance(initial.encoder, EfficientNetLite)
    assert isinstance(initial.head, ColorizationHead)
    with explain_memory_errors(), locked(config.run_folder):
        inspection = inspect_photographs(config, fabric)
        training, held_out = training_and_validation(config, inspection)
        print(f"{config.photographs}: {inspection}\n{len(training):,} to learn from, {len(held_out):,} to check with")
        recipe = _recipe(config, initial, math.ceil(view_count / len(training)))
        photographs = sample(training, view_count, view_count, recipe.seed)
        taught = views(photographs, recipe.views, recipe.first_view, recipe.aged)[:view_count]
        size, processes = config.size or SIZE, decoding_processes(config)
        conditions = _conditions(recipe, initial, taught, size)
        resumes = config.check_resumed(conditions)
        if config.resume and not resumes:
            print(f"there is nothing to resume in {config.run_folder}: a new run begins")
        distillation = FeatureDistillation(initial.encoder, initial.head.stages, fabric)
        checked = Pairs(views(held_out, 1), recipe.size, processes)
        before = measure(distillation, checked)
        trainer = DistillationTrainer(distillation, Schedule(recipe, len(taught)), conditions)
        latest = config.run_folder / CHECKPOINT
        if resumes:
            trainer.resume(latest)
        fit(trainer, Pairs(taught, size, processes), latest, config.minutes)
        facts = {"recipe": asdict(recipe), "photographs": len(photographs), "conditions": conditions}
        checkpoint.save(config.run_folder / BEST, _tensors(initial), facts)
        return before, measure(distillation, checked)


def _load(name: str) -> InitialModel:
    """Load the initial model, and check that it has an encoder that can be taught."""
    initial = None if name in INITIAL_MODELS[1:] else load_initial_model(name, None, None)
    if initial is None or not isinstance(initial.encoder, EfficientNetLite):
        raise OptionError(
            f"{name} is not a trained model with an EfficientNet-Lite encoder, and only such models can be taught",
            remedy="start from the default model, or from another model or run of its kind",
        )
    return initial


def _recipe(config: TrainingConfig, initial: InitialModel, each: int) -> Recipe:
    """Return the recipe for a model whose encoder is taught on ``each`` views of every photograph."""
    rate, batch, seed = config.learning_rate or LEARNING_RATE, config.batch or BATCH, config.seed or 0
    recipe = replace(initial.recipe, views=each, first_view=1, aged=AGED, repeats=1, epochs=1, seed=seed)
    return replace(recipe, rebalance_lambda=DIAL_LAMBDA, ema_decay=EMA_DECAY, batch=batch, learning_rate=rate)


def _conditions(recipe: Recipe, initial: InitialModel, taught: Sequence[View], size: int) -> dict[str, object]:
    """Return the facts by name that must be equal when teaching is resumed; ``size`` is the side of the squares."""
    return asdict(recipe) | {
        "set of photographs": fingerprint(taught),
        "initial model": initial.identity,
        "side of the squares": size,
    }


def _tensors(model: InitialModel) -> dict[str, Tensor]:
    """Return the weights and bins of a model as the named tensors of a checkpoint."""
    assert model.head is not None  # a trained model has a head and bins
    assert model.bins is not None
    tensors = {f"ema.{name}": value for name, value in model.head.state_dict().items()}
    bins = {"bins.centres": model.bins.centres, "bins.frequency": model.bins.frequency}
    return tensors | stored_weights(model.encoder) | bins


def table(before: Figures, after: Figures) -> str:
    """Return the figures before and after as a table for the terminal."""
    rows = [("held-out photographs", "before", "after")]
    for stride, *pair in zip(EfficientNetLite.strides, before.unexplained, after.unexplained, strict=True):
        rows.append((f"unexplained at stride {stride}", f"{pair[0]:.3f}", f"{pair[1]:.3f}"))
    one, other = (f"{100 * figures.agreement:.1f} %" for figures in (before, after))
    rows.append(("same ImageNet class", one, other))
    return "\n".join(f"{name:<24}{one:>8}{other:>8}" for name, one, other in rows)


def verdict(before: Figures, after: Figures) -> str:
    """Return a line for below the table if the encoder finds no more than before at a stride; else nothing."""
    gains = [one - other for one, other in zip(before.unexplained, after.unexplained, strict=True)]
    if min(gains) > 0:
        return ""
    return "\nNot every stride has improved: start from the same model with more photographs, or more views."


def run(arguments: list[str]) -> int:
    """Run the command, and return its exit status.

    Raises:
        PhotochromError: See ``distill``.
        Stopped: A signal arrived while the encoder was taught; a checkpoint was written.
        KeyboardInterrupt: Ctrl+C was pressed while nothing was being taught, or again before a step ended.
    """
    options = vars(_parser().parse_args(arguments))
    count = options.pop("views")
    figures = distill(TrainingConfig(**options), count)
    print(table(*figures) + verdict(*figures))
    return 0


def _parser() -> argparse.ArgumentParser:
    prog = "python -m photochrom.training distillation"
    parser = argparse.ArgumentParser(
        prog=prog, description="Adapt a model's encoder to grey pictures (cross-modal distillation)."
    )
    parser.add_argument("photographs", metavar="PHOTOS", help="photographs, as photochrom train takes them")
    parser.add_argument("run_folder", type=Path, metavar="START", help="new folder, for photochrom train --from START")
    parser.add_argument("--resume", action="store_true", help="resume a command that was stopped")
    parser.add_argument(
        "--from", dest="initial", default="default", metavar="MODEL", help="default, an earlier RUN, or an .onnx model"
    )
    parser.add_argument("--views", type=int, default=VIEWS, metavar="N", help="squares to show (%(default)s)")
    rate = "learning rate after the warm-up (%(default)s)"
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, metavar="RATE", help=rate)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the squares and their order")
    interval = "minutes between checkpoints (%(default)g)"
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help=interval)
    precision = "auto is bf16 if the device supports it, else fp32"
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help=precision)
    device = "device to teach on: cuda is an NVIDIA card, mps an Apple GPU (default: the fastest of this machine)"
    parser.add_argument("--accelerator", choices=ACCELERATORS, default=accelerators()[0], help=device)
    return parser
