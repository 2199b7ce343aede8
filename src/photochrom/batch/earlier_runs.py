"""Finds out what earlier runs of a batch have finished, from their reports and the outputs in the target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from ..models.download import known_digest
from ..models.registry import find_model
from ..photo.names import sidecar_path
from .coloring import BatchJob
from .items import Item
from .naming import possible_name
from .remote_files import is_remote, naming_errors, open_address
from .report import mark

_UNKNOWN: Final = -1  # size of a remote file if the file system does not tell it


def pending_items(
    items: list[Item], reported: Mapping[str, tuple[bytes, int]], job: BatchJob
) -> Iterator[tuple[Item, str]]:
    """Yield each item with its state, according to the report and the target.

    - ``done before``: The item was coloured; its output exists, and so does its sidecar if one is requested. An output
      that was edited since may lack it.
    - ``cut short before``: The item was coloured, but its output is now smaller. It is not coloured again unless
      ``retry_errors`` is set, because somebody may have edited it.
    - ``failed before``: The item failed, and ``retry_errors`` is not set.
    - ``skipped before``: The item was skipped because it is in colour, and ``recolor`` is not set.
    - ``to do``: None of these; or the source, the model or the options, the item's own among them, have changed.

    Args:
        items: The items.
        reported: Marks of the items that have rows, and sizes of their outputs; see ``reported_items``.
        job: The target, and how to colour.

    Raises:
        OptionError: The target cannot be read.
        ModelError: There is no such model, or its file cannot be read.
        PhotochromError: fsspec or the package for the protocol is missing.
    """
    options, size_of = job.options, _sizes(job.target)
    model = known_digest(find_model(options.model)) if reported else ""
    for item in items:
        if item.key not in reported:
            yield item, "to do"
            continue
        known, recorded = reported[item.key]
        name = possible_name(item, options.name)
        marked = partial(mark, item.size, item.version, model, job.recorded(item))
        state = "to do"
        if known == marked("ok", name):
            size = size_of(name)
            state = _state_of_output(size, recorded, retry=options.retry_errors)
            if size == recorded and options.output.sidecar and not size_of(str(sidecar_path(Path(name)))):
                state = "to do"  # the label was in the sidecar
        elif known == marked("error") and not options.retry_errors:
            state = "failed before"
        elif known == marked("skipped") and not options.recolor:
            state = "skipped before"
        yield item, state


def _state_of_output(size: int, recorded: int, *, retry: bool) -> str:
    """Return the state of an item that was coloured, given the size of its output, now and as recorded."""
    if size == 0:
        return "to do"
    if size == _UNKNOWN or size >= recorded:
        return "done before"
    return "to do" if retry else "cut short before"


def unreported(unread: Sequence[Item], reported: Mapping[str, tuple[bytes, int]]) -> list[Item]:
    """Return the pictures in unread formats that have no row in the report yet, or have changed since.

    Args:
        unread: The pictures.
        reported: Marks of the items that have rows, and sizes of their outputs; see ``reported_items``.
    """
    marks = ((item, mark(item.size, item.version, "", "", "unread")) for item in unread)
    return [item for item, known in marks if reported.get(item.key, (b"", 0))[0] != known]


def _sizes(target: str) -> Callable[[str], int]:
    """Return a function from an output's name to its size: 0 if it is missing, -1 if the size is unknown.

    A remote target is listed once, now.

    Raises:
        OptionError: A remote target cannot be read.
        PhotochromError: fsspec or the package for the protocol is missing.
    """
    if not is_remote(target):
        return partial(_local_size, target)
    system, path = open_address(target)
    with naming_errors(target):
        infos = system.find(path, detail=True) if system.exists(path) else {}
    sizes = {place.removeprefix(path).lstrip("/"): info.get("size") for place, info in infos.items()}
    return lambda name: _UNKNOWN if (size := sizes.get(name, 0)) is None else size


def _local_size(target: str, name: str) -> int:
    try:
        return os.stat(os.path.join(target, name)).st_size  # noqa: PTH116, PTH118
    except (OSError, ValueError):  # a folder that cannot be read is reported when the output is written
        return 0
