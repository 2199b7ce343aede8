"""Loads the weights of a model file into PyTorch, so that training can start from a published model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from torch import Tensor, nn

from ..errors import WHOLE_COPY, ModelError, TrainingError
from ..json_text import parse_json
from ..models.registry import CARD_KEY, ModelCard
from .checkpoint import upgrade_name
from .networks.decoder import ColorDecoder
from .networks.losses import ColorBins
from .weight_storage import restored

Weights = dict[str, Tensor]

FOLDED_KEY = "photochrom.folded"  # key of JSON in a model's metadata; see ``export.find_folded_weights``


def read_model(path: Path) -> tuple[ModelCard, Weights]:
    """Read the card of a model file, and its weights by name as float32, in the order of use; unfolded ones come last.

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
    card = ModelCard.of({entry.key: entry.value for entry in model.metadata_props if entry.key == CARD_KEY}, path)
    try:
        arrays = restored(model)
    except (ValueError, LookupError, TypeError) as exc:  # as onnx and NumPy report missing bytes and wrong shapes
        raise ModelError("holds damaged weights", path=path, remedy=WHOLE_COPY) from exc
    nodes = model.graph.node
    used = dict.fromkeys(name for node in nodes for name in node.input if name in arrays)
    constants = {upgrade_name(name): arrays[name] for name in used}
    weights = {k: torch.from_numpy(v.astype(np.float32)) for k, v in constants.items() if v.dtype.kind == "f"}
    for entry in model.metadata_props:
        if entry.key == FOLDED_KEY:
            try:
                weights |= {name: _unfold(weights[constant]) for name, constant in parse_json(entry.value).items()}
            except (ValueError, KeyError, AttributeError, TypeError) as exc:
                problem = "lists weights that it does not hold"
                raise ModelError(problem, path=path, remedy=WHOLE_COPY) from exc
    return card, weights


def _unfold(constant: Tensor) -> Tensor:
    """Undo the exporter's change of a weight's shape.

    - A linear layer's ``[in, out]`` becomes ``[out, in]``.
    - A group norm's ``[C, 1]`` or ``[C, 1, 1]`` becomes ``[C]``.
    - The learned tokens' ``[1, tokens, C]``, in files up to version 13 of the default, becomes ``[tokens, C]``.
    """
    if constant.ndim == 3 and constant.shape[0] == 1:
        return constant[0]
    return constant.T if constant.ndim == 2 and constant.shape[1] > 1 else constant.ravel()


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
    state = part.state_dict()
    found_weights = {name: weights[prefix + name] for name in state if prefix + name in weights}
    found_weights |= idle_blocks(state, found_weights)
    try:
        found_weights |= _unnamed_weights([name for name in _folded(part) if name not in found_weights], weights)
        part.load_state_dict({name: add_hint_planes(found_weights[name], name, value) for name, value in state.items()})
    except (KeyError, RuntimeError, StopIteration) as exc:
        raise TrainingError(
            "contains a network of another architecture", path=path, remedy="start from another model"
        ) from exc


def _unnamed_weights(missing: list[str], weights: Weights) -> Weights:
    """Find folded weights by the order of their use, in older files that do not name them.

    No other constants in these files have two or three axes.
    """
    unnamed = (w for w in weights.values() if w.ndim in (2, 3))
    return {name: _unfold(next(unnamed)) for name in missing}


def _folded(part: nn.Module) -> list[str]:
    """Return the names of the weights that the exporter folds, in the order of their use: from coarse to fine."""
    names = []
    for i in reversed(range(len(ColorDecoder.widths))):
        for name, module in part.named_modules():
            if f"refine.{i}." in f"{name}." and isinstance(module, nn.GroupNorm):
                names += [f"{name}.weight", f"{name}.bias"]
            elif f"refine.{i}." in f"{name}." and isinstance(module, nn.Linear):
                names.append(f"{name}.weight")
    return names


def idle_blocks(state: Weights, found: Weights) -> Weights:
    """Return weights for the decoder blocks of which an older model has none.

    They are the initial weights, with the last layers zeroed, so that the blocks have no effect.

    Args:
        state: All weights of the part, as initialised.
        found: The older model's weights, by the same names.
    """
    known = {_block(name) for name in found}
    idle = {name: value for name, value in state.items() if (block := _block(name)) and block not in known}
    return {name: value if _LAST.search(name) is None else torch.zeros_like(value) for name, value in idle.items()}


_LAST = re.compile(r"\.(place|second|join|narrow)\.(weight|bias)$")  # layers whose output is added to a block's input


def _block(name: str) -> str:
    """Return the name of the block that a weight belongs to; empty if it belongs to none."""
    match = re.match(r"(.*refine\.\d+\.\d+)\.", name)
    return match[1] if match else ""


def add_hint_planes(weight: Tensor, name: str, like: Tensor) -> Tensor:
    """Append zeros to a weight of the hint inputs for planes that an older model lacks; the colours do not change.

    Args:
        weight: Weight of the older model.
        name: Name of the weight; a weight of other layers is returned unchanged.
        like: The same weight with all planes, ``[out, planes, h, w]``.
    """
    if ".hint." not in name or weight.ndim != 4:
        return weight
    missing = like.shape[1] - weight.shape[1]
    return torch.cat([weight, weight.new_zeros(len(weight), missing, *weight.shape[2:])], dim=1)


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
