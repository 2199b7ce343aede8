"""Loads the weights of a model file into PyTorch, so that training can start from a published model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from torch import Tensor, nn

from ..errors import WHOLE_COPY, ModelError, TrainingError
from ..json_text import parse_json
from ..models.registry import ModelCard
from .networks.losses import ColorBins
from .weight_storage import is_linear, restored

Weights = dict[str, Tensor]

FOLDED_KEY = "photochrom.folded"  # key of JSON in a model's metadata; see ``export.find_folded_weights``


def read_model(path: Path) -> tuple[ModelCard, Weights]:
    """Read the card of a model file, and its weights by name as float32.

    Raises:
        TrainingError: The file is missing, cut short, or not an ONNX file.
        ModelError: The file is not a model of Photochrom, or is one of another version of the format, or its weights
            are damaged.
    """
    try:
        model = onnx.load(path)
    except (DecodeError, OSError, onnx.checker.ValidationError) as exc:  # the last for weights in another file
        raise TrainingError(
            "is not a whole ONNX file", path=path, remedy="start from a model that Photochrom wrote"
        ) from exc
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    card = ModelCard.of(metadata, path)
    try:
        arrays = restored(model)
    except (ValueError, LookupError, TypeError) as exc:  # as onnx and NumPy report missing bytes and wrong shapes
        raise ModelError("holds damaged weights", path=path, remedy=WHOLE_COPY) from exc
    weights = {k: torch.from_numpy(v.astype(np.float32)) for k, v in arrays.items() if v.dtype.kind == "f"}
    try:
        folded = parse_json(metadata.get(FOLDED_KEY, "{}"))
        weights |= {name: _unfold(weights[constant]) for name, constant in folded.items()}
    except (ValueError, KeyError, AttributeError, TypeError) as exc:
        raise ModelError("lists weights that it does not hold", path=path, remedy=WHOLE_COPY) from exc
    return card, weights


def _unfold(constant: Tensor) -> Tensor:
    """Undo the exporter's change of a weight's shape.

    - A linear layer's ``[in, out]`` becomes ``[out, in]``.
    - A group norm's ``[C, 1]`` or ``[C, 1, 1]`` becomes ``[C]``.
    """
    return constant.T if is_linear(constant.shape) else constant.ravel()


def load_part(part: nn.Module, prefix: str, weights: Weights, path: Path) -> None:
    """Load the weights whose names start with ``prefix`` into a part of a network.

    Args:
        part: The part, which is changed.
        prefix: Start of the names of the part's weights in the file.
        weights: All weights of a model file.
        path: Path of the file, for the message.

    Raises:
        TrainingError: The file has another architecture.
    """
    try:
        part.load_state_dict({name: weights[prefix + name] for name in part.state_dict()})
    except (KeyError, RuntimeError) as exc:
        raise TrainingError(
            "contains a network of another architecture", path=path, remedy="start from another model"
        ) from exc


def read_bins(card: ModelCard, weights: Weights, rebalance_lambda: float) -> ColorBins:
    """Return the bins of a model; their frequencies are computed from its class weights.

    Args:
        card: Card of the model.
        weights: Weights of the model file, among them ``log_class_weights``.
        rebalance_lambda: Share of the uniform distribution in the class weights, below 1; see
            ``ColorBins.class_weights``.
    """
    mixed = (-weights["log_class_weights"].ravel()).exp()
    mixed /= mixed.sum()
    frequency = (mixed - rebalance_lambda / len(mixed)) / (1 - rebalance_lambda)
    return ColorBins(torch.tensor(card.bins), frequency.clamp(min=0))
