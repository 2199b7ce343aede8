"""What all visitors share."""

from __future__ import annotations

import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..colorizer.colorizer import Colorizer
from ..colorizer.reference import References
from ..errors import StudioError

_FRESH = 2.0  # seconds for which a measurement stands in for another


@dataclass(frozen=True)
class AppState:
    """The model, loaded once, the folders and the limits. Nothing in it changes, but that it ends."""

    colorizer: Colorizer
    references: References
    shown: Path
    """A folder whose files the page may ask for, if it knows their names."""
    kept: Path
    """A folder that it may not."""
    disk: Disk
    max_pixels: int
    max_upload_bytes: int
    ending: threading.Event
    """Set when the studio is to end: what takes long then stops."""

    def new_folder(self, *, check: bool = True) -> Path:
        """For files to be fetched, under a name that nobody guesses.

        Args:
            check: whether to see that there is room: what is only moved there needs none.

        Raises:
            StudioError: the disk is full.
        """
        if check:
            self.disk.check()
        folder = self.shown / secrets.token_hex(16)
        folder.mkdir()
        return folder

    def new_picture(self) -> Path:
        """The path of a picture for the page, likewise.

        Raises:
            StudioError: the disk is full.
        """
        self.disk.check(fresh=False)
        return self.shown / f"{secrets.token_hex(16)}.jpg"


class Disk:
    """The studio's folder, and how much may lie in it.

    Args:
        folder: with all that visitors sent and all that was made for them.
        most: bytes.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._used, self._measured = 0, -_FRESH
        self._lock = threading.Lock()

    def check(self, coming: int = 0, *, fresh: bool = True) -> None:
        """See that there is room.

        Args:
            coming: bytes that are to be written.
            fresh: whether to measure now; else what was measured a moment ago will do.

        Raises:
            StudioError: there is none.
        """
        with self._lock:
            if fresh or time.monotonic() - self._measured > _FRESH:
                self._used, self._measured = _size_of(self._folder), time.monotonic()
            full = self._used + coming > self._most
        if full:
            raise StudioError(
                f"the studio has no room for more files ({self._most / 1e6:g} MB): close pages that are done with and "
                "wait an hour, or start it with a larger --max-disk-mb"
            )


def _size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # gone meanwhile
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  of thousands, for each click
    return total
