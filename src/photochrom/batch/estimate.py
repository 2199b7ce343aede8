"""Estimates the time and space of a batch by counting its items and colouring a few of them."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .coordinator import clock, job_of, listed_items, pending_items
from .distribute import worker_count
from .items import Item
from .options import BatchOptions
from .report_folder import report_folder
from .shard import BatchJob, prepare


@dataclass(frozen=True)
class Estimate:
    """Counts of a batch, and the estimated time and space."""

    listed: int
    to_do: int
    kinds: Counter[str]
    source_bytes: int
    """Bytes of the pending items, as far as known."""
    output_bytes: float | None
    """Estimated bytes of their outputs; None if no trial succeeded."""
    core_seconds: float | None
    """Estimated seconds on one core; None if no trial succeeded."""
    workers: int

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds.most_common(6))
        lines = [f"{self.listed:,} items ({kinds or 'none'}), {self.to_do:,} to do, {_size(self.source_bytes)}"]
        if self.core_seconds is not None and self.output_bytes is not None:
            lines.append(
                f"about {clock(self.core_seconds / self.workers)} with {self.workers} processes "
                f"({self.core_seconds / 3600:.2f} core-hours), outputs about {_size(self.output_bytes)}"
            )
        elif self.to_do:
            lines.append("none of the items tried could be coloured: no estimate")
        return "\n".join(lines)


def estimate_batch(source: str | os.PathLike[str], target: str, options: BatchOptions) -> Estimate:
    """Count the items of a batch, and colour up to three of them into a temporary folder.

    Raises:
        OptionError: As for ``color_batch``.
        PhotochromError: As for ``color_batch``.
    """
    items = listed_items(source, options)
    job, folder = job_of(target, options), report_folder(target, options, make=False)
    to_do = [item for item, state in pending_items(items, folder, job, options) if state == "to do"]
    kinds = Counter(PurePosixPath(item.key).suffix.lower().lstrip(".") or "without extension" for item in items)
    size = sum(max(0, item.size) for item in to_do)
    seconds, grown = _tried(to_do, job)
    output = None if grown is None else grown * size
    total = None if seconds is None else seconds * len(to_do)
    return Estimate(len(items), len(to_do), kinds, size, output, total, worker_count(options.workers))


def _tried(items: Sequence[Item], job: BatchJob) -> tuple[float | None, float | None]:
    """Return mean seconds per item, and the ratio of output to source bytes; None if all trials failed."""
    if not items:
        return None, None
    last = len(items) - 1
    chosen = [items[place] for place in sorted({0, last // 2, last})]
    seconds, bytes_in, bytes_out = [], 0, 0
    with tempfile.TemporaryDirectory(prefix="photochrom-") as folder:
        color = prepare(replace(job, target=folder))
        for item in chosen:
            started = time.perf_counter()
            row = color(item).row
            if row.status != "error":
                seconds.append(time.perf_counter() - started)
                bytes_in += max(0, item.size)
                bytes_out += Path(folder, row.output).stat().st_size if row.output else 0
    if not seconds:
        return None, None
    return sum(seconds) / len(seconds), bytes_out / bytes_in if bytes_in else None


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
