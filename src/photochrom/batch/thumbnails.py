"""Stores thumbnails of sources and outputs for the contact sheet, in one file beside the report.

``report.thumbnails`` is a sequence of records. A record holds three lengths in bytes (unsigned 32-bit integers, little
endian), followed by what they measure: the item's key, the JPEG of the source, and the JPEG of the output. Records are
only ever appended; if a key has several, the last one counts.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ..errors import OptionError, system_errors

_LENGTHS: Final = struct.Struct("<III")


@contextmanager
def thumbnail_writer(path: Path) -> Iterator[Callable[[str, bytes, bytes], None]]:
    """Yield a function that appends the thumbnails of an item, given its key and the JPEGs of its source and output.

    Args:
        path: The file; if its last record is incomplete because a process was killed, the record is removed.

    Raises:
        OptionError: The file cannot be read.
        OSError: The file cannot be written; the function may raise it, too.
    """
    end = max((stop for _, _, stop in _records(path)), default=0)
    with path.open("ab") as file:
        file.truncate(end)

        def append(key: str, before: bytes, after: bytes) -> None:
            name = key.encode("utf-8", "surrogateescape")
            file.write(_LENGTHS.pack(len(name), len(before), len(after)) + name + before + after)

        yield append


class Thumbnails:
    """Reads thumbnails by the items' keys; only their positions in the files are in memory.

    Args:
        paths: Files written by ``thumbnail_writer``; missing ones are ignored.

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
