"""Writing to the disk, which may say no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..atomic import new_file
from ..errors import TrainingError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Within, what the disk says is a ``TrainingError`` that names the path."""
    try:
        yield
    except OSError as exc:
        raise TrainingError(f"{path} cannot be written ({exc.strerror or exc})") from exc


def write(path: Path, data: bytes) -> None:
    """A whole file or none, in place of one that is there.

    Raises:
        TrainingError: it cannot be written.
    """
    with writing(path), new_file(path, overwrite=True) as file:
        file.write(data)
