"""What all visitors share."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from ..colorizer.colorizer import Colorizer
from ..colorizer.reference import References
from .disk import Disk


@dataclass(frozen=True)
class Studio:
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
