"""Colours all photographs of a tray with ``photochrom batch``'s code, and packs them and a report into a ZIP file.

Files keep the folders in which they were dropped. Only photographs that have changed since the last run are coloured
again, also after an interruption.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import threading
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..batch import BatchOptions, BatchSummary, Item, color_batch
from ..batch.contact_sheet import write_sheet
from ..batch.report import Row
from ..colorizer.hints import hints_json
from ..errors import PhotochromError, StudioError
from ..photo import colored_path
from .jobs import Job, StoppedError
from .photographs import Photograph
from .state import AppState

_MOST_REFUSED = 500  # most unreadable files that the report lists


@dataclass(frozen=True)
class Refused:
    """A file that could not be read when it was dropped."""

    folder: str
    name: str
    message: str


@dataclass(frozen=True)
class _Entry:
    """A photograph and its item in the batch."""

    photograph: Photograph
    item: Item
    marks: int


@dataclass(frozen=True)
class _Outcome:
    """Outcome of one photograph."""

    row: Row
    version: str = ""
    """Version of the item that was coloured."""
    marks: int = 0
    """Number of colours given by hand."""


class Archive:
    """The files of one visitor's photographs.

    Args:
        state: State that all visitors share.
    """

    def __init__(self, state: AppState) -> None:
        self.job = Job()
        self.refused: list[Refused] = []
        self._state, self._lock = state, threading.Lock()
        self._folder: Path | None = None
        self._rows: dict[str, _Outcome] = {}  # by the id of the photograph

    def refuse(self, folder: str, name: str, message: str) -> None:
        """Record a file that could not be read."""
        self.accept(folder, name)
        self.refused = [*self.refused, Refused(folder, name, message)][-_MOST_REFUSED:]

    def accept(self, folder: str, name: str) -> None:
        """Remove a file from those that could not be read."""
        self.refused = [each for each in self.refused if (each.folder, each.name) != (folder, name)]

    def describe(self, photographs: Iterable[Photograph]) -> dict[str, Any]:
        """Return the outcome of each photograph, by id."""
        items = {each.id: self._facts(each, self._rows[each.id].row) for each in photographs if each.id in self._rows}
        refused = [{"folder": each.folder, "name": each.name, "message": each.message} for each in self.refused]
        return {"job": self.job.describe(), "items": items, "refused": refused}

    def _facts(self, photograph: Photograph, row: Row) -> dict[str, Any]:
        # The page compares the revision, since the photograph may have changed meanwhile.
        return {
            "isCurrent": self._is_current(photograph), "revision": photograph.revision,
            "output": row.output, "error": row.error, "warnings": row.warnings,
        }  # fmt: skip

    def start(self, photographs: Sequence[Photograph]) -> None:
        """Queue the colouring of all photographs whose files are missing or out of date.

        Raises:
            OptionError: The work is queued already.
        """
        self._state.exports.add(self.job, lambda: self._color(photographs, self.job))

    def _color(self, photographs: Sequence[Photograph], job: Job | None = None) -> str:
        with self._lock:
            coming = (each.source.stat().st_size for each in photographs if not self._is_current(each))
            self._state.disk.check(sum(coming))
            entries = {entry.item.key: entry for entry in self._entries(photographs)}
            self._remove_others(entries.values())

            def on_progress(summary: BatchSummary, row: Row | None) -> None:
                if row is not None:
                    self._note(entries[row.key], row)
                self._state.disk.check(fresh=False)
                if job is not None:
                    job.progress(summary.finished, summary.to_do)

            summary = color_batch(
                [entry.item for entry in entries.values()], self._files, self._options(),
                colorizer=self._state.colorizer, progress=on_progress, stop=lambda: job is not None and job.is_stopping,
            )  # fmt: skip
            if job is not None and job.is_stopping:
                raise StoppedError
            if summary.ended_early:
                raise StudioError(summary.ended_early)
        return ""

    def _is_current(self, photograph: Photograph) -> bool:
        """Return whether the photograph's file is up to date."""
        outcome = self._rows.get(photograph.id)
        return outcome is not None and outcome.row.status == "ok" and outcome.version == _version(photograph)

    def _options(self) -> BatchOptions:
        model = self._state.colorizer.path
        return BatchOptions(
            output=self._state.output,
            model="default" if model is None else str(model),
            retry_errors=True,
            recolor=True,  # the page shows photographs that are in colour in new colours, too
        )

    @property
    def _files(self) -> Path:
        """The folder of coloured files and the batch's report."""
        if self._folder is None:
            self._folder = self._state.new_folder()
        return self._folder / "coloured"

    def _entries(self, photographs: Iterable[Photograph]) -> Iterator[_Entry]:
        """Yield the items of the photographs, each with a unique path; writes their hints to files."""
        hints = self._files.parent / "hints"
        hints.mkdir(exist_ok=True)
        sources, outputs = set[str](), set[str]()
        for each in photographs:
            key = _free(PurePosixPath(each.place, each.source.name), sources)
            output = _free(PurePosixPath(each.place, colored_path(each.source).name), outputs)
            options = each.options()
            path = hints / f"{each.id}.json"
            path.write_text(hints_json(options.hints), encoding="utf-8")
            item = Item(
                key, str(each.source), each.source.stat().st_size, _version(each), output,
                str(path) if options.hints else "", options.vividness, options.strength,
            )  # fmt: skip
            yield _Entry(each, item, len(each.marks()))

    def _remove_others(self, entries: Iterable[_Entry]) -> None:
        """Remove the files of photographs that have left the tray or have another name now."""
        names = {entry.photograph.id: entry.item.name for entry in entries}
        for identity, outcome in list(self._rows.items()):
            output = outcome.row.output
            if names.get(identity) != output:
                del self._rows[identity]
                if output and output not in names.values():
                    (self._files / output).unlink(missing_ok=True)

    def _note(self, entry: _Entry, row: Row) -> None:
        folder = f"{entry.photograph.folder}{os.sep}"
        source = PurePosixPath(entry.photograph.place, entry.photograph.source.name)
        clean = replace(row, source=str(source), error=row.error.replace(folder, ""))
        self._rows[entry.photograph.id] = _Outcome(clean, entry.item.version, entry.marks)

    # The ZIP file ----------------------------------------------------------------------------------------------

    def pack(self, photographs: Sequence[Photograph], folder: Path) -> Path:
        """Colour the photographs that are not yet coloured, and write the ZIP file.

        Args:
            photographs: All photographs to pack.
            folder: An empty folder for the file.

        Raises:
            PhotochromError: A file cannot be written.
        """
        self._color(photographs)
        path = folder / "photochrom.zip"
        with self._lock, zipfile.ZipFile(path, "w") as archive:  # stored, since photographs are compressed already
            found = [self._rows[each.id] for each in photographs if each.id in self._rows]
            outputs = [outcome.row.output for outcome in found if outcome.row.status == "ok"]
            self._state.disk.check(sum((self._files / output).stat().st_size for output in outputs))
            for output in outputs:
                archive.write(self._files / output, output)
            found += [_Outcome(_row(each)) for each in self.refused]
            rows = [outcome.row for outcome in found]
            archive.writestr("report.csv", _csv(found))
            archive.writestr("report.jsonl", "".join(f"{row.to_json()}\n" for row in rows))
            self._add_sheet(archive, rows)
        return path

    def _add_sheet(self, archive: zipfile.ZipFile, rows: Sequence[Row]) -> None:
        with suppress(PhotochromError):  # omitted if Jinja is not installed
            for page in write_sheet(self._files, rows):
                archive.write(page, page.name)

    def close(self) -> None:
        """Stop the work and remove the files."""
        self.job.stop()
        with self._lock:  # waits until the current photograph is finished
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)


def _version(photograph: Photograph) -> str:
    """Return a text of everything that the output depends on, to detect changes."""
    facts = f"{photograph.id} {photograph.options()!r}"
    return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()


def _free(path: PurePosixPath, taken: set[str]) -> str:
    """Return an unused path; names that differ only in case or Unicode normalisation count as equal."""

    def folded(path: PurePosixPath) -> str:
        return unicodedata.normalize("NFC", str(path)).casefold()

    found, number = path, 1
    while folded(found) in taken:
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    taken.add(folded(found))
    return str(found)


def _row(refused: Refused) -> Row:
    key = str(PurePosixPath(refused.folder, refused.name))
    return Row(key, "error", key, error=refused.message)


def _csv(outcomes: Iterable[_Outcome]) -> str:
    """Return the report as a short CSV table; ``report.jsonl`` has all details."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["source", "output", "colours by hand", "confidence", "warnings", "error"])
    for outcome in outcomes:
        row = outcome.row
        writer.writerow([row.source, row.output, outcome.marks, row.confidence, " ".join(row.warnings), row.error])
    return stream.getvalue()
