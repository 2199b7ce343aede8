"""Colours all photographs of a tray, as ``photochrom batch`` does, and packs the files and a report into a ZIP file.

In the ZIP file, photographs are in the folders in which they were dropped on the page. A photograph is coloured again
only if its choices have changed since it was coloured last, even after an interruption.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import os
import shutil
import threading
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ..batch import BatchOptions, BatchSummary, Item, color_batch
from ..batch.contact_sheet import write_sheet
from ..batch.naming import folded
from ..batch.report import Row
from ..colorizer.hints import hints_json
from ..colorizer.options import ColorOptions
from ..errors import StudioError
from ..photo import colored_path
from .items import hiding_folder
from .jobs import Job, StoppedError
from .photographs import Photograph
from .state import AppState

_MOST_REFUSED = 500  # maximum number of unreadable files that the report lists


@dataclass(frozen=True)
class _Entry:
    """A photograph and its item in the batch."""

    photograph: Photograph
    item: Item
    marks: int
    """Number of colours given by hand."""


@dataclass(frozen=True)
class _Outcome:
    """Outcome of one photograph: its row in the batch's report, and the version and marks that were coloured."""

    row: Row
    version: str = ""
    """Version of the coloured item, see ``_version``."""
    marks: int = 0
    """Number of colours given by hand."""


class Archive:
    """Writes all photographs of one visitor in colour, and packs the files and a report into a ZIP file.

    Args:
        state: State that all visitors share.
    """

    def __init__(self, state: AppState) -> None:
        self.job = Job()
        self.refused: dict[tuple[str, str], str] = {}
        """Error messages for the visitor, by folder and name of the files that could not be read."""
        self._state, self._lock = state, threading.Lock()
        self._folder: Path | None = None
        self._outcomes: dict[str, _Outcome] = {}  # by the id of the photograph

    def refuse(self, folder: str, name: str, message: str) -> None:
        """Record an error message for a file that could not be read; only the last 500 are kept."""
        self.accept(folder, name)
        self.refused[folder, name] = message
        while len(self.refused) > _MOST_REFUSED:
            del self.refused[next(iter(self.refused))]

    def accept(self, folder: str, name: str) -> None:
        """Remove a file from the record of unreadable ones, because it has been read now."""
        self.refused.pop((folder, name), None)

    def describe(self, photographs: Iterable[Photograph]) -> dict[str, Any]:
        """Return the job, the photographs' outcomes by id, and the unreadable files, as JSON for the page."""
        job = self.job.describe()  # first, since a finished job has all its outcomes
        outcomes = dict(self._outcomes)
        items = {each.id: self._facts(each, outcomes[each.id].row) for each in photographs if each.id in outcomes}
        refused = [
            {"folder": folder, "name": name, "message": message}
            for (folder, name), message in self.refused.copy().items()
        ]
        return {"job": job, "items": items, "refused": refused}

    def _facts(self, photograph: Photograph, row: Row) -> dict[str, Any]:
        # The page compares the revision with its own. It is read first, since the photograph may change at any time.
        return {
            "revision": photograph.revision, "isCurrent": self._is_current(photograph),
            "output": row.output, "error": row.error, "warnings": row.warnings,
        }  # fmt: skip

    def start(self, photographs: Sequence[Photograph]) -> None:
        """Queue a job that colours all photographs whose files are missing or out of date.

        Raises:
            OptionError: The job is queued or running already.
        """
        self._state.exports.add(self.job, lambda: self._color(photographs, self.job))

    def _color(self, photographs: Sequence[Photograph], job: Job | None = None) -> str:
        with self._lock:
            entries = {entry.item.key: entry for entry in self._entries(photographs)}
            self._remove_others(entries.values())  # first, since this makes room
            sizes = (entry.item.size for entry in entries.values() if not self._is_current(entry.photograph))
            self._state.disk.check(sum(sizes))  # an output is about as large as its source

            def on_progress(summary: BatchSummary, row: Row | None) -> None:
                if row is not None:
                    self._record(entries[row.key], row)
                self._state.disk.check(fresh=False)
                if job is not None:
                    job.progress(summary.finished, summary.to_do)

            with hiding_folder(self._files / "report.jsonl"):
                summary = color_batch(
                    [entry.item for entry in entries.values()], self._files, self._options(),
                    colorizer=self._state.colorizer, progress=on_progress,
                    stop=lambda: job is not None and job.is_stopping,
                )  # fmt: skip
                if job is not None and job.is_stopping:
                    raise StoppedError
                if summary.ended_early:
                    raise StudioError(summary.ended_early)
        return ""

    def _is_current(self, photograph: Photograph) -> bool:
        """Return whether a photograph has been coloured with its present choices."""
        outcome = self._outcomes.get(photograph.id)
        return outcome is not None and outcome.row.status == "ok" and outcome.version == _version(photograph)

    def _options(self) -> BatchOptions:
        model = self._state.colorizer.path
        return BatchOptions(
            color=ColorOptions(detail=self._state.detail),
            output=self._state.output,
            model="default" if model is None else str(model),
            retry_errors=True,
            recolor=True,  # as on the page, photographs that are in colour already get new colours
        )

    @property
    def _files(self) -> Path:
        """The folder of the coloured files and of the batch's report."""
        if self._folder is None:
            self._folder = self._state.new_folder()
        return self._folder / "coloured"

    def _entries(self, photographs: Iterable[Photograph]) -> Iterator[_Entry]:
        """Yield a batch item with unique paths for each photograph, and write the photograph's hints to a file.

        Photographs that were removed from the tray since the request are left out.
        """
        hints = self._files.parent / "hints"
        hints.mkdir(exist_ok=True)
        sources, outputs = set[str](), set[str]()
        for each in photographs:
            try:
                size = each.source.stat().st_size
            except FileNotFoundError:
                if each.is_closed:
                    continue
                raise
            key = _unique(PurePosixPath(each.dropped_in, each.source.name), sources)
            output = _unique(PurePosixPath(each.dropped_in, colored_path(each.source).name), outputs)
            options = each.options()
            path = hints / f"{each.id}.json"
            path.write_text(hints_json(options.hints), encoding="utf-8")
            item = Item(
                key, str(each.source), size, _version(each), output,
                str(path) if options.hints else "", options.vividness, options.strength,
            )  # fmt: skip
            yield _Entry(each, item, len(each.marks()))

    def _remove_others(self, entries: Iterable[_Entry]) -> None:
        """Remove the outputs of photographs that are not among the entries or whose output has another name now."""
        names = {entry.photograph.id: entry.item.name for entry in entries}
        for identity, outcome in list(self._outcomes.items()):
            output = outcome.row.output
            if names.get(identity) != output:
                del self._outcomes[identity]
                if output and output not in names.values():
                    (self._files / output).unlink(missing_ok=True)

    def _record(self, entry: _Entry, row: Row) -> None:
        """Record the outcome of a photograph, without the paths of folders on the server."""
        folder = f"{entry.photograph.folder}{os.sep}"
        source = PurePosixPath(entry.photograph.dropped_in, entry.photograph.source.name)
        row = replace(row, source=str(source), error=row.error.replace(folder, ""))
        self._outcomes[entry.photograph.id] = _Outcome(row, entry.item.version, entry.marks)

    # The ZIP file ----------------------------------------------------------------------------------------------

    def pack(self, photographs: Sequence[Photograph], folder: Path) -> Path:
        """Colour photographs unless they are up to date, write them and a report to a ZIP file, and return its path.

        Errors of single photographs are only listed in the report.

        Args:
            photographs: All photographs to pack.
            folder: An empty folder for the ZIP file.

        Raises:
            PhotochromError: The photographs cannot be coloured, or the studio has no space for the files.
            OSError: A file cannot be written.
        """
        self._color(photographs)
        path = folder / "photochrom.zip"
        with self._lock, zipfile.ZipFile(path, "w") as archive:  # not deflated: photographs are compressed already
            found = [self._outcomes[each.id] for each in photographs if each.id in self._outcomes]
            outputs = [outcome.row.output for outcome in found if outcome.row.status == "ok"]
            self._state.disk.check(sum((self._files / output).stat().st_size for output in outputs))
            for output in outputs:
                archive.write(self._files / output, output)
            for place, message in self.refused.copy().items():
                key = str(PurePosixPath(*place))
                found.append(_Outcome(Row(key, "error", key, error=message)))
            rows = [outcome.row for outcome in found]
            archive.writestr("report.csv", _csv(found))
            archive.writestr("report.jsonl", "".join(f"{row.to_json()}\n" for row in rows))
            self._add_sheet(archive, rows)
        return path

    def _add_sheet(self, archive: zipfile.ZipFile, rows: Sequence[Row]) -> None:
        if importlib.util.find_spec("jinja2") is not None:  # the extra for the studio lacks it
            for page in write_sheet(self._files, rows):
                archive.write(page, page.name)

    def close(self) -> None:
        """Stop the job and remove the files.

        This waits until the current photograph is finished, or until a ZIP file that is being packed is complete.
        """
        self.job.stop()
        with self._lock:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)


def _version(photograph: Photograph) -> str:
    """Return a hash of everything that a photograph's output depends on, to detect changes."""
    facts = f"{photograph.id} {photograph.options()!r}"
    return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()


def _unique(path: PurePosixPath, taken: set[str]) -> str:
    """Return ``path``, with a number after its stem if its name is taken, and add the name to ``taken``.

    Paths that differ only in case or Unicode normalisation count as equal, since some file systems do not distinguish
    them.
    """
    found, number = path, 1
    while folded(str(found)) in taken:
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    taken.add(folded(str(found)))
    return str(found)


def _csv(outcomes: Iterable[_Outcome]) -> str:
    """Return the report as a short CSV table; ``report.jsonl`` has all details."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["source", "output", "colours by hand", "confidence", "warnings", "error"])
    for outcome in outcomes:
        row = outcome.row
        writer.writerow([row.source, row.output, outcome.marks, row.confidence, " ".join(row.warnings), row.error])
    return stream.getvalue()
