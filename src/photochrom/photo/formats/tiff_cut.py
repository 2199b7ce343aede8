"""Extracts single pages from TIFF files, so that the time to read a page does not depend on the other pages."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from PIL.ExifTags import Base as Tag

from ...errors import WHOLE_COPY, PhotoError
from . import exif
from .exif import LONG, Entry, Tiff

_OLD_JPEG: Final = 6  # compression
_LONG8: Final = (13, 16, 18)


def cut_short() -> PhotoError:
    """Return the error for a file of which parts are missing."""
    return PhotoError("is cut short or damaged", remedy=WHOLE_COPY)


def page_file(tiff: Tiff, entries: Sequence[Entry]) -> bytes:
    """Return a classic TIFF with one page of a file: its strips or tiles, then its tags. Nothing is decoded.

    Args:
        tiff: The file that contains the page.
        entries: Entries of the page's directory.

    Raises:
        PhotoError: A strip or tile lies outside the file.
        struct.error: The page has more than 4 GB.
    """
    out = bytearray((b"II*\0" if tiff.order == "<" else b"MM\0*") + bytes(4))
    offsets, sizes = parts_of(tiff, entries)
    if _can_copy_parts(tiff, entries, offsets, sizes):
        new_offsets = []
        for offset, size in zip(offsets, sizes, strict=True):
            new_offsets.append(len(out))
            out += tiff.data[offset : offset + size]
            out += bytes(len(out) % 2)
    else:  # copy the whole file, since the parts of the page are unknown or overlap
        out += tiff.data[len(out) :]
        out += bytes(len(out) % 2)
        new_offsets = list(offsets)
    tag = Tag.TileOffsets if any(entry.tag == Tag.TileOffsets for entry in entries) else Tag.StripOffsets
    rows = [tiff.entry(tag, LONG, new_offsets) if entry.tag == tag else _with_32_bits(tiff, entry) for entry in entries]
    struct.pack_into(tiff.order + "I", out, 4, len(out))
    rows = [entry for entry in rows if entry.tag != Tag.SubIFDs]
    return bytes(out + exif.packed(tiff, rows, len(out)))


def parts_of(tiff: Tiff, entries: Sequence[Entry]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return offsets and sizes (in bytes) of a page's strips or tiles. Old programs omit some sizes.

    Raises:
        PhotoError: A strip or tile extends past the end of the file.
    """
    tiled = any(entry.tag == Tag.TileOffsets for entry in entries)
    tags = (Tag.TileOffsets, Tag.TileByteCounts) if tiled else (Tag.StripOffsets, Tag.StripByteCounts)
    offsets, sizes = (tiff.all_integers(entries, tag) for tag in tags)
    if max((a + b for a, b in zip(offsets, sizes, strict=False)), default=0) > len(tiff.data):
        raise cut_short()
    return offsets, sizes


def shifted(tiff: Tiff, entries: Sequence[Entry], by: int) -> list[Entry]:
    """Return the entries of a page with the offsets of its strips or tiles increased by ``by``."""
    return [
        tiff.entry(entry.tag, LONG, [offset + by for offset in tiff.integers(entry)])
        if entry.tag in (Tag.StripOffsets, Tag.TileOffsets)
        else entry
        for entry in entries
    ]


def _can_copy_parts(tiff: Tiff, entries: Sequence[Entry], offsets: Sequence[int], sizes: Sequence[int]) -> bool:
    """Return whether the strips or tiles of a page can be copied separately.

    This requires that their sizes are known, that they do not overlap (then sizes would add up to more than the file),
    and that they are not old-style JPEG.
    """
    known = len(offsets) == len(sizes) and sum(sizes) <= len(tiff.data)
    return known and tiff.number(entries, Tag.Compression, 1) != _OLD_JPEG


def _with_32_bits(tiff: Tiff, entry: Entry) -> Entry:
    """Convert an entry of 64-bit integers to 32 bits, since a classic TIFF has no 64-bit types."""
    return tiff.entry(entry.tag, LONG, tiff.integers(entry)) if entry.type in _LONG8 and entry.value else entry
