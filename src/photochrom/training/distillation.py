"""Teaches a model's encoder to find in a grey picture what ImageNet's network finds in the same picture in colour.

The whole encoder is taught, except the kernels of its depthwise convolutions.

Command: ``python -m photochrom.training distillation PHOTOS START``
Then: ``photochrom train PHOTOS -o RUN --recipe broad --from START``
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..color.spaces import lightness_of_luma
from ..colorizer.vividness import DIAL_LAMBDA
from ..errors import OptionError, TrainingError, system_errors
from . import checkpoint
from .config import BEST, TrainingConfig
from .data.batches import load_ahead
from .data.dataset import View, fingerprint, sample, views
from .initial_model import INITIAL_MODELS, InitialModel, load_initial_model
from .memory import explain_memory_errors, keep_memory
from .networks.colorization import ColorizationHead
from .networks.encoders import EfficientNetLite, constant_maps, stored_weights
from .networks.feature_distillation import FeatureDistillation, Figures
from .preparation import inspect_photographs, training_and_validation
from .processes import launch
from .recipes import Recipe
from .run_folder import locked
from .schedule import Schedule
from .stop_signals import Stopped, stopping
from .train import update_ema

VIEWS, BATCH, SIZE = 35_000, 32, 224  # views in all and in a step, and the side of their squares in pixels
LEARNING_RATE = 6e-5  # 4e-4 destroyed the features
BACKBONE_RATE = 0.5  # learning rate of the backbone, relative to that of the stages
AGED = 0.15  # share of the views that are aged
EMA_DECAY = 0.998
_FOR_VARIANCES = 128  # views from which the variances in the loss are measured
_LEFT = {"photographs", "photographs.csv", ".lock"}  # files that an interrupted command leaves, to be used again


def distill(config: TrainingConfig, view_count: int = VIEWS) -> tuple[Figures, Figures]:
    """Teach the encoder of a model on the processor, and write the model to a new folder as ``best.safetensors``.

    Args:
        config: Options, of which ``photographs``, ``run_folder``, ``initial``, ``batch``, ``size``, ``learning_rate``,
            ``seed`` and ``precision`` are used.
        view_count: Number of random squares, each shown once.

    Returns:
        Figures on the held-out photographs, before and after.

    Raises:
        PhotochromError: Something is missing or invalid; the message says what to do.
        Stopped: A signal arrived while the encoder was taught; the model was not written.
    """
    keep_memory()
    smallest = config.batch or BATCH
    if not smallest <= view_count < 1e9:
        remedy = f"give a number from {smallest} on, below a billion"
        raise OptionError(f"the number of views is {view_count}", remedy=remedy)
    fabric = launch(replace(config, accelerator="cpu", devices=1, nodes=1))
    initial = _load(config.initial or "default")
    assert isinstance(initial.encoder, EfficientNetLite)
    assert isinstance(initial.head, ColorizationHead)
    assert initial.bins is not None
    with explain_memory_errors(), locked(config.run_folder):
        inspection = inspect_photographs(config, fabric)
        training, held_out = training_and_validation(config, inspection)
        print(f"{config.photographs}: {inspection}\n{len(training):,} to learn from, {len(held_out):,} to check with")
        recipe = _recipe(config, initial, math.ceil(view_count / len(training)))
        photographs = sample(training, view_count, view_count, recipe.seed)
        taught = views(photographs, recipe.views, recipe.first_view, recipe.aged)[:view_count]
        start = {"initial model": initial.identity, "backbone": initial.backbone_identity}
        conditions = start | {"set of photographs": fingerprint(taught)}
        distillation = FeatureDistillation(initial.encoder, initial.head.stages, fabric.autocast)
        before = measure(distillation, views(held_out, 1), recipe.size)
        teach(distillation, taught, config.size or SIZE, Schedule(recipe, len(taught)))
        tensors = {f"ema.{name}": value for name, value in initial.head.state_dict().items()}
        tensors |= stored_weights(initial.encoder)
        tensors |= {"bins.centres": initial.bins.centres, "bins.frequency": initial.bins.frequency}
        facts = {"recipe": asdict(recipe), "count": len(taught), "conditions": asdict(recipe) | conditions}
        checkpoint.save(config.run_folder / BEST, tensors, facts)
        return before, measure(distillation, views(held_out, 1), recipe.size)


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
    recipe = replace(initial.recipe, views=each, first_view=1, aged=AGED, repeats=1, epochs=1, cycles=1, seed=seed)
    return replace(recipe, rebalance_lambda=DIAL_LAMBDA, ema_decay=EMA_DECAY, batch=batch, learning_rate=rate)


@torch.no_grad()
def measure(distillation: FeatureDistillation, measured: Sequence[View], size: int) -> Figures:
    """Compare student and teacher on views, scaled to squares of ``size`` pixels.

    Raises:
        TrainingError: A photograph cannot be read or decoded.
    """
    same, moments = 0, [torch.zeros(1, dtype=torch.float64)] * 3  # [3, C] for each of the three strides
    indices = (np.arange(i, min(i + BATCH, len(measured))) for i in range(0, len(measured), BATCH))
    for pictures in read_ahead(measured, size, indices):
        seen = distillation.compare(*pictures)
        same += int((seen.logits.argmax(1) == seen.true_logits.argmax(1)).sum())
        for i, (found, true) in enumerate(zip(seen.maps, seen.true_maps, strict=True)):
            values = torch.stack([(found - true).square(), true, true.square()]).double()  # [3, N, C, h, w]
            moments[i] = moments[i] + values.mean((3, 4)).sum(1) / len(measured)
    variances = [(square - mean.square()).float() for _, mean, square in moments]
    return Figures([error.float() for error, _, _ in moments], variances, same / len(measured))


def teach(distillation: FeatureDistillation, taught: Sequence[View], size: int, schedule: Schedule) -> None:
    """Teach the student on views, scaled to squares of ``size`` pixels; it gets the EMA of its weights.

    Raises:
        TrainingError: The features become the same for all pictures or are not numbers, or a photograph cannot be read
            or decoded.
        Stopped: A signal arrived.
        KeyboardInterrupt: Ctrl+C was pressed again before the step ended.
    """
    student = distillation.student
    ema = {name: value.clone() for name, value in student.state_dict().items()}
    groups = [
        {"params": [p for p in student[part].parameters() if p.requires_grad], "relative_rate": rate}
        for part, rate in (("backbone", BACKBONE_RATE), ("stages", 1.0))
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), weight_decay=0.0)
    bar = tqdm(desc="teaching", total=schedule.steps, unit="step", disable=None)
    batches = read_ahead(taught, size, schedule.view_indices(0, 0))
    with stopping() as signal_number, bar, closing(batches):
        variances = measure(distillation, taught[:_FOR_VARIANCES], size).variances
        for step, pictures in enumerate(batches):
            seen = distillation.compare(*pictures)
            loss = distillation.loss(seen, variances)
            _check(seen.maps, loss, step)
            for group in optimizer.param_groups:
                group["lr"] = group["relative_rate"] * schedule.learning_rate(step)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            update_ema(ema, student, EMA_DECAY, step)
            bar.set_postfix_str(f"loss {loss.item():.3f}", refresh=False)
            bar.update()
            if stop := signal_number():
                problem = f"stopped at step {step + 1:,} of {schedule.steps:,}, and nothing was saved"
                raise Stopped(problem, 128 + stop, "give the same command to start again")
    student.load_state_dict(ema)


def _check(maps: Sequence[Tensor], loss: Tensor, step: int) -> None:
    """Check that the loss is a number, and that no map is the same for all pictures."""
    problem = "" if loss.isfinite() else "the loss is not a number"
    for i in constant_maps([m.detach() for m in maps]):
        problem = f"the encoder's features at stride {EfficientNetLite.strides[i]} are the same for all pictures"
    if problem:
        remedy = "give a lower learning rate, or start from another model"
        raise TrainingError(f"{problem} at step {step + 1:,}, and nothing was saved", remedy=remedy)


def read_ahead(read: Sequence[View], size: int, indices: Iterator[np.ndarray]) -> Generator[tuple[Tensor, Tensor]]:
    """Yield the views of each array of indices in colour and in grey, as ``FeatureDistillation.compare`` takes them.

    Threads decode the next ones ahead.

    Raises:
        TrainingError: A photograph cannot be read or decoded.
    """

    def load(chosen: np.ndarray) -> tuple[Tensor, Tensor]:
        rgb, luma = (np.stack(part) for part in zip(*(read[i].load(size) for i in chosen), strict=True))
        lightness = torch.from_numpy(lightness_of_luma(luma) / 100)[:, None]
        return torch.from_numpy(rgb).permute(0, 3, 1, 2).float(), lightness

    return load_ahead(load, indices, os.cpu_count() or 1)


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
    """Run the command, and return its exit status: 0, or 128 + N if signal N stopped it.

    Raises:
        OptionError: An option is invalid, or the folder for the model contains other files.
        PhotochromError: See ``distill``.
        KeyboardInterrupt: Ctrl+C was pressed while nothing was being taught, or again before a step ended.
    """
    args = _parser().parse_args(arguments)
    with system_errors(TrainingError, args.start, "choose another folder"):
        if args.start.exists() and {path.name for path in args.start.iterdir()} - _LEFT:
            raise OptionError("exists", path=args.start, remedy="choose another folder")
    options = {"initial": args.initial, "learning_rate": args.learning_rate, "seed": args.seed}
    try:
        figures = distill(TrainingConfig(args.photographs, args.start, **options), args.views)
    except Stopped as exc:
        print(f"photochrom: {exc}", file=sys.stderr)
        return exc.status
    print(table(*figures) + verdict(*figures))
    return 0


def _parser() -> argparse.ArgumentParser:
    prog = "python -m photochrom.training distillation"
    parser = argparse.ArgumentParser(prog=prog, description="Teach a model's encoder grey pictures.")
    parser.add_argument("photographs", metavar="PHOTOS", help="photographs, as photochrom train takes them")
    parser.add_argument("start", type=Path, metavar="START", help="new folder, for photochrom train --from START")
    parser.add_argument(
        "--from", dest="initial", default="default", metavar="MODEL", help="default, an earlier RUN, or an .onnx model"
    )
    parser.add_argument("--views", type=int, default=VIEWS, metavar="N", help="squares to show (%(default)s)")
    rate = "learning rate after the warm-up (%(default)s)"
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE, metavar="RATE", help=rate)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the squares and their order")
    return parser
