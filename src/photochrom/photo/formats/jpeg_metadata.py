"""Converts between ``Metadata`` and the segments of a JPEG in which it is stored."""

from __future__ import annotations

import re
import struct
from collections.abc import Container, Iterable, Iterator
from fractions import Fraction
from typing import Final

from ...errors import PhotoError
from . import exif, photoshop
from .image import C2PA_LOST, GAIN_MAP_LOST, NO_UNIT, PER_CM, PER_INCH, Density, Metadata, decoded_text
from .splice import segment
from .xmp import Packet

APP1, APP2, APP13, COMMENT = 0xE1, 0xE2, 0xED, 0xFE
JFIF: Final = b"JFIF\0"
_APP0, _APP11, _APP15 = 0xE0, 0xEB, 0xEF
_MAX_PAYLOAD: Final = 65533  # bytes in the payload of a segment
_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_ICC: Final = b"ICC_PROFILE\0"
_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_FFMPEG: Final = b"Lavc"
_GAIN_MAPS: Final = (b"hdr-gain-map", b"GainMap", b"HDRGainMap", b"urn:iso:std:iso:ts:21496")
_KEPT: Final = ((APP1, _EXIF), (APP1, _XMP), (APP1, _MORE_XMP), (APP2, _ICC), (APP13, _PHOTOSHOP))
# Thumbnails, how the old pixels are coded, and where further pictures are.
_OF_THE_OLD_FILE: Final = (b"JFIF", b"JFXX", b"Adobe", b"Ducky", b"MPF\0", *_GAIN_MAPS)
_UNITS: Final = (NO_UNIT, PER_INCH, PER_CM)  # for JFIF's codes 0, 1, 2


def metadata_of(segments: list[tuple[int, bytes]]) -> Metadata:
    """Return the metadata in the segments (marker and payload) of a JPEG."""
    exif_block = next(iter(_named(segments, APP1, _EXIF)), None)
    iptc, resources = photoshop.split(b"".join(_named(segments, APP13, _PHOTOSHOP)))
    # The first two bytes of each ICC part are its number and the number of parts.
    icc = b"".join(part[2:] for part in sorted(_named(segments, APP2, _ICC), key=lambda part: part[:1]))
    comments = [payload for marker, payload in segments if marker == COMMENT]
    return Metadata(
        exif=exif_block,
        xmp=_whole_xmp(segments),
        iptc=iptc,
        photoshop=resources,
        icc=icc or None,
        density=_jfif_density(segments, (1, 2)) or exif.density(exif_block) or _pixel_shape(segments),
        native=tuple((b"COM", comment) for comment in comments),
        texts=tuple("Comment: " + decoded_text(comment) for comment in comments),
    )


def _named(segments: list[tuple[int, bytes]], marker: int, name: bytes) -> list[bytes]:
    return [payload[len(name) :] for found, payload in segments if found == marker and payload.startswith(name)]


def _whole_xmp(segments: list[tuple[int, bytes]]) -> bytes | None:
    """Return the XMP packet, merged with its extension if there is one."""
    main = next(iter(_named(segments, APP1, _XMP)), None)
    parts = _named(segments, APP1, _MORE_XMP)
    if main is None or not parts:
        return main
    packet = Packet(main)
    guid = (packet.get("xmpNote:HasExtendedXMP") or "").encode()
    # Layout of a part: GUID (32 bytes), total length (4), offset of this part (4), text.
    own = sorted((part[36:40], part[40:]) for part in parts if part[:32] == guid)
    if own:
        packet.absorb(b"".join(text for _, text in own))
    return packet.to_bytes()


def _jfif_density(segments: list[tuple[int, bytes]], units: Container[int]) -> Density | None:
    """Return the resolution in the JFIF segment; None if its unit is not among ``units``, or it has none and is 1:1."""
    for payload in _named(segments, _APP0, JFIF):
        if len(payload) < 7:
            continue  # damaged, which is no reason to refuse the picture
        unit, x, y = struct.unpack_from(">BHH", payload, 2)
        if unit in units and x and y and (unit or x != y):
            return Density(Fraction(x), Fraction(y), _UNITS[unit])
    return None


def _pixel_shape(segments: list[tuple[int, bytes]]) -> Density | None:
    """Return the resolution without a unit in the JFIF segment; FFmpeg, known by its comment, exchanges its numbers."""
    found = _jfif_density(segments, (0,))
    by_ffmpeg = any(marker == COMMENT and payload.startswith(_FFMPEG) for marker, payload in segments)
    return Density(found.y, found.x, NO_UNIT) if found and by_ffmpeg else found


def metadata_segments(metadata: Metadata) -> bytes:
    """Encode metadata as segments, of which the first is JFIF's.

    Raises:
        PhotoError: EXIF or the ICC profile is too large for a JPEG.
    """
    encoded = []
    for marker, payload in _payloads(metadata):
        if len(payload) > _MAX_PAYLOAD:
            raise PhotoError("has more EXIF than a JPEG can hold (64 KB)", remedy="write PNG or TIFF")
        encoded.append(segment(marker, payload))
    return b"".join(encoded)


def _payloads(metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    yield _APP0, JFIF + b"\x01\x01" + _density_bytes(metadata.density) + b"\0\0"
    if metadata.exif:
        yield APP1, _EXIF + metadata.exif
    yield from _xmp_segments(metadata.xmp)
    yield from _icc_segments(metadata.icc or b"")
    resources = photoshop.join(metadata.iptc, metadata.photoshop)
    for part in _cut(resources, _MAX_PAYLOAD - len(_PHOTOSHOP)):
        yield APP13, _PHOTOSHOP + part
    for _, comment in metadata.native:
        yield COMMENT, comment


def _density_bytes(density: Density | None) -> bytes:
    """Encode the resolution for JFIF: exactly if possible, otherwise rounded to whole pixels per inch."""
    if density is None:
        return struct.pack(">BHH", 0, 1, 1)
    unit, x, y = _UNITS.index(density.unit), density.x, density.y
    if x.denominator != 1 or y.denominator != 1:
        inches = density.per_inch()
        unit, (x, y) = (1, inches) if inches else (unit, (x, y))
    if not (1 <= round(x) <= 0xFFFF and 1 <= round(y) <= 0xFFFF):
        return struct.pack(">BHH", 0, 1, 1)
    return struct.pack(">BHH", unit, round(x), round(y))


def _xmp_segments(packet: bytes | None) -> Iterator[tuple[int, bytes]]:
    if packet is None:
        return
    if len(_XMP) + len(packet) <= _MAX_PAYLOAD:
        yield APP1, _XMP + packet
        return
    main, rest, guid = Packet(packet).split()
    yield APP1, _XMP + main
    position = 0
    for part in _cut(rest, _MAX_PAYLOAD - len(_MORE_XMP) - 40):
        yield APP1, _MORE_XMP + guid + struct.pack(">II", len(rest), position) + part
        position += len(part)


def _icc_segments(profile: bytes) -> Iterator[tuple[int, bytes]]:
    parts = _cut(profile, _MAX_PAYLOAD - len(_ICC) - 2)
    if len(parts) > 255:
        raise PhotoError("has an ICC profile too large for a JPEG", remedy="write PNG or TIFF")
    for number, part in enumerate(parts, start=1):
        yield APP2, _ICC + bytes([number, len(parts)]) + part


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def losses(segments: list[tuple[int, bytes]], trailer: bytes, stray: int) -> Iterator[str]:
    """Yield warnings about content that no output keeps.

    Args:
        segments: Segments before the first scan.
        trailer: Bytes after the first picture, where phones store a film or more pictures.
        stray: Number of bytes between the segments that belong to none of them.
    """
    if stray:
        yield f"stray bytes between its headers ({stray:,}) are not kept: the file may be damaged"
    headers = b"".join(payload for marker, payload in segments if marker in (APP1, APP2))
    if b"\xff\xd8\xff" in trailer:
        gain_map = any(name in headers + trailer for name in _GAIN_MAPS)
        yield GAIN_MAP_LOST if gain_map else "its further pictures are not kept"
    if b"ftyp" in trailer[:64] or b"MotionPhoto_Data" in trailer:
        yield "its film (motion photo) is not kept"
    has_c2pa = any(marker == _APP11 and b"c2pa" in payload for marker, payload in segments)
    if has_c2pa:
        yield C2PA_LOST
    if names := list(dict.fromkeys(_dropped(one for one in segments if not (has_c2pa and one[0] == _APP11)))):
        yield f"its {'segment' if len(names) == 1 else 'segments'} {' and '.join(names)} " + (
            "is not kept" if len(names) == 1 else "are not kept"
        )


def _dropped(segments: Iterable[tuple[int, bytes]]) -> Iterator[str]:
    """Yield the names of application segments that are neither read nor made obsolete by the new file."""
    single = {_EXIF, _XMP}  # only the first of each is read
    for marker, payload in segments:
        if not _APP0 <= marker <= _APP15 or payload.startswith(_OF_THE_OLD_FILE):
            continue
        kind = next((name for kept, name in _KEPT if kept == marker and payload.startswith(name)), None)
        if kind is None or (kind in (_EXIF, _XMP) and kind not in single):
            label = re.sub(rb"[^ -~].*", b"", payload[:30], flags=re.S).decode("ascii")
            yield f"APP{marker - _APP0}{f' ({label})' if label else ''}"
        single.discard(kind or b"")
