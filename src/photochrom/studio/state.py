"""State that all visitors share: the model, the folders and their limits."""

from __future__ import annotations

import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..colorizer.colorizer import Colorizer
from ..colorizer.reference import References
from ..errors import StudioError
from ..photo.options import OutputOptions

_FRESH = 2.0  # seconds for which a measurement may be reused


@dataclass(frozen=True)
class AppState:
    """The loaded model, folders and limits. Immutable except for the event that ends the studio."""

    colorizer: Colorizer
    references: References
    shown: Path
    """Folder whose files the page may request if it knows their names."""
    kept: Path
    """Folder that the page cannot reach."""
    disk: Disk
    max_pixels: int
    max_upload_bytes: int
    ending: threading.Event
    """Set when the studio shuts down; long-running jobs then stop."""
    output: OutputOptions = field(default_factory=OutputOptions)
    """How photographs are written, and who signs them."""

    def new_folder(self, *, check: bool = True) -> Path:
        """Create a folder for downloads, with a name that cannot be guessed.

        Args:
            check: Whether to check that there is room; a file that is only moved there needs none.

        Raises:
            StudioError: The disk space is used up.
        """
        if check:
            self.disk.check()
        folder = self.shown / secrets.token_hex(16)
        folder.mkdir()
        return folder

    def new_picture(self) -> Path:
        """Return a path, which cannot be guessed, for a picture on the page.

        Raises:
            StudioError: The disk space is used up.
        """
        self.disk.check(fresh=False)
        return self.shown / f"{secrets.token_hex(16)}.jpg"


class Disk:
    """Limits the disk space of the studio's folder.

    Args:
        folder: Holds all uploads and all files produced from them.
        most: Limit in bytes.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._used, self._measured = 0, -_FRESH
        self._lock = threading.Lock()

    def check(self, coming: int = 0, *, fresh: bool = True) -> None:
        """Check that there is room.

        Args:
            coming: Number of bytes about to be written.
            fresh: Whether to measure now rather than reuse a measurement of the last two seconds.

        Raises:
            StudioError: There is no room.
        """
        with self._lock:
            if fresh or time.monotonic() - self._measured > _FRESH:
                self._used, self._measured = _size_of(self._folder), time.monotonic()
            full = self._used + coming > self._most
        if full:
            raise StudioError(
                f"the studio has no room for more files ({self._most / 1e6:g} MB)",
                remedy="close pages no longer needed and wait an hour, or start it with a larger max_disk_mb",
            )


def _size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # removed in the meantime
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  pathlib is too slow for thousands of files at each click
    return total
