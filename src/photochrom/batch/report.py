"""The report of a batch: one row per item, appended as items finish, so that a batch can be stopped at any time.

The report is a file in the target: ``report.jsonl``, or ``report-2-of-8.jsonl`` for a shard. An incomplete last line is
ignored. If a key has several rows, the last one counts; ``compact`` removes the others.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, get_type_hints

from ..atomic import new_file
from ..errors import OptionError, PhotochromError, system_errors
from ..json_text import parse_json

SCHEMA: Final = 1
"""Version of the rows' schema; increased when a field changes its meaning or is removed."""


@dataclass(frozen=True)
class Row:
    """Outcome of one item; unknown fields are None or empty, or -1 for the size."""

    key: str
    """The item's key: its path below the source."""
    status: str
    """``ok``, ``error``, ``skipped`` (in colour already) or ``unread`` (in a format that Photochrom does not read); the
    reason for the latter two is in ``warnings``."""
    source: str
    """Absolute path, or address, of the source file."""
    output: str = ""
    """Path of the output below the target, with ``/`` between folders."""
    source_size: int = -1
    """Size of the source file in bytes; -1 if unknown."""
    source_version: str = ""
    """ETag, checksum or modification time of the source file when it was listed; empty if none is known."""
    source_sha256: str = ""
    """SHA-256 of the source file, hexadecimal; empty if the item was not coloured."""
    output_sha256: str = ""
    """SHA-256 of the output, hexadecimal; empty if the item was not coloured."""
    output_size: int = -1
    """Size of the output in bytes; -1 if the item was not coloured."""
    width: int | None = None
    """Width of the upright output, in pixels."""
    height: int | None = None
    """Height of the upright output, in pixels."""
    model: str = ""
    """Name, version and sha256 of the model."""
    options: str = ""
    """All options that the output depends on, in a fixed order."""
    photochrom: str = ""
    """Version of Photochrom."""
    colorfulness: float | None = None
    """Colourfulness of the output (Hasler and Suesstrunk 2003)."""
    confidence: float | None = None
    """Mean confidence, 0 to 1; None if the model does not predict it."""
    seconds: float = 0.0
    """Wall-clock time that the item took."""
    warnings: tuple[str, ...] = ()
    """Content of the source that the output does not keep, and other observations; one line each."""
    luma_coding: str = ""
    """Whether a JPEG keeps the coded luma of its source, or why not; empty for other formats."""
    error: str = ""
    """Message of the error, in one line; empty unless the status is ``error``."""
    remedy: str = ""
    """Advice on how to avoid the error; empty if there is none."""
    finished: str = ""
    """Time at which the item finished, ISO 8601 in UTC."""
    schema: int = SCHEMA
    """Version of the schema with which the row was written."""

    @property
    def problem(self) -> str:
        """The error without the path in front of it, which may be that of the source or of the output."""
        for name in (self.source, self.key):
            if self.error.startswith(f"{name}: "):
                return self.error.removeprefix(f"{name}: ")
        path, _, rest = self.error.partition(": ")
        return rest if rest and "/" in path else self.error

    def to_json(self) -> str:
        """Return the row as one line of JSON, without a line break."""
        return json.dumps(asdict(self), ensure_ascii=True)  # escapes keep names that are not UTF-8 intact

    @classmethod
    def from_json(cls, line: str | bytes) -> Row:
        """Parse a line written by ``to_json``.

        Raises:
            ValueError: The line is not JSON, lacks the key or the status, or has an impossible size of the output.
            TypeError: Another field is missing, or a value has the wrong type.
            OptionError: The row was written by a newer version of Photochrom.
        """
        facts = parse_json(line)
        if not isinstance(facts, dict) or "key" not in facts or "status" not in facts:
            raise ValueError("not a row of a report")
        if facts.get("schema", 0) > SCHEMA:
            raise OptionError(
                f"the rows have schema {facts['schema']}, and this version reads {SCHEMA}",
                remedy="update Photochrom, or name another target",
            )
        known = {name: value for name, value in facts.items() if name in _TYPES}
        known["warnings"] = tuple(map(str, known.get("warnings", ())))
        for name, value in known.items():
            if not isinstance(value, _TYPES[name]):
                raise TypeError(f"{name} is {value!r:.60}")
        row = cls(**known)
        if not -1 <= row.output_size < 1 << 63:
            raise ValueError(f"output_size is {row.output_size}")
        return row


def utc_now() -> str:
    """Return the current time in the form of ``Row.finished``."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


_TYPES: Final = get_type_hints(Row) | {"warnings": tuple, "seconds": int | float}
_TYPES.update(dict.fromkeys(("colorfulness", "confidence"), int | float | None))  # other programs write 1.0 as 1


@contextmanager
def report_writer(path: Path) -> Iterator[Callable[[Row], None]]:
    """Yield a function that appends a row to a report, and flushes it, so that it survives the end of this process.

    Args:
        path: The report; if its last line is incomplete because a process was killed, the line is removed.

    Raises:
        OSError: The report cannot be opened or written; the function may raise it, too.
    """
    _mend(path)
    with path.open("ab") as file:

        def append(row: Row) -> None:
            file.write(row.to_json().encode() + b"\n")
            file.flush()

        yield append
        os.fsync(file.fileno())


def _mend(path: Path) -> None:
    """Remove an incomplete last line from a file."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        whole = sum(len(line) for line in file if line.endswith(b"\n"))
        if whole < file.tell():  # otherwise the file would become newer, by which reports are ordered
            file.truncate(whole)


def read_rows(path: Path) -> Iterator[Row]:
    """Read the rows of a report in the order in which they were written; an incomplete last line is ignored.

    Raises:
        OptionError: The report cannot be read, a complete line is not a row, or a newer version of Photochrom wrote it.
    """
    with system_errors(OptionError, path, "move it away"), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield Row.from_json(line)
            except OptionError as exc:
                raise OptionError(exc.problem, path=path, remedy=exc.remedy) from exc
            except (ValueError, TypeError) as exc:
                remedy = "remove the line, or move the file away; items without a row are coloured again"
                raise OptionError(f"line {number} is not a row of a report ({exc})", path=path, remedy=remedy) from exc


def report_paths(folder: Path) -> list[Path]:
    """Return the paths of the reports in a folder, of whole batches and of shards, oldest first.

    Empty reports are left out, because a shard that cannot begin removes its own at any time.

    Raises:
        OptionError: The folder cannot be read.
    """
    found = list[tuple[int, str, Path]]()
    with system_errors(OptionError, folder, "check its reports and the rights"):
        for path in folder.glob("report*.jsonl"):
            try:
                status = path.stat()
            except FileNotFoundError:
                if path.is_symlink():
                    raise
                continue
            if status.st_size:
                found.append((status.st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(found)]


def date_back(folder: Path) -> None:
    """Give reports that are dated in the future a time that has passed, in their order.

    Otherwise the reports of machines whose clocks are ahead, or from before a clock was set back, would be newer than
    all that follows, and outdated rows would count.

    Raises:
        OptionError: The folder cannot be read, or a time cannot be set.
    """
    paths, passed = report_paths(folder), time.time_ns() - 10**9  # file systems round times, by a second at most
    for number, path in enumerate(paths):
        with system_errors(OptionError, path, "check its time and the rights", "dated back"):
            if path.stat().st_mtime_ns > passed:
                os.utime(path, ns=(passed + number, passed + number))


def reported_items(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return ``{key: (mark, output_size)}`` for the last row of each item in all reports together.

    Args:
        folder: Folder of the reports.

    Raises:
        OptionError: The folder or a report cannot be read, or a line of it is not a row; see ``read_rows``.
    """
    items = {}
    for row in (row for path in report_paths(folder) for row in read_rows(path)):
        model = row.model.rpartition("sha256 ")[2]
        item_mark = mark(row.source_size, row.source_version, model, row.options, row.status, row.output)
        items[row.key] = item_mark, row.output_size
    return items


def mark(size: int, version: str, model: str, options: str, status: str, output: str = "") -> bytes:
    """Return a hash of an item's outcome, and of everything that must be unchanged for it to hold.

    It has 8 bytes only, because a report may have millions of rows.

    Args:
        size: Size of the source in bytes; -1 if unknown.
        version: Version of the source; see ``Row.source_version``.
        model: SHA-256 of the model, hexadecimal.
        options: Options; see ``Row.options``.
        status: The outcome; see ``Row.status``.
        output: Path of the output below the target; empty if there is no output.
    """
    facts = "\0".join((str(size), version, model, options, status, output))
    return hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def merge(other: Path, path: Path) -> None:
    """Merge another report into a report: append its rows, except where the report has newer ones of the same items.

    Args:
        other: The other report.
        path: The report; it need not exist.

    Raises:
        OptionError: One of the files is not a report, or cannot be read.
        PhotochromError: The report cannot be written.
    """
    last = {row.key: row.finished for row in read_rows(path)} if path.exists() else {}
    with system_errors(PhotochromError, path, "make room, or move it away", "written"), report_writer(path) as append:
        for row in read_rows(other):
            if row.key not in last or row.finished > last[row.key]:  # ISO 8601 in UTC sorts by time
                append(row)


def compact(path: Path) -> None:
    """Remove all rows from a report except the last one of each key; every line must be complete.

    Raises:
        OSError: The report cannot be read or written.
    """
    with path.open("rb") as file:
        keys = [parse_json(line)["key"] for line in file]
    last = {key: number for number, key in enumerate(keys)}
    if len(last) < len(keys):
        with path.open("rb") as file, new_file(path, overwrite=True) as stream:
            stream.writelines(line for number, line in enumerate(file) if last[keys[number]] == number)
