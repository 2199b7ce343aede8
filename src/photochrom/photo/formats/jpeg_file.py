"""``JpegFile`` finds the segments of a JPEG before its first scan, and the data after its picture."""

from __future__ import annotations

import functools
import re
import struct
from dataclasses import dataclass
from typing import Final

from ...errors import PhotoError
from .coefficients import CodedLuma
from .splice import LumaScans

APP0, APP1, APP2, APP11, APP13, APP14, COMMENT = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xFE
JFIF: Final = b"JFIF\0"
MAX_PAYLOAD: Final = 65533
"""Maximum number of bytes in the payload of a segment."""
_EOI, _SCAN = 0xD9, 0xDA
_METADATA: Final = (APP1, APP2, APP13, COMMENT)
_JFIF_LENGTH: Final = 14  # bytes of a JFIF header without a thumbnail
_MARKER: Final = re.compile(rb"\xff+([^\x00\xff])")  # finds the next marker as libjpeg does
_BARE: Final = (0x01, *range(0xD0, 0xD8))  # markers without a payload, which mean nothing before the scan
_END: Final = re.compile(rb"\xff\xd9")  # three times as fast as bytes.find


@dataclass(frozen=True, eq=False)
class JpegFile:
    """A JPEG file whose parts have been found."""

    data: bytes
    """The whole file."""
    segments: list[tuple[int, bytes]]
    """Marker and payload of each segment before the first scan."""
    scan: int
    """Position of the first scan."""
    stray: int
    """Number of stray bytes between the segments, which belong to none of them."""

    @classmethod
    def of(cls, data: bytes) -> JpegFile:
        """Find the parts of a JPEG file.

        Raises:
            PhotoError: There is no scan, or no end of image; libjpeg would fill the missing part with grey.
        """
        return cls(data, *_segments(data))

    @functools.cached_property
    def header(self) -> bytes:
        """Segments before the scan, without metadata, so that damaged EXIF cannot make Pillow refuse the picture."""
        needed = (segment(marker, payload) for marker, payload in self.segments if _is_needed(marker, payload))
        return b"".join((b"\xff\xd8", *needed))

    def bare(self) -> bytes:
        """Return a copy of the file without its metadata."""
        return b"".join((self.header, memoryview(self.data)[self.scan :]))

    def pixels(self) -> bytes:
        """Return the file for a decoder that ignores metadata: ``data``, or ``bare()`` if there are stray bytes."""
        length = 2 + sum(4 + len(payload) for _, payload in self.segments)
        return self.data if length == self.scan else self.bare()

    def trailer(self, coded: CodedLuma | None = None) -> bytes:
        """Return the bytes after the first picture, where phones store a film or more pictures."""
        if isinstance(coded, LumaScans):
            return bytes(coded.trailer)
        found = _END.search(self.data, self.scan)
        return b"" if found is None else self.data[found.end() :]


def _segments(data: bytes) -> tuple[list[tuple[int, bytes]], int, int]:
    """Return the segments (marker, payload) before the first scan, its position, and the number of stray bytes.

    Stray bytes, which belong to no segment, are skipped, as in libjpeg.

    Raises:
        PhotoError: There is no scan, or no end of image; libjpeg would fill the missing part with grey.
    """
    segments: list[tuple[int, bytes]] = []
    position, stray = 2, 0
    while (found := _MARKER.search(data, position)) is not None:
        marker, start = found[1][0], found.end()
        stray += found.start() - position
        if marker == _SCAN and data.rfind(b"\xff\xd9", start) >= 0:
            return segments, start - 2, stray
        if marker in (_SCAN, _EOI):
            break
        position = start
        if marker not in _BARE:
            position += max(2, int.from_bytes(data[start : start + 2], "big"))
            segments.append((marker, data[start + 2 : position]))
    raise PhotoError("is cut short: get a whole copy of the file")


def _is_needed(marker: int, payload: bytes) -> bool:
    """Return whether decoding needs a segment, unlike metadata and truncated JFIF headers, which Pillow refuses."""
    return marker not in _METADATA and not (payload.startswith(JFIF) and len(payload) < _JFIF_LENGTH)


def segment(marker: int, payload: bytes) -> bytes:
    """Return a segment with its marker and length.

    Raises:
        PhotoError: The payload is too large for a segment.
    """
    if len(payload) > MAX_PAYLOAD:
        raise PhotoError("has more EXIF than a JPEG can hold (64 KB): write PNG or TIFF")
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
