"""Writes files atomically, and translates system errors into ``TrainingError``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from ..atomic import new_file
from ..errors import TrainingError, system_errors


def writing(path: Path) -> AbstractContextManager[None]:
    """Return a context that translates system errors within its block into a ``TrainingError`` that names the path."""
    return system_errors(TrainingError, path, "make room, or choose another place", "written")


def write(path: Path, data: bytes) -> None:
    """Write a file atomically, replacing an existing one.

    Raises:
        TrainingError: The file cannot be written.
    """
    with writing(path), new_file(path, overwrite=True) as file:
        file.write(data)
