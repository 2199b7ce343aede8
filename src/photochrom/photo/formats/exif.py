"""Reads and edits EXIF, a structure of TIFF directories, byte by byte.

An EXIF block is a small TIFF file: a header, then directories whose entries refer to their values by offsets from the
start of the block. Maker notes contain such offsets, too, in undocumented layouts. A block is therefore not rebuilt:
entries are changed or removed in place, and their values keep their offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from mmap import mmap
from typing import Final, Literal

from PIL.ExifTags import Base as Tag

from .image import NO_UNIT, Density

_POSITIONS: Final = (0x9214, 0xA214)  # SubjectArea and SubjectLocation, in coordinates of the pixels as stored

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST_SHARED: Final = 2  # times the size of the data: the sum of a directory's values, of which writers let few overlap
_BELOW: Final[dict[int, tuple[int, ...]]] = {Tag.ExifOffset: (Tag.ExifInteroperabilityOffset,)}
"""Tags of the pointers that a subdirectory may hold, by its own pointer; no others are followed, as they may loop."""
_INTEGERS: Final = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

Order = Literal["<", ">"]  # byte order, as struct and NumPy write it

METADATA_BLOCKS: Final = frozenset([Tag.XMLPacket, Tag.IPTCNAA, Tag.ImageResources, Tag.InterColorProfile])
"""Tags of metadata blocks, which are copied separately from the other tags."""
CODING: Final = METADATA_BLOCKS.union(
    [
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291),
        *(292, 293, 317, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 333, 334, 336, 338, 339, 340, 341, 342),
        *(347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
        *range(50706, 50780),  # DNG tags: the output is not a DNG
        37724,  # Photoshop layers are still grey, and Photoshop would show them instead of the picture
    ]
)
"""Tags that are not copied with the descriptive ones: those on pixel coding, and ``METADATA_BLOCKS``."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a TIFF directory."""

    tag: int
    type: int
    """Number of the TIFF type, such as ``SHORT``."""
    count: int
    """Number of values."""
    value: memoryview
    """Raw bytes of the values; empty if the entry points outside the data."""
    position: int
    """Offset of the entry itself."""


@dataclass(frozen=True)
class Tiff:
    """A TIFF structure, classic or BigTIFF."""

    data: memoryview
    """The whole structure, from its header on."""
    order: Order
    """Byte order."""
    big: bool
    """Whether the structure is a BigTIFF, whose offsets have 64 bits."""
    first: int
    """Offset of the first directory."""

    def directory(self, start: int) -> tuple[list[Entry], int]:
        """Return the entries of the directory at ``start`` and the offset of the next directory (0 if it is the last).

        Raises:
            struct.error: The directory extends past the end of the data, or its values overlap, so that copies of them
                could take thousands of times the memory of the data.
        """
        if start >= len(self.data):  # a 64-bit offset may be too large for struct
            raise struct.error("the directory is past the end")
        head, row, tail = ("Q", "HHQ", "Q") if self.big else ("H", "HHI", "I")
        (count,) = struct.unpack_from(self.order + head, self.data, start)
        start += struct.calcsize("=" + head)
        size = 20 if self.big else 12
        entries = [self._entry(self.order + row, start + i * size) for i in range(count)]
        (following,) = struct.unpack_from(self.order + tail, self.data, start + count * size)
        if sum(len(entry.value) for entry in entries) > _MOST_SHARED * len(self.data):
            raise struct.error("the values of the directory overlap")
        return entries, following

    def _entry(self, row: str, position: int) -> Entry:
        tag, kind, count = struct.unpack_from(row, self.data, position)
        size = count * _SIZES.get(kind, 0)
        inline = 8 if self.big else 4
        start = position + struct.calcsize(row)
        if size > inline:
            (start,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), self.data, start)
        value = self.data[start : start + size]
        return Entry(tag, kind, count, value if len(value) == size else value[:0], position)

    def integers(self, entry: Entry) -> tuple[int, ...]:
        """Return the values of an unsigned integer entry, or an empty tuple for an entry of another type."""
        letter = _INTEGERS.get(entry.type)
        if letter is None or not entry.value:
            return ()
        return struct.unpack(f"{self.order}{entry.count}{letter}", entry.value)

    def entry(self, tag: int, kind: int, values: Sequence[int]) -> Entry:
        """Create an entry of an integer type in this byte order, without a position in the file.

        Raises:
            struct.error: A value is too large for the type.
        """
        value = struct.pack(f"{self.order}{len(values)}{_INTEGERS[kind]}", *values)
        return Entry(tag, kind, len(values), memoryview(value), 0)

    def number(self, entries: Iterable[Entry], tag: int, default: int) -> int:
        """Return the first integer of a tag, or ``default`` if it is missing or does not hold unsigned integers."""
        return next(iter(self.all_integers(entries, tag)), default)

    def all_integers(self, entries: Iterable[Entry], tag: int) -> tuple[int, ...]:
        """Return the integers of a tag; empty if it is missing or does not hold unsigned integers."""
        return next((self.integers(entry) for entry in entries if entry.tag == tag), ())

    def fraction(self, entries: Iterable[Entry], tag: int) -> Fraction | None:
        """Return the first unsigned rational of a tag, or None if it is missing or not positive."""
        for entry in entries:
            if entry.tag == tag and entry.type == RATIONAL and entry.value:
                numerator, denominator = struct.unpack_from(self.order + "II", entry.value)
                return Fraction(numerator, denominator) if numerator and denominator else None
        return None


def open_tiff(data: bytes | mmap) -> Tiff:
    """Read the header of a TIFF structure.

    Raises:
        ValueError: The data is not a TIFF structure.
        struct.error: The header is truncated.
    """
    if data[:2] not in (b"II", b"MM"):
        raise ValueError("no TIFF header")
    order: Order = "<" if data[:2] == b"II" else ">"
    (magic,) = struct.unpack_from(order + "H", data, 2)
    if magic not in (42, 43):
        raise ValueError("no TIFF header")
    (first,) = struct.unpack_from(order + ("Q" if magic == 43 else "I"), data, 8 if magic == 43 else 4)
    return Tiff(memoryview(data), order, magic == 43, first)


def find(entries: Iterable[Entry], tag: int) -> bytes | None:
    """Return the raw value of a tag, or None if it is missing."""
    return next((bytes(entry.value) for entry in entries if entry.tag == tag and entry.value), None)


def orientation(block: bytes | None) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if the block is missing, damaged, or does not state one."""
    tiff = _readable(block)
    return 1 if tiff is None else orientation_of(tiff, tiff.directory(tiff.first)[0])


def orientation_of(tiff: Tiff, entries: Iterable[Entry]) -> int:
    """Return the orientation in the entries of a directory, 1 to 8; 1 if there is none."""
    value = tiff.number(entries, Tag.Orientation, 1)
    return value if 1 <= value <= 8 else 1


def density(block: bytes | None) -> Density | None:
    """Return the resolution in the first directory of a block; None if the block is missing, damaged or states none."""
    tiff = _readable(block)
    return None if tiff is None else density_of(tiff, tiff.directory(tiff.first)[0])


def density_of(tiff: Tiff, entries: Sequence[Entry]) -> Density | None:
    """Return the resolution in the entries of a directory, or None if there is none."""
    x, y = tiff.fraction(entries, Tag.XResolution), tiff.fraction(entries, Tag.YResolution)
    unit = tiff.number(entries, Tag.ResolutionUnit, 2)
    return Density(x, y, unit if unit in (1, 2, 3) else NO_UNIT) if x and y else None


def update_for_output(block: bytes, width: int, height: int, *, turned: bool, moved: bool, srgb: bool) -> bytes:
    """Return an EXIF block changed to describe the output: upright, in colour, ``width`` x ``height``.

    The thumbnail is removed because it shows the grey picture. Tags on the pixel coding of the source are removed, too.
    A block that cannot be read is returned unchanged.

    Args:
        block: The EXIF block, a TIFF structure.
        width: Width of the upright picture, in pixels.
        height: Height of the upright picture, in pixels.
        turned: Whether rows of the source have become columns.
        moved: Whether the picture was rotated or mirrored to be upright.
        srgb: Whether the pixels were converted to sRGB.
    """
    tiff = _readable(block)
    if tiff is None:
        return block
    out = bytearray(block)
    entries, following = tiff.directory(tiff.first)
    _set_numbers(out, tiff, entries, {Tag.Orientation: 1})
    if turned:
        _swap(out, entries, Tag.XResolution, Tag.YResolution)
    details = _sub_directory(tiff, entries, Tag.ExifOffset)
    _set_numbers(out, tiff, details, {Tag.ExifImageWidth: width, Tag.ExifImageHeight: height})
    if srgb:
        _set_numbers(out, tiff, details, {Tag.ColorSpace: 1})
    removed = CODING.union(_POSITIONS if moved else ())
    _keep(out, tiff, tiff.first, [entry for entry in entries if entry.tag not in removed])
    kept = [entry for entry in details if entry.tag not in removed]
    if len(kept) < len(details):
        _keep(out, tiff, tiff.number(entries, Tag.ExifOffset, 0), kept)
    _cut_thumbnail(out, tiff, following)
    return bytes(out)


def without(block: bytes, tag: int) -> bytes:
    """Return a block without one tag of its first directory and without further directories, such as a thumbnail's.

    A block that cannot be read is returned unchanged.
    """
    tiff = _readable(block)
    if tiff is None:
        return block
    out = bytearray(block)
    _keep(out, tiff, tiff.first, [entry for entry in tiff.directory(tiff.first)[0] if entry.tag != tag])
    return bytes(out)


def from_tiff(tiff: Tiff, entries: Sequence[Entry]) -> bytes | None:
    """Copy the descriptive tags, EXIF and GPS of a TIFF page into an EXIF block; return None if there are none.

    Since values get new offsets, a maker note that contains offsets from the start of its file may become unreadable.
    """
    kept = [entry for entry in entries if entry.tag not in CODING and not _is_shape(entry)]
    if not kept:
        return None
    header = (b"II*\0" if tiff.order == "<" else b"MM\0*") + struct.pack(tiff.order + "I", 8)
    return header + packed(tiff, kept, 8)


def _is_shape(entry: Entry) -> bool:
    """Return whether an entry is the array shape that tifffile stores as the description."""
    return entry.tag == Tag.ImageDescription and bytes(entry.value[:10]) == b'{"shape": '


def from_density(density: Density) -> bytes:
    """Create an EXIF block with the resolution only, for formats that cannot store it elsewhere."""
    x, y = (fraction.limit_denominator(10**6) for fraction in (density.x, density.y))
    table = struct.pack("<HHHIIHHIIHHIHHI", 3, *(Tag.XResolution, RATIONAL, 1, 50), *(Tag.YResolution, RATIONAL, 1, 58),
                        *(Tag.ResolutionUnit, SHORT, 1, density.unit, 0), 0)  # fmt: skip
    return b"II*\0\x08\0\0\0" + table + struct.pack("<4I", *x.as_integer_ratio(), *y.as_integer_ratio())


def _readable(block: bytes | None) -> Tiff | None:
    """Parse a block; return None if it is damaged (which other programs tolerate) or a BigTIFF."""
    try:
        tiff = open_tiff(block or b"")
        tiff.directory(tiff.first)
    except (ValueError, struct.error):
        return None
    return None if tiff.big else tiff


def _sub_directory(tiff: Tiff, entries: Sequence[Entry], pointer: int) -> list[Entry]:
    start = tiff.number(entries, pointer, 0)
    try:
        return tiff.directory(start)[0] if start else []
    except struct.error:
        return []


def _set_numbers(out: bytearray, tiff: Tiff, entries: Sequence[Entry], values: dict[int, int]) -> None:
    for entry in entries:
        if entry.tag in values and entry.value and entry.type in (BYTE, SHORT, LONG):
            letter = "H" if entry.type != LONG and values[entry.tag] <= 0xFFFF else "I"
            kind = SHORT if letter == "H" else LONG
            # The count becomes 1, since programs use only the first of several values.
            struct.pack_into(tiff.order + "HI", out, entry.position + 2, kind, 1)
            struct.pack_into(f"{tiff.order}{letter}", out, entry.position + 8, values[entry.tag])


def _swap(out: bytearray, entries: Sequence[Entry], first: int, second: int) -> None:
    """Swap the types, counts and values of two tags."""
    starts = [entry.position + 2 for tag in (first, second) for entry in entries if entry.tag == tag]
    if len(starts) == 2:
        a, b = starts
        out[a : a + 10], out[b : b + 10] = out[b : b + 10], out[a : a + 10]


def _keep(out: bytearray, tiff: Tiff, start: int, entries: Sequence[Entry]) -> None:
    """Reduce the directory at ``start`` to ``entries``, and make it the last directory of the block."""
    (count,) = struct.unpack_from(tiff.order + "H", out, start)
    rows = b"".join(bytes(out[entry.position : entry.position + 12]) for entry in entries)
    table = struct.pack(tiff.order + "H", len(entries)) + rows
    size = 2 + count * 12 + 4
    out[start : start + size] = table.ljust(size, b"\0")


def _cut_thumbnail(out: bytearray, tiff: Tiff, start: int) -> None:
    """Overwrite the thumbnail in the second directory with zeros, and cut it off if it is at the end of the block."""
    try:
        entries = tiff.directory(start)[0] if start else []
    except struct.error:
        return
    offset, size = tiff.number(entries, Tag.JpegIFOffset, 0), tiff.number(entries, Tag.JpegIFByteCount, 0)
    if start < offset and offset + size <= len(out):  # all known programs store it after its directory
        out[offset : offset + size] = bytes(size)
        if offset + size == len(out):
            del out[offset:]


def packed(
    tiff: Tiff, entries: Sequence[Entry], start: int, pointers: tuple[int, ...] = (Tag.ExifOffset, Tag.GPSInfo)
) -> bytes:
    """Serialise a directory for offset ``start`` of a classic TIFF, followed by its values and subdirectories.

    Entries without a value are left out, and so are those of types that only BigTIFF has. Of entries with the same
    tag, the first one counts.

    Args:
        tiff: The structure that contains the entries.
        entries: The entries, in the order of their tags.
        start: Offset at which the directory will be stored, an even number.
        pointers: Tags whose values are offsets of subdirectories, which are included.
    """
    rows, body = [], bytearray()
    # Only BigTIFF has the types from 16 on. Among descriptive tags only pointers use them, and pointers are rewritten.
    first = {entry.tag: entry for entry in reversed(entries)}
    entries = [entry for entry in entries if first[entry.tag] is entry]
    entries = [entry for entry in entries if entry.value and (entry.type < 16 or entry.tag in pointers)]
    values_start = start + 2 + 12 * len(entries) + 4
    for entry in entries:
        offset = values_start + len(body)
        kind, count, value = entry.type, entry.count, bytes(entry.value)
        if entry.tag in pointers:
            kind, count, value = LONG, 1, struct.pack(tiff.order + "I", offset)
            body += packed(tiff, _sub_directory(tiff, [entry], entry.tag), offset, _BELOW.get(entry.tag, ()))
        elif len(value) > 4:
            body += value + b"\0" * (len(value) % 2)
            value = struct.pack(tiff.order + "I", offset)
        rows.append(struct.pack(tiff.order + "HHI", entry.tag, kind, count) + value.ljust(4, b"\0"))
    return struct.pack(tiff.order + "H", len(rows)) + b"".join(rows) + bytes(4) + bytes(body)
