"""``AppState``: the model, limits, caches and job queues that all visitors share; ``Disk``: limits the disk space."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..colorizer.colorizer import Colorizer
from ..colorizer.reference_photographs import References
from ..errors import StudioError
from ..photo.options import OutputOptions
from .jobs import Jobs
from .pictures import Picture, Recent

if TYPE_CHECKING:
    from .full_size import FullSize

_PICTURES = 24  # number of pictures at display size that are kept in memory, about 15 MB each
_FULL_SIZES = 2  # number of pictures at full size that are kept in memory, 1.5 bytes per pixel each
_FRESH = 2.0  # seconds for which a measurement of the disk is reused


@dataclass(frozen=True, kw_only=True)
class AppState:
    """State that all visitors share. Its fields are fixed, but caches and queues change."""

    colorizer: Colorizer
    references: References
    disk: Disk
    folder: Path
    """Folder of all uploads and all files made from them."""
    max_pixels: int
    max_upload_bytes: int
    detail: float = 1.0
    """``ColorOptions.detail`` of all photographs and films."""
    output: OutputOptions = field(default_factory=OutputOptions)
    """Options with which photographs are written and signed."""
    pictures: Recent[str, Picture] = field(default_factory=lambda: Recent(_PICTURES))
    """Pictures at display size, by the id of their item."""
    full_sizes: Recent[tuple[str, int], FullSize] = field(default_factory=lambda: Recent(_FULL_SIZES))
    """Photographs at full size, by the id of their item and its revision."""
    jobs: Jobs = field(default_factory=Jobs)
    """Queue of films to colour."""
    searches: Jobs = field(default_factory=Jobs)
    """Queue of films whose shots are to be found."""
    exports: Jobs = field(default_factory=Jobs)
    """Queue of trays whose photographs are to be written as files."""

    def new_folder(self) -> Path:
        """Create a folder with an unused name.

        Raises:
            OSError: The folder cannot be created.
        """
        return Path(tempfile.mkdtemp(dir=self.folder))

    def end_jobs(self) -> None:
        """Stop the running jobs, discard those that wait, and wait until the queues have ended."""
        for queue in (self.jobs, self.searches, self.exports):
            queue.end()

    def forget(self, item: str) -> None:
        """Remove the pictures of an item from the caches."""
        self.pictures.drop(lambda key: key == item)
        self.full_sizes.drop(lambda key: key[0] == item)


class Disk:
    """Limits the disk space that the studio's folder takes.

    Args:
        folder: Folder of all uploads and all files made from them.
        limit: Limit of its size, in bytes.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._used, self._measured = 0, -_FRESH
        self._lock = threading.Lock()

    def check(self, new_bytes: int = 0, *, fresh: bool = True) -> None:
        """Check that the folder stays below the limit if a number of bytes is written.

        Args:
            new_bytes: Number of bytes about to be written.
            fresh: Whether to measure the folder even if it was measured in the last two seconds.

        Raises:
            StudioError: The folder would exceed the limit.
        """
        with self._lock:
            if fresh or time.monotonic() - self._measured > _FRESH:
                self._used, self._measured = _size_of(self._folder), time.monotonic()
            full = self._used + new_bytes > self._limit
        if full:
            raise StudioError(
                f"the studio has no space for more files ({self._limit / 1e6:g} MB)",
                remedy="remove photographs no longer needed, or start it with a larger max_disk_mb",
            )


def _size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # removed in the meantime
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  pathlib is too slow for thousands of files at each click
    return total
