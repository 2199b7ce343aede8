"""Reads and writes checkpoints: tensors in a safetensors file, with facts as JSON in its header.

A checkpoint is written to a temporary file and renamed, so that a complete one always exists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from ..atomic import new_file
from ..errors import TrainingError
from ..json_text import parse_json
from .networks.losses import ColorBins
from .recipes import Recipe

Facts = dict[str, Any]


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint.

    Args:
        path: Path of the checkpoint; an older one is replaced.
        tensors: Tensors by name.
        facts: Facts by name, which must be convertible to JSON.

    Raises:
        TrainingError: The disk is full or the folder cannot be written; an older checkpoint is kept.
    """
    try:
        # ``save_file`` would write to a hidden file of its own first, and let nobody else read the result.
        with new_file(path, overwrite=True) as file:
            file.write(serialize({k: v.contiguous() for k, v in tensors.items()}, {"facts": json.dumps(facts)}))
    except (OSError, SafetensorError) as exc:
        raise TrainingError(
            f"cannot be written ({exc})", path=path, remedy="make room; the previous checkpoint is kept"
        ) from exc


def load(path: Path) -> tuple[dict[str, Tensor], Facts]:
    """Read the tensors and facts of a checkpoint.

    Raises:
        TrainingError: The file is missing or is not a checkpoint.
    """
    with reading(path), safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, _facts(file)  # noqa: SIM118


def load_facts(path: Path, remedy: str = "") -> Facts:
    """Read the facts of a checkpoint without its tensors.

    Raises:
        TrainingError: The file is missing or is not a checkpoint; its remedy is ``remedy`` if one is given.
    """
    with reading(path, remedy), safe_open(path, "pt") as file:
        return _facts(file)


@contextmanager
def reading(path: Path, remedy: str = "") -> Iterator[None]:
    """Translate errors within the block, such as a missing fact or tensor, into one that names the checkpoint.

    Raises:
        TrainingError: The file is missing or is not a checkpoint; its remedy is ``remedy`` if one is given.
    """
    try:
        yield
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as exc:
        problem = f"is not a checkpoint of Photochrom ({exc})"
        if isinstance(exc, FileNotFoundError):
            problem = "does not exist"
        elif path.is_dir():
            problem = "is a folder"
        raise TrainingError(problem, path=path, remedy=remedy or "give a checkpoint that a training run wrote") from exc


def _facts(file: Any) -> Facts:
    return dict(parse_json((file.metadata() or {})["facts"]))


def recipe_of(facts: Facts) -> Recipe:
    """Return the recipe recorded in a checkpoint.

    Raises:
        TrainingError: The recipe is missing, lacks fields, or has fields that this version of Photochrom does not know.
    """
    try:
        return Recipe(**facts["recipe"])
    except (KeyError, TypeError) as exc:
        raise TrainingError(
            "the checkpoint was written by another version of Photochrom", remedy="train in another folder"
        ) from exc


def check_conditions(path: Path, facts: Facts, conditions: Mapping[str, object]) -> None:
    """Check that a checkpoint belongs to a run with the same conditions.

    Args:
        path: Path of the checkpoint, for the message.
        facts: Facts of the checkpoint.
        conditions: Facts by name that must be equal in a resumed run (see ``TrainingRun.conditions``).

    Raises:
        TrainingError: Some conditions differ; the message names each with both values.
    """
    recorded = facts.get("conditions", {})
    changes = [
        f"{name} ({_readable(recorded.get(name))} then, {_readable(now)} now)"
        for name, now in conditions.items()
        if recorded.get(name) != now
    ]
    if changes:
        raise TrainingError(
            f"belongs to a run with other options ({', '.join(changes)})",
            path=path,
            remedy="give the same ones (if settings.json was edited, correct it), and the same photographs under the "
            "same names, or another folder",
        )


def _readable(value: object) -> str:
    return "none" if value is None else str(value)


def pack(network: nn.Module, ema: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of a network in training as named tensors: weights, their EMA, and the optimizer's statistics.

    Args:
        network: The network, whose weights get the prefix ``head.``.
        ema: EMA of its weights, by their names.
        optimizer: Its optimizer.
    """
    names = {id(p): name for name, p in network.named_parameters()}
    weights_by_index = [p for group in optimizer.param_groups for p in group["params"]]
    statistics = {
        f"optimizer.{names[id(weights_by_index[i])]}.{name}": value
        for i, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    weights = {f"head.{name}": value for name, value in network.state_dict().items()}
    return weights | {f"ema.{name}": value for name, value in ema.items()} | statistics


def restore(
    path: Path,
    conditions: Mapping[str, object],
    network: nn.Module,
    ema: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> Facts:
    """Load the state that ``pack`` returned, on the devices of the network and of ``ema``; return the facts beside it.

    Raises:
        TrainingError: The file is not a checkpoint, or belongs to a run with other conditions or another network.
    """
    tensors, facts = load(path)
    check_conditions(path, facts, conditions)
    try:
        network.load_state_dict(under("head.", tensors))
        for name, value in ema.items():
            value.copy_(tensors[f"ema.{name}"])
        _unpack_optimizer(optimizer, network, tensors)
    except (RuntimeError, KeyError, ValueError, IndexError) as exc:
        raise TrainingError("has another architecture", path=path, remedy="train in another folder") from exc
    return facts


def _unpack_optimizer(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    weights = {name: p for name, p in network.named_parameters() if p.requires_grad}
    indices = {id(p): i for i, p in enumerate(p for group in optimizer.param_groups for p in group["params"])}
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in under("optimizer.", tensors).items():
        name, _, statistic = key.rpartition(".")
        weight = weights[name]
        if value.ndim:  # in the memory format of the weights, since sums in another one are rounded differently
            value = torch.empty_like(weight).copy_(value)
        state.setdefault(indices[id(weight)], {})[statistic] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, by their names without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def color_queries_of(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Return the number of colour queries of a decoder, given its weights; 0 if it has none.

    Args:
        tensors: The weights of a checkpoint or of a model file, by their names.
        prefix: Prefix of the names of the head's weights: ``"ema."`` in a checkpoint, ``"head."`` in a model file.
    """
    added = tensors.get(f"{prefix}decoder.queries.add.weight")  # [bins, queries, 1, 1]
    return 0 if added is None else added.shape[1]


def bins_of(tensors: Mapping[str, Tensor], recipe: Recipe) -> ColorBins | None:
    """Return the bins in the tensors of a checkpoint; None if its recipe has none.

    Raises:
        KeyError: The tensors of the bins are missing.
    """
    if recipe.rebalance_lambda is None:
        return None
    return ColorBins(tensors["bins.centres"], tensors["bins.frequency"])
