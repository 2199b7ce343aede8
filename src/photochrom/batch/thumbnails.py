"""Stores thumbnails of before and after for the contact sheet, in one file beside the report.

``report.thumbnails`` holds one record per item: the lengths of key, before and after (three unsigned 32-bit integers,
little endian), then the three themselves. Records are appended; the last record of a key counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LENGTHS: Final = struct.Struct("<III")


class ThumbnailWriter:
    """Appends thumbnails to a file. A context manager."""

    def __init__(self, path: Path) -> None:
        end = max((stop for _, _, stop in _records(path)), default=0)
        self._file = path.open("ab")
        self._file.truncate(end)  # removes an incomplete record of a killed process

    def append(self, key: str, before: bytes, after: bytes) -> None:
        """Write a record, unless the item has no thumbnails."""
        if before and after:
            name = key.encode("utf-8", "surrogateescape")
            self._file.write(_LENGTHS.pack(len(name), len(before), len(after)) + name + before + after)

    def __enter__(self) -> ThumbnailWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Thumbnails:
    """Reads thumbnails by key; only their positions are kept in memory.

    Args:
        paths: Files of one batch, some of which may be missing.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._places = {key: (path, start) for path in paths for key, start, _ in _records(path)}

    def get(self, key: str) -> tuple[bytes, bytes] | None:
        """Return the small JPEGs of before and after, or None."""
        if (place := self._places.get(key)) is None:
            return None
        with place[0].open("rb") as file:
            file.seek(place[1])
            name, before, after = _LENGTHS.unpack(file.read(_LENGTHS.size))
            file.seek(name, 1)
            return file.read(before), file.read(after)


def _records(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield key, start and end of each complete record."""
    if not path.is_file():
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        position = 0
        while len(head := file.read(_LENGTHS.size)) == _LENGTHS.size:
            lengths = _LENGTHS.unpack(head)
            end = position + _LENGTHS.size + sum(lengths)
            if end > size:
                return
            yield file.read(lengths[0]).decode("utf-8", "surrogateescape"), position, end
            position = end
            file.seek(end)
