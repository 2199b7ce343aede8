"""What a run starts from: a published model, an earlier run, or an encoder that has learnt from ImageNet alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from ..errors import OptionError, TrainingError
from ..models.registry import WEIGHTS, find_model, get_reference, reference_path
from . import checkpoint
from .export import load_average
from .networks.encoders import Encoder, load_encoder
from .networks.losses import ColorBins
from .published import load_part, read_bins, read_model
from .recipes import DEFAULT, OWN, REFERENCE, Recipe, at_size, recipe_of, tuned
from .trainer import new_tail

STARTS = ("default", "reference", "scratch")
_VIVIDNESS = 0.5  # where no model recommends another


@dataclass(frozen=True)
class Start:
    """A network before its first step."""

    label: str
    """What it is, to be read."""
    recipe: Recipe
    encoder: Encoder
    tail: nn.Module | None
    """None: untrained, and made once its colours are known."""
    bins: ColorBins | None
    """The colours that it tells apart; None where it predicts none, or where they are still to be found."""
    vividness: float | None
    """That its model recommends."""
    compared: str | Path
    """The model that the report compares with: what the run started from, or the default."""


def begin(start: str, encoder: str | None, encoder_weights: Path | None) -> Start:
    """What ``--from`` names.

    Args:
        start: one of ``STARTS``, the folder of an earlier run, or a model file.
        encoder: for ``scratch`` only, else it is given; None for the default's.
        encoder_weights: a local file with VGG16's weights, instead of a download.

    Raises:
        OptionError: no such start, or an encoder where none can be chosen.
        TrainingError, ModelError: weights are missing, damaged, or of another architecture.
    """
    if start == "scratch":
        return _scratch(encoder or DEFAULT.encoder, encoder_weights)
    if encoder is not None:
        raise OptionError(f"--encoder is for --from scratch: {start} has its own")
    if start == "reference":
        return _reference(encoder_weights)
    path = Path(start)
    if path.is_dir():
        return _run(path.resolve(), encoder_weights)
    if start != "default" and path.suffix != ".onnx":
        raise OptionError(
            f"cannot start from {start!r}: give {', '.join(STARTS)}, the folder of a run, or an .onnx file"
        )
    return _model(find_model(start), start)


def _scratch(name: str, weights: Path | None) -> Start:
    encoder = load_encoder(name, weights)
    recipe = REFERENCE if name == REFERENCE.encoder else replace(OWN, encoder=name)
    vividness = None if recipe.uniform is None else _VIVIDNESS
    return Start(f"{name} and an untrained decoder", recipe, encoder, None, None, vividness, "default")


def _model(path: Path, compared: str | Path) -> Start:
    """From a model that predicts a distribution, as the default does."""
    card, weights = read_model(path)
    if not card.bins or DEFAULT.uniform is None or "tilt" not in weights:
        raise TrainingError(f"{path} predicts no distribution of colours: start from 'reference', or from its run")
    bins = read_bins(card, weights, DEFAULT.uniform)
    encoder = load_encoder(DEFAULT.encoder)
    tail = new_tail(encoder, bins)
    load_part(tail, "tail.", weights, path)
    recipe = tuned(at_size(OWN, card.working_size))
    return Start(f"{card.name} {card.version}", recipe, encoder, tail, bins, card.vividness, compared)


def _reference(encoder_weights: Path | None) -> Start:
    path = WEIGHTS / "reference-decoder.onnx"
    card, weights = read_model(path)
    encoder = load_encoder(REFERENCE.encoder, encoder_weights)
    tail = new_tail(encoder, None)
    load_part(tail, "decoder.", weights, path)
    whole = reference_path() if reference_path().is_file() else get_reference(encoder_weights)
    return Start(f"{card.name} {card.version}", tuned(REFERENCE), encoder, tail, None, None, whole)


def _run(run: Path, encoder_weights: Path | None) -> Start:
    path = run / "best.safetensors"
    tensors, facts = checkpoint.load(path)
    recipe = recipe_of(facts["recipe"])
    encoder = load_encoder(recipe.encoder, encoder_weights)
    bins = None if recipe.uniform is None else ColorBins(tensors["bins.centres"], tensors["bins.frequency"])
    tail = new_tail(encoder, bins)
    load_average(tail, tensors, path)
    model = run / "model.onnx"
    vividness = None if bins is None else read_model(model)[0].vividness if model.is_file() else _VIVIDNESS
    compared = model if model.is_file() else "default"
    base = REFERENCE if bins is None else replace(OWN, encoder=recipe.encoder)
    return Start(run.name, tuned(at_size(base, recipe.size)), encoder, tail, bins, vividness, compared)
