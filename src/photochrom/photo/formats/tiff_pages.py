"""Pages of a TIFF file: the directories of full size, among previews and reduced copies."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap
from typing import Final

from ...errors import PhotoError
from . import exif
from .exif import Entry, Tiff

LOOP_LOST: Final = "its list of pages leads in a circle: pages behind it, if there are any, are not kept"
RAW: Final = "a camera's raw file: develop it to a plain TIFF first"
_SUB_PAGES: Final = 330


def only_page(tiff: Tiff) -> int:
    """Return the offset of the directory of the only page.

    Raises:
        PhotoError: There are several, or only previews, as in some cameras' raw files.
    """
    starts = _starts(tiff)
    if len(starts) > 1:
        raise PhotoError(f"holds {len(starts)} pages: name the page, or write all of them to a TIFF")
    return starts[0]


def _starts(tiff: Tiff) -> list[int]:
    """Return the offsets of the directories of full size.

    Film scanners and cameras put a preview first, and the picture behind it, or into a subdirectory of it.

    Raises:
        PhotoError: There are only previews, or no pages.
    """
    chain = [*_chain(tiff)]
    if not chain:
        raise PhotoError("is cut short (it has no page): get a whole copy of the file")
    starts = [start for start in chain if not _is_preview(tiff, start)]
    if chain[0] not in starts:
        below = tiff.all_integers(tiff.directory(chain[0])[0], _SUB_PAGES)
        starts += [start for start in below if start not in chain and not _is_preview(tiff, start)]
    if not starts:
        raise PhotoError(f"holds previews only, as does {RAW}")
    return starts


def _chain(tiff: Tiff) -> Iterator[int]:
    """Yield the offsets of the directories in their order, each once."""
    start, seen = tiff.first, set[int]()
    while start and start not in seen:
        yield start
        seen.add(start)
        start = tiff.directory(start)[1]


def _is_preview(tiff: Tiff, start: int) -> bool:
    entries = tiff.directory(start)[0]
    return tiff.number(entries, 254, 0) & 1 == 1 or tiff.number(entries, 255, 1) == 2


def has_loop(data: bytes) -> bool:
    """Return whether the directories of a TIFF file lead in a circle.

    Raises:
        ValueError, struct.error: The file is damaged.
    """
    tiff = exif.open_tiff(data)
    *_, last = 0, *_chain(tiff)
    return last != 0 and tiff.directory(last)[1] != 0


def described_before(tiff: Tiff, entries: list[Entry]) -> list[Entry]:
    """Return the descriptive tags of the first directory, a preview's, that the picture's own directory lacks."""
    of_preview = {exif.X_RESOLUTION, exif.Y_RESOLUTION, exif.RESOLUTION_UNIT, exif.ICC} | exif.CODING - exif.CARRIED
    known = of_preview.union(entry.tag for entry in entries)
    return [entry for entry in tiff.directory(tiff.first)[0] if entry.tag not in known]


def page_starts(data: bytes | mmap) -> list[int]:
    """Return the offsets of the directories of all pages of a TIFF file; reduced copies of a page do not count.

    Raises:
        PhotoError, ValueError, struct.error: The file is damaged, or holds previews only.
    """
    return _starts(exif.open_tiff(data))


def upright_size(data: bytes, number: int) -> tuple[int, int]:
    """Return width and height of a page, turned upright.

    Args:
        data: A TIFF file.
        number: The page, from 1.

    Raises:
        PhotoError, ValueError, IndexError, struct.error: The file is damaged, or there is no such page.
    """
    tiff = exif.open_tiff(data)
    start = _starts(tiff)[number - 1]
    entries = tiff.directory(start)[0]
    if start != tiff.first:
        entries += described_before(tiff, entries)
    width, height = (tiff.number(entries, tag, 0) for tag in (256, 257))
    return (height, width) if tiff.number(entries, exif.ORIENTATION, 1) >= 5 else (width, height)


def single_page(data: bytes, number: int) -> bytes:
    """Return a file that holds only one page of another, its place in the file unchanged.

    Args:
        data: A TIFF file.
        number: The page, from 1.

    Raises:
        PhotoError: There is no such page; or as for ``page_starts``.
    """
    starts = page_starts(data)
    if not 1 <= number <= len(starts):
        raise PhotoError(f"has {len(starts)} page{'s' * (len(starts) > 1)}, and none with the number {number}")
    if len(starts) == 1:  # ``read`` finds it, with what a preview before it tells
        return data
    return alone(data, starts[number - 1])


def alone(data: bytes, start: int) -> bytes:
    """Return a file whose only directory is the one at ``start``, its place in the file unchanged."""
    tiff, out = exif.open_tiff(data), bytearray(data)
    entries, _ = tiff.directory(start)
    count, row, letter = (8, 20, "Q") if tiff.big else (2, 12, "I")
    struct.pack_into(tiff.order + letter, out, 8 if tiff.big else 4, start)
    struct.pack_into(tiff.order + letter, out, start + count + row * len(entries), 0)
    return bytes(out)
