"""All photographs of a tray in one ZIP file."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import PhotochromError
from ..photo import colored_path
from .photographs import Photograph, free_name


class Archive:
    """Writes a ZIP file of coloured photographs, with ``report.csv``, which says what became of each.

    Args:
        folder: Folder of its own for the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: set[str] = set()
        self._report = io.StringIO()

    def write(self, photographs: Sequence[Photograph]) -> Path:
        """Write the file and return its path."""
        path = self.folder / "photochrom.zip"
        report = csv.writer(self._report)
        report.writerow(["source", "output", "colours by hand", "error"])
        with zipfile.ZipFile(path, "w") as archive:  # stored, since photographs are compressed already
            for photograph in photographs:
                report.writerow(self._add(photograph, archive))
            archive.writestr("report.csv", self._report.getvalue())
        return path

    def _add(self, photograph: Photograph, archive: zipfile.ZipFile) -> list[object]:
        name = free_name(colored_path(photograph.source).name, self._names)
        self._names.add(name.casefold())
        try:
            written = photograph.write(self.folder)
        except PhotochromError as exc:
            return [photograph.source.name, "", len(photograph.marks()), str(exc)]
        archive.write(written, name)
        written.unlink()
        return [photograph.source.name, name, len(photograph.marks()), ""]
