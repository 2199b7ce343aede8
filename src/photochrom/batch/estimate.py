"""Estimates the time and disk space of a batch: counts items, checks whether some are in colour, and colours a few."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ..atomic import temporary_folder
from ..color.bands import limited_threads
from ..errors import PhotochromError, clock, counted, one_line
from .coloring import BatchJob, local_copy, prepare
from .coordinator import extensions, listed_items
from .distribute import worker_count
from .earlier_runs import pending_items
from .items import Item
from .options import BatchOptions
from .remote_files import is_remote
from .report import reported_items
from .report_folder import report_folder
from .summary import two_digits

_TRIED: Final = 3  # number of items that are coloured, and of remote items that are checked for colour
_CHECKED: Final = 100  # number of local items that are checked for colour: three seconds for JPEGs of 12 megapixels
_READ: Final = 1e9  # maximum bytes of these items, since formats other than JPEG must be decoded at full size


@dataclass(frozen=True)
class Estimate:
    """Counts of a batch, and its estimated time and disk space."""

    listed: int
    """Number of items of the source, or of this shard of it."""
    pending: int
    """Number of items that no earlier run has finished, including those that will be skipped because they are in
    colour."""
    before: Counter[str]
    """Number of items that an earlier run has finished, by their state; see ``earlier_runs.pending_items``."""
    kinds: Counter[str]
    """Number of listed items by extension."""
    unread: Counter[str]
    """Number of pictures in formats that Photochrom does not read, by extension; they will be left out."""
    searched: int
    """Number of pending items that were checked for colour."""
    in_color: int
    """Number of checked items that are in colour already."""
    source_bytes: int | None
    """Bytes of the items to colour, those of unknown size counted as the mean of the others; None if none is known."""
    output_bytes: float | None
    """Estimated bytes of the outputs; None if no item could be coloured on trial, or if ``source_bytes`` is None."""
    core_seconds: float | None
    """Estimated seconds on one core; None if no item could be coloured on trial."""
    workers: int
    """Number of processes."""
    problem: str = ""
    """Why the first of the items tried could not be coloured; empty if one was coloured."""

    @property
    def has_color(self) -> bool:
        """Whether this run or an earlier one found items that are in colour already."""
        return bool(self.in_color or self.before["skipped before"])

    @property
    def skipped(self) -> int:
        """Number of pending items that are in colour already; estimated unless all were checked."""
        return round(self.pending * self.in_color / self.searched) if self.searched else 0

    @property
    def to_do(self) -> int:
        """Number of items to colour; estimated unless all pending items were checked for colour."""
        return self.pending - self.skipped

    def __str__(self) -> str:
        kinds = ", ".join(
            f"{count:,} {kind.removeprefix('.') or 'without extension'}" for kind, count in self.kinds.most_common(6)
        )
        about = "about " if self.in_color and self.searched < self.pending else ""
        size = "of unknown size" if self.source_bytes is None else _size(self.source_bytes)
        lines = [f"{counted(self.listed, 'item')} ({kinds or 'none'}), {about}{self.to_do:,} to do, {size}"]
        if self.before:
            lines.append(", ".join(f"{count:,} {state}" for state, count in sorted(self.before.items())))
        if self.in_color:
            basis = f", judging by {self.searched:,} of them" if about else ""
            are = "is" if self.skipped == 1 else "are"
            lines.append(f"{about}{self.skipped:,} {are} in colour already and will be skipped{basis}")
        if self.core_seconds is not None:
            processes = "1 process" if self.workers == 1 else f"{self.workers} processes"
            lines.append(
                f"about {clock(self.core_seconds / self.workers)} with {processes} "
                f"({two_digits(self.core_seconds / 3600)} core-hours)"
                + ("" if self.output_bytes is None else f", outputs about {_size(self.output_bytes)}")
            )
        elif self.to_do:
            lines.append(f"no estimate, because none of the items tried could be coloured: {one_line(self.problem)}")
        return "\n".join(lines)


def estimate_batch(source: str | os.PathLike[str], target: str, options: BatchOptions) -> Estimate:
    """Estimate a batch: count its items, check some for colour, and colour up to three into a temporary folder.

    Up to a hundred local items, or a gigabyte of them, are checked; of remote items only three, which are downloaded;
    and none if ``recolor`` is set.

    Args:
        source: Folder, manifest or address; see ``listing.list_items``.
        target: Folder for the outputs, or its address.
        options: How to colour.

    Raises:
        OptionError, PhotochromError: As for ``color_batch``; but the target is neither locked nor written.
        OSError: The system's temporary folder cannot be written.
    """
    items, unread = listed_items(source, target, options)
    job, folder = BatchJob(target, options), report_folder(target, options)
    states = list(pending_items(items, reported_items(folder), job))
    pending = [item for item, state in states if state == "to do"]
    chosen = [] if options.recolor else _to_check(pending)
    started = time.perf_counter()
    grey = [item for item in chosen if not _is_in_color(item)] if chosen else pending
    check_seconds = time.perf_counter() - started
    share = len(grey) / len(chosen) if chosen else 1.0
    is_sample = 0 < len(chosen) < len(pending)
    whole = _bytes(pending if is_sample else grey)
    size = round(share * whole) if is_sample and whole is not None else whole
    seconds, growth, problem = _tried(grey, replace(options, recolor=True))
    return Estimate(
        listed=len(items),
        pending=len(pending),
        before=Counter(state for _, state in states if state != "to do"),
        kinds=extensions(items),
        unread=extensions(unread),
        searched=len(chosen),
        in_color=len(chosen) - len(grey) if chosen else 0,
        source_bytes=size,
        output_bytes=None if growth is None or size is None else growth * size,
        core_seconds=None
        if seconds is None
        else len(pending) * (share * seconds + check_seconds / max(1, len(chosen))),
        workers=worker_count(options.workers),
        problem=problem,
    )


def _to_check(items: Sequence[Item]) -> list[Item]:
    """Choose the items to check for colour, evenly spaced in the list."""
    if any(is_remote(item.source) for item in items):
        return _spaced(items, _TRIED)
    mean = max(1.0, (_bytes(items) or 0) / max(1, len(items)))
    return _spaced(items, max(_TRIED, min(_CHECKED, int(_READ / mean))))


def _spaced(items: Sequence[Item], most: int) -> list[Item]:
    """Choose up to ``most`` evenly spaced items, among them the first and the last."""
    count = min(most, len(items))
    return [items[round(i * (len(items) - 1) / max(1, count - 1))] for i in range(count)]


def _is_in_color(item: Item) -> bool:
    """Return whether an item is in colour already; False if it cannot be read, because it will then fail."""
    from ..photo.inspection import is_in_color

    try:
        with local_copy(item) as path:
            return is_in_color(path)
    except PhotochromError:
        return False


def _bytes(items: Sequence[Item]) -> int | None:
    """Return the size of the items, those of unknown size counted as the mean of the others; None if none is known."""
    known = [item.size for item in items if item.size >= 0]
    if not known:
        return None if items else 0
    return round(sum(known) * len(items) / len(known))


def _tried(items: Sequence[Item], options: BatchOptions) -> tuple[float | None, float | None, str]:
    """Colour a few items, and measure time and size.

    Returns:
        Mean seconds, None if there are no items or all failed; the ratio of output to source bytes, None also if no
        source's size is known; and the first error if all failed, otherwise ``""``.

    Raises:
        ModelError, EngineError: The model cannot be loaded.
    """
    if not items:
        return None, None, ""
    try:
        with limited_threads(1), temporary_folder("photochrom-batch") as folder:
            return _measured(_spaced(items, _TRIED), BatchJob(str(folder), options))
    except OSError as exc:
        return None, None, f"there is no temporary folder ({exc.strerror or exc}): set TMPDIR to a folder with room"


def _measured(items: Sequence[Item], job: BatchJob) -> tuple[float | None, float | None, str]:
    """Colour all items into the folder of the job, and return what ``_tried`` returns."""
    seconds, bytes_in, bytes_out, problem = [], 0, 0, ""
    color = prepare(job)
    for item in items:
        started = time.perf_counter()
        colored = color(item)
        if colored.ends:
            problem = problem or f"{job.target} cannot be written: set TMPDIR to a folder with room"
        elif colored.row.status == "error":
            problem = problem or colored.row.error
        else:
            seconds.append(time.perf_counter() - started)
            if item.size >= 0:
                bytes_in += item.size
                bytes_out += Path(job.target, colored.row.output).stat().st_size
    if not seconds:
        return None, None, problem
    return sum(seconds) / len(seconds), bytes_out / bytes_in if bytes_in else None, ""


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
