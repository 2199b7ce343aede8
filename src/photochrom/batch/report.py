"""The report of a batch: one row an item, appended as items end, so that a batch can be stopped at any moment.

``report.jsonl`` is in the target; shards write ``report-2-of-8.jsonl``. A row counts once its line is whole. Rows of
one key replace each other, the last one wins; ``compact`` writes one row a key.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from ..atomic import new_file
from ..errors import OptionError

SCHEMA: Final = 1
"""Version of the rows' schema; it grows when a field changes its meaning or goes."""


@dataclass(frozen=True)
class Row:
    """Outcome of one item. A field that is not known is None, or empty."""

    key: str
    """Path below the source."""
    status: str
    """``ok``, ``error``, or ``skipped`` (in colour already, and not coloured again; the reason is a warning)."""
    source: str
    """Path or address of the source."""
    output: str = ""
    """Path of the output below the target, with ``/`` between folders."""
    source_size: int = -1
    """Bytes."""
    source_version: str = ""
    """ETag or time of modification in nanoseconds, as listed."""
    source_sha256: str = ""
    output_sha256: str = ""
    width: int | None = None
    """Pixels of the upright output."""
    height: int | None = None
    model: str = ""
    """Name, version and sha256 of the model."""
    options: str = ""
    """All options that the output depends on, in a fixed order."""
    photochrom: str = ""
    """Version of Photochrom."""
    colorfulness: float | None = None
    """Hasler and Süsstrunk 2003, of the output's thumbnail."""
    confidence: float | None = None
    """Mean over the picture, 0 to 1; None where the model does not tell."""
    seconds: float = 0.0
    """Wall-clock time of the item."""
    warnings: tuple[str, ...] = ()
    """Losses: what the source held and the output does not, a line each."""
    luma_coding: str = ""
    """Whether a JPEG keeps the coded luma of its source, and why not; empty for other formats."""
    error: str = ""
    """The problem, in one line; empty unless the status is ``error``."""
    remedy: str = ""
    """Advice on the problem; empty if there is none."""
    finished: str = ""
    """When the item ended, ISO 8601 in UTC."""
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the row as one line of JSON, without its end."""
        return json.dumps(asdict(self), ensure_ascii=True)  # names that are not UTF-8 stay readable and round-trip

    @classmethod
    def from_json(cls, line: str | bytes) -> Row:
        """Read a line that ``to_json`` wrote.

        Raises:
            ValueError: It is not one.
            OptionError: It is of a later schema.
        """
        facts = json.loads(line)
        if not isinstance(facts, dict) or "key" not in facts or "status" not in facts:
            raise ValueError("not a row of a report")
        if facts.get("schema", 0) > SCHEMA:
            raise OptionError(
                f"the rows have schema {facts['schema']}, and this version reads {SCHEMA}",
                remedy="update Photochrom, or name another target",
            )
        known = {name: value for name, value in facts.items() if name in _NAMES}
        known["warnings"] = tuple(known.get("warnings", ()))
        return cls(**known)


def utc_now() -> str:
    """Return the time as a row's ``finished`` has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


_NAMES: Final = frozenset(f.name for f in fields(Row))


class ReportWriter:
    """Appends rows to a report. A context manager.

    Args:
        path: The file; a line that was cut off by the end of an earlier process is removed from its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _mend(path)
        self._file = path.open("ab")

    def append(self, row: Row) -> None:
        """Write a row and hand it to the system, so that it outlives this process.

        Raises:
            OSError: The disk is full, or gone.
        """
        self._file.write(row.to_json().encode() + b"\n")
        self._file.flush()

    def __enter__(self) -> ReportWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def _mend(path: Path) -> None:
    """Cut off a last line without its end."""
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        position = size
        while position > 0:
            step = min(65_536, position)
            position = file.seek(position - step)
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                position += found + 1
                break
        if position < size:
            file.truncate(position)


def read_rows(path: Path) -> Iterator[Row]:
    """Read a report's rows in the order they were written; a line that is cut off at the end is passed over.

    Raises:
        OptionError: A line in the middle is not a row, or the report is of a later schema.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield Row.from_json(line)
            except OptionError as exc:
                raise OptionError(f"{path}: {exc}") from exc
            except (ValueError, TypeError) as exc:
                raise OptionError(
                    f"{path}: line {number} is not a row of a report ({exc})", remedy="move the file away"
                ) from exc


def report_paths(folder: Path) -> list[Path]:
    """Return the reports of a target: the whole batch's and its shards', older ones first."""
    return sorted(folder.glob("report*.jsonl"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def marks_by_status(paths: Iterable[Path]) -> dict[str, dict[str, bytes]]:
    """Return the mark of each item's last row, by the row's status and the item's key."""
    marks: dict[str, dict[str, bytes]] = {"ok": {}, "error": {}, "skipped": {}}
    for path in paths:
        for row in read_rows(path):
            for known in marks.values():
                known.pop(row.key, None)
            model = row.model.rpartition("sha256 ")[2]
            found = mark(row.source_size, row.source_version, model, row.options, row.output)
            marks.setdefault(row.status, {})[row.key] = found
    return marks


def mark(size: int, version: str, model: str, options: str, output: str) -> bytes:
    """Return 8 bytes that stand for a source, the SHA-256 of what coloured it, how, and where to."""
    facts = "\0".join((str(size), version, model, options, output))
    return hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def merge(other: Path, path: Path) -> None:
    """Add the rows of another report to a report, which need not exist; of one key, the row that ended last counts.

    Raises:
        OptionError: One of them is not a report.
        OSError: The report cannot be written.
    """
    last = {row.key: row.finished for row in read_rows(path)} if path.exists() else {}
    with ReportWriter(path) as report:
        for row in read_rows(other):
            if row.key not in last or row.finished > last[row.key]:  # ISO 8601 in UTC sorts as time does
                report.append(row)


def compact(path: Path) -> int:
    """Leave the last row of each key only, in the order of their last lines; the report has whole lines only.

    Returns:
        The number of rows.
    """
    last: dict[str, int] = {}
    count = 0
    with path.open("rb") as file:
        for count, line in enumerate(file, 1):
            last[json.loads(line)["key"]] = count
    if len(last) == count:
        return count
    with path.open("rb") as file, new_file(path, overwrite=True) as stream:
        kept = set(last.values())
        for number, line in enumerate(file, 1):
            if number in kept:
                stream.write(line)
    return len(last)
