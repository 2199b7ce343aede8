"""Stores thumbnails of sources and outputs for the contact sheet, in one file beside the report.

``report.thumbnails`` is a sequence of records. A record holds three lengths in bytes (unsigned 32-bit integers, little
endian), followed by what they measure: the item's key, the JPEG of the source, and the JPEG of the output. Records are
only ever appended; if a key has several, the last one counts.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import OptionError, system_errors

_LENGTHS: Final = struct.Struct("<III")


class ThumbnailWriter:
    """Context manager that appends thumbnails to a file, and closes it at the end of the block.

    Args:
        path: The file; if its last record is incomplete because a process was killed, the record is removed.

    Raises:
        OptionError: The file cannot be read.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        end = max((stop for _, _, stop in _records(path)), default=0)
        self._file = path.open("ab")
        self._file.truncate(end)

    def append(self, key: str, before: bytes, after: bytes) -> None:
        """Append an item's thumbnails of source and output, both JPEG data; do nothing if either is empty.

        Raises:
            OSError: The file cannot be written.
        """
        if before and after:
            name = key.encode("utf-8", "surrogateescape")
            self._file.write(_LENGTHS.pack(len(name), len(before), len(after)) + name + before + after)

    def __enter__(self) -> ThumbnailWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Thumbnails:
    """Reads thumbnails by the items' keys; only their positions in the files are in memory.

    Args:
        paths: Files written by ``ThumbnailWriter``; missing ones are ignored.

    Raises:
        OptionError: A file cannot be read.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._places = {key: (path, start) for path in paths for key, start, _ in _records(path)}

    def get(self, key: str) -> tuple[bytes, bytes] | None:
        """Return the thumbnails of an item's source and output, JPEGs, or None if there are none.

        Raises:
            OptionError: The file of thumbnails cannot be read.
        """
        if (place := self._places.get(key)) is None:
            return None
        with _opened(place[0]) as file:
            file.seek(place[1])
            name, before, after = _LENGTHS.unpack(file.read(_LENGTHS.size))
            file.seek(name, 1)
            return file.read(before), file.read(after)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file of thumbnails; system errors in the block, too, become an ``OptionError``."""
    with system_errors(OptionError, path, "move it away; only thumbnails are lost"), path.open("rb") as file:
        yield file


def _records(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield the key, start and end of each complete record in a file; there are none in a missing file."""
    try:
        with _opened(path) as file:
            yield from _records_in(file)
    except OptionError as exc:
        if not isinstance(exc.__cause__, FileNotFoundError):
            raise


def _records_in(file: BinaryIO) -> Iterator[tuple[str, int, int]]:
    size, position = os.fstat(file.fileno()).st_size, 0
    while len(head := file.read(_LENGTHS.size)) == _LENGTHS.size:
        lengths = _LENGTHS.unpack(head)
        end = position + _LENGTHS.size + sum(lengths)
        if end > size:
            return
        yield file.read(lengths[0]).decode("utf-8", "surrogateescape"), position, end
        position = end
        file.seek(end)
