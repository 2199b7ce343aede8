"""``BatchSummary``: the counts of a batch, and their text."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import clock
from .report import Row


@dataclass
class BatchSummary:
    """Counts of the items, errors and warnings of a batch, while it runs or at its end."""

    listed: int = 0
    """Number of photographs of the source, or of this shard of it."""
    unread: Counter[str] = field(default_factory=Counter)
    """Number of pictures in formats that Photochrom does not read, by extension; they are left out."""
    done_before: int = 0
    """Number of items that an earlier run coloured."""
    failed_before: list[str] = field(default_factory=list)
    """Keys of the items that failed in an earlier run, and are not retried."""
    skipped_before: int = 0
    """Number of items that an earlier run skipped because they are in colour already."""
    cut_short: list[str] = field(default_factory=list)
    """Keys of the items that an earlier run coloured, and whose outputs are smaller now. They are not coloured again
    unless ``retry_errors`` is set."""
    colored: int = 0
    """Number of items that this run coloured."""
    failed: int = 0
    """Number of items that failed in this run."""
    skipped: int = 0
    """Number of items that this run skipped because they are in colour already."""
    errors: Counter[str] = field(default_factory=Counter)
    """Number of errors by message, without file names."""
    warnings: Counter[str] = field(default_factory=Counter)
    """Number of warnings by text."""
    megapixels: float = 0.0
    """Total size of the items that this run coloured, in megapixels."""
    seconds: float = 0.0
    """Wall-clock time of the batch."""
    ended_early: str = ""
    """Reason why the batch ended early; empty if it did not."""
    failures: Path | None = None
    """Table of all items that failed, in this run or before, with their errors; None if there are none, while the batch
    runs, and for a shard."""

    @property
    def to_do(self) -> int:
        """Number of items that this run has to colour."""
        before = self.done_before + self.skipped_before + len(self.failed_before) + len(self.cut_short)
        return self.listed - before

    @property
    def finished(self) -> int:
        """Number of items that were coloured, were skipped, or failed in this run."""
        return self.colored + self.failed + self.skipped

    @property
    def in_color(self) -> int:
        """Number of items that this run or an earlier one skipped because they are in colour already."""
        return self.skipped + self.skipped_before

    @property
    def status(self) -> int:
        """Exit status: 0 if all is done; otherwise 1 if this run or an earlier one coloured an item, 2 if none did."""
        if not (self.failed or self.failed_before or self.cut_short or self.ended_early):
            return 0
        return 1 if self.colored or self.done_before or self.cut_short else 2

    def count(self, row: Row) -> None:
        """Add the row of an item that this run has finished to the counts."""
        if row.status == "ok":
            self.colored += 1
            self.megapixels += (row.width or 0) * (row.height or 0) / 1e6
            self.warnings.update(row.warnings)
        elif row.status == "skipped":
            self.skipped += 1
        else:
            self.failed += 1
            problem = row.problem.partition(":")[0].partition(" (")[0]
            self.errors[problem] += 1

    def __str__(self) -> str:
        parts = [f"{self.colored:,} coloured"]
        if self.done_before:
            parts.append(f"{self.done_before:,} done before")
        if self.cut_short:
            parts.append(f"{len(self.cut_short):,} cut short since")
        if self.in_color:
            parts.append(f"{self.in_color:,} in colour already")
        if self.failed:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.errors.most_common(3))
            parts.append(f"{self.failed:,} failed ({kinds})")
        if self.failed_before:
            parts.append(f"{len(self.failed_before):,} failed before")
        if self.ended_early:
            parts.append(self.ended_early)
        text = f"{', '.join(parts)}, in {clock(self.seconds)}"
        if not self.colored or not self.seconds:
            return text
        rate, speed = self.colored / self.seconds, self.megapixels / self.seconds
        return f"{text} ({two_digits(rate)} a second, {two_digits(speed)} megapixels a second)"


def two_digits(number: float) -> str:
    """Format a number of at least 0 with two significant digits, as in ``0.051``; or whole, as in ``1,234``."""
    rounded = float(f"{number:.1e}")  # 9.99 has no decimals, because it becomes 10
    decimals = max(0, 1 - math.floor(math.log10(rounded))) if rounded > 0 else 0
    return f"{number:,.{decimals}f}"
