"""Loads the initial model of a run: a published model, an earlier run, or an encoder pretrained on ImageNet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from ..colorizer.vividness import DIAL_LAMBDA
from ..errors import OptionError, TrainingError
from ..models.registry import WEIGHTS, find_model, get_reference, reference_path
from . import checkpoint
from .export import TOLERANCE, difference, load_trained
from .networks.colorization import DistributionNetwork, new_head, shift_class_weights
from .networks.encoders import Encoder, load_encoder, stored_weights
from .networks.losses import ColorBins
from .published_weights import load_part, read_bins, read_model
from .recipes import DEFAULT, DEFAULT_CPU, REFERENCE, Recipe, at_size, fine_tuning

INITIAL_MODELS = ("default", "reference", "scratch")
_VIVIDNESS = 0.5  # default for models that recommend none


@dataclass(frozen=True)
class InitialModel:
    """The network from which a run starts."""

    label: str
    """Name for display."""
    recipe: Recipe
    """Recipe to train the network with, before it is adapted to the photographs."""
    encoder: Encoder
    head: nn.Module | None
    """Trained head, with the class weights of ``DIAL_LAMBDA``; None for an untrained head, which is built when its bins
    are known."""
    bins: ColorBins | None
    """Bins of the head; None if it predicts no distribution, or if they are not determined yet."""
    vividness: float | None
    """Vividness that the model recommends; None for a model without vividness."""
    compared: str | Path
    """Name or path of the model with which the report compares the trained one: the initial model, or the default."""

    @property
    def identity(self) -> str:
        """Label, and a hash of the weights of the backbone and of the head, as far as there are any."""
        digest = hashlib.sha256()
        head = {} if self.head is None else self.head.state_dict()
        for name, value in (head | stored_weights(self.encoder)).items():
            digest.update(name.encode() + value.cpu().numpy().tobytes())
        return f"{self.label}, sha256 {digest.hexdigest()[:16]}"


def load_initial_model(name: str, encoder: str | None, encoder_weights: Path | None) -> InitialModel:
    """Load the initial model of a run.

    Args:
        name: One of ``INITIAL_MODELS``, the folder of an earlier run, or an ONNX file. A folder that is called like a
            model is given as ``./default``.
        encoder: Name of the encoder for ``scratch``; None for the default model's. Must be None for other models, which
            have their own.
        encoder_weights: Local file with VGG16's weights; None to download them when needed.

    Raises:
        OptionError: The name is none of these, an encoder is given for a model that has its own, or weights for VGG16
            are given for another encoder.
        TrainingError, ModelError: A file or its weights are missing, damaged, or have another architecture.
        EngineError: ONNX Runtime cannot run a file.
    """
    if name == "scratch":
        return _scratch(encoder or DEFAULT.encoder, encoder_weights)
    if encoder is not None:
        raise OptionError(f"{name} has its own encoder", remedy='leave out the encoder, or choose initial="scratch"')
    if name == "reference":
        return _reference(encoder_weights)
    path = Path(name)
    if name != "default" and path.is_dir():
        return _earlier_run(path.resolve(), encoder_weights)
    if name != "default" and path.suffix != ".onnx":
        raise OptionError(
            f"cannot start from {name!r}",
            remedy=f"give {', '.join(INITIAL_MODELS)}, the folder of a run, or an .onnx file",
        )
    return _model(find_model(name), name, encoder_weights)


def _scratch(name: str, weights: Path | None) -> InitialModel:
    encoder = load_encoder(name, weights)
    recipe = REFERENCE if name == REFERENCE.encoder else replace(DEFAULT_CPU, encoder=name)
    vividness = None if recipe.rebalance_lambda is None else _VIVIDNESS
    return InitialModel(f"{name} and an untrained decoder", recipe, encoder, None, None, vividness, "default")


def _model(path: Path, compared: str | Path, encoder_weights: Path | None) -> InitialModel:
    """Load a model file that predicts a distribution of colours, as the default does.

    Raises:
        OptionError: There are weights for VGG16.
        TrainingError: The file is no such model or computes something else than this version's network with its
            weights, or the weights of the encoder are not installed.
        ModelError: As for ``read_model``, or ONNX Runtime cannot load the file.
        EngineError: ONNX Runtime cannot run the file.
    """
    card, weights = read_model(path)
    if not card.bins or "log_class_weights" not in weights:
        raise TrainingError(
            "does not predict a distribution of colours",
            path=path,
            remedy="start from 'reference', or from the folder of its run",
        )
    bins = read_bins(card, weights, DIAL_LAMBDA)
    encoder = load_encoder(DEFAULT.encoder, encoder_weights)
    head = new_head(encoder, bins, checkpoint.color_queries_of(weights, "head."))
    load_part(encoder.backbone, "backbone.", weights, path)
    load_part(head, "head.", weights, path)
    if compared != "default":  # a test holds that the embedded file has the colours of its weights
        # Weights of another architecture may have the same names and shapes.
        network = DistributionNetwork(encoder.backbone, head, bins, DIAL_LAMBDA).eval()
        network.log_class_weights.copy_(weights["log_class_weights"])  # those of the bins are rounded another time
        if difference(network, path, counts=(1,)) > TOLERANCE:
            raise TrainingError(
                "contains a network of another architecture", path=path, remedy="start from another model"
            )
    recipe = fine_tuning(at_size(DEFAULT_CPU, card.working_size))
    return InitialModel(f"{card.name} {card.version}", recipe, encoder, head, bins, card.vividness, compared)


def _reference(encoder_weights: Path | None) -> InitialModel:
    path = WEIGHTS / "reference-decoder.onnx"
    card, weights = read_model(path)
    encoder = load_encoder(REFERENCE.encoder, encoder_weights)
    head = new_head(encoder, None)
    load_part(head, "decoder.", weights, path)
    compared = reference_path() if reference_path().is_file() else get_reference(encoder_weights)
    label = f"{card.name} {card.version}"
    return InitialModel(label, fine_tuning(REFERENCE), encoder, head, None, None, compared)


def _earlier_run(folder: Path, encoder_weights: Path | None) -> InitialModel:
    trained = load_trained(folder / "best.safetensors", encoder_weights)
    recipe, head, bins = trained.recipe, trained.head, trained.bins
    if bins is not None and recipe.rebalance_lambda is not None:
        shift_class_weights(head, bins, recipe.rebalance_lambda, DIAL_LAMBDA)
    model = folder / "model.onnx"
    vividness = None if bins is None else read_model(model)[0].vividness if model.is_file() else _VIVIDNESS
    compared = model if model.is_file() else "default"
    base = REFERENCE if bins is None else replace(DEFAULT_CPU, encoder=recipe.encoder)
    recipe = fine_tuning(at_size(base, recipe.size))
    return InitialModel(folder.name, recipe, trained.encoder, head, bins, vividness, compared)
