"""Checkpoints: tensors in a safetensors file, facts in its header; written beside and renamed, so always whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic import new_path
from ..errors import TrainingError


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts.

    Raises:
        TrainingError: the disk is full or the folder cannot be written; an older checkpoint is left as it was.
    """
    try:
        with new_path(path, overwrite=True) as part:
            save_file({k: v.contiguous() for k, v in tensors.items()}, part, {"facts": json.dumps(facts)})
    except (OSError, SafetensorError) as exc:
        raise TrainingError(f"cannot write the checkpoint {path} ({exc}): the one before it is still there") from exc


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``save`` wrote.

    Raises:
        TrainingError: the file is missing or is not a checkpoint.
    """
    try:
        with safe_open(path, "pt") as file:
            facts = (file.metadata() or {})["facts"]
            return {k: file.get_tensor(k) for k in file.keys()}, json.loads(facts)  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as exc:
        raise TrainingError(f"{path} is not a checkpoint of Photochrom ({exc})") from exc


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's running statistics as named tensors."""
    return {
        f"optimizer.{i}.{name}": value
        for i, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``pack_optimizer`` took."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
