"""Writes files atomically, and translates system errors into ``TrainingError``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..atomic import new_file
from ..errors import TrainingError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translate system errors within the block into a ``TrainingError`` that names the path."""
    try:
        yield
    except OSError as exc:
        raise TrainingError(
            f"{path} cannot be written ({exc.strerror or exc})", remedy="make room, or choose another place"
        ) from exc


def write(path: Path, data: bytes) -> None:
    """Write a file atomically, replacing an existing one.

    Raises:
        TrainingError: The file cannot be written.
    """
    with writing(path), new_file(path, overwrite=True) as file:
        file.write(data)
