"""Reads and writes Photoshop's image resources ("8BIM") and IPTC-IIM, the older form of IPTC, which they contain."""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Iterator
from typing import Final

from .image import decoded_text
from .xmp import Packet

IIM: Final = b"\x1c"
"""First byte of every IIM data set."""
INSTRUCTIONS: Final = 40  # data set of IIM's record 2
_IPTC: Final = 0x0404
_THUMBNAILS: Final = (0x0409, 0x040C)  # they show the grey picture
_IS_UTF8: Final = (1, 90, b"\x1b%G")  # data set of a block in UTF-8

# Data set of record 2 -> XMP property and kind of XMP array (IPTC Photo Metadata Standard).
_PROPERTIES: Final = {
    5: ("dc:title", "Alt"),
    25: ("dc:subject", "Bag"),
    INSTRUCTIONS: ("photoshop:Instructions", ""),
    55: ("photoshop:DateCreated", ""),
    80: ("dc:creator", "Seq"),
    85: ("photoshop:AuthorsPosition", ""),
    90: ("photoshop:City", ""),
    92: ("Iptc4xmpCore:Location", ""),
    95: ("photoshop:State", ""),
    100: ("Iptc4xmpCore:CountryCode", ""),
    101: ("photoshop:Country", ""),
    103: ("photoshop:TransmissionReference", ""),
    105: ("photoshop:Headline", ""),
    110: ("photoshop:Credit", ""),
    115: ("photoshop:Source", ""),
    116: ("dc:rights", "Alt"),
    120: ("dc:description", "Alt"),
    122: ("photoshop:CaptionWriter", ""),
}

_OTHERS: Final = {
    3: "object type", 4: "object attribute", 7: "edit status", 8: "editorial update", 10: "urgency",
    12: "subject reference", 15: "category", 20: "supplemental category", 22: "fixture identifier",
    26: "location code", 27: "location name", 30: "release date", 35: "release time", 37: "expiration date",
    38: "expiration time", 42: "action advised", 45: "reference service", 47: "reference date",
    50: "reference number", 60: "time of creation", 62: "digital creation date", 63: "digital creation time",
    65: "program", 70: "program version", 75: "object cycle", 118: "contact", 130: "image type",
    131: "image orientation", 135: "language",
}  # fmt: skip
"""Names of data sets of record 2 that have no XMP property, for messages."""


def split(resources: bytes) -> tuple[bytes | None, bytes | None]:
    """Split Photoshop resources into the IIM block and the other resources to keep; each is None if empty."""
    iptc, others = None, []
    for kind, whole, content in _resources(resources):
        if kind == _IPTC:
            iptc = iptc or bytes(content)
        elif kind not in _THUMBNAILS:
            others.append(whole)
    return iptc, b"".join(others) or None


def join(iptc: bytes | None, others: bytes | None) -> bytes:
    """Join an IIM block and other resources into a block of Photoshop resources; empty if both are None."""
    head = b"" if iptc is None else struct.pack(">4sHHI", b"8BIM", _IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    return head + (others or b"")


def iptc_to_xmp(iptc: bytes, packet: Packet, numbers: Container[int] = _PROPERTIES) -> None:
    """Copy data sets of IIM to an XMP packet, in place, unless the packet has their properties already.

    Args:
        iptc: A block of IIM.
        packet: The packet to change.
        numbers: Numbers of the data sets of record 2 to copy; by default, all that have an XMP property.
    """
    sets = list(_data_sets(iptc))
    is_utf8 = _IS_UTF8 in sets
    for number, (name, array) in _PROPERTIES.items():
        found = [value for record, kind, value in sets if (record, kind) == (2, number)]
        values = [value.decode("utf-8", "replace") if is_utf8 else decoded_text(value) for value in found]
        if values and number in numbers and name not in packet:
            packet.set(name, [_iso_date(value) for value in values] if number == 55 else values, array)


def merged(blocks: Iterable[bytes]) -> bytes | None:
    """Return the first block of IIM, with the data sets appended that only later blocks have; None without blocks.

    Blocks of another encoding than the first one's are left out.
    """
    parts: list[bytes] = []
    known: set[tuple[int, int]] = set()
    is_utf8 = False
    for block in blocks:
        sets = list(_data_sets(block))
        if not parts:
            parts, is_utf8 = [block], _IS_UTF8 in sets
        elif (_IS_UTF8 in sets) == is_utf8:
            new = (one for one in sets if one[:2] not in known)
            parts += [struct.pack(">sBBH", IIM, *one[:2], len(one[2])) + one[2] for one in new]
        else:
            continue
        known.update(one[:2] for one in sets)
    return b"".join(parts) or None


def without_property(iptc: bytes) -> list[str]:
    """Return the names of data sets in a block of IIM that have no XMP property."""
    numbers = {number for record, number, _ in _data_sets(iptc) if record == 2 and number not in _PROPERTIES}
    return [_OTHERS.get(number, f"data set 2:{number}") for number in sorted(numbers - {0})]


def _resources(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield kind, bytes and content of each resource.

    From the first damaged one on, all remaining data is yielded as one resource of kind 0 with empty content.
    """
    position = 0
    while position < len(data):
        start = position
        position += 7 + data[position + 6] if position + 6 < len(data) else 7  # signature, kind, name with its length
        position += position % 2 != start % 2
        size = int.from_bytes(data[position : position + 4], "big")
        content = data[position + 4 : position + 4 + size]
        position += 4 + size + size % 2
        if data[start : start + 4] != b"8BIM" or len(content) != size:
            yield 0, data[start:], b""
            return
        yield int.from_bytes(data[start + 4 : start + 6], "big"), data[start:position], content


def _data_sets(iptc: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield record, number and value of each IIM data set; stop at padding, damage or a data set over 32 KB."""
    position = 0
    while iptc[position : position + 1] == IIM and position + 5 <= len(iptc):
        record, number, size = struct.unpack_from(">BBH", iptc, position + 1)
        position += 5 + size
        if size > 0x7FFF or position > len(iptc):
            return
        yield record, number, iptc[position - size : position]


def _iso_date(value: str) -> str:
    """Convert a date of IIM (19350704) to XMP (1935-07-04); an unknown month or day is 00 in IIM."""
    if len(value) != 8 or not value.isdigit():
        return value
    parts = (value[:4], value[4:6], value[6:])
    known = parts[: parts.index("00") if "00" in parts else 3]
    return "-".join(known)
