"""Writes the pixel aspect ratio into the header of a finished Matroska or MXF file, since PyAV cannot set it.

The header of Matroska is a tree of EBML elements (RFC 8794), each with an ID, a size and a payload. The added fields
take space from the Void element that FFmpeg leaves between the index and the tracks. In MXF, FFmpeg states square
pixels for DNxHR.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

_SEGMENT, _SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_VOID, _INFO, _TRACKS, _TRACK, _VIDEO = 0xEC, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
_AS_RATIO = 3  # display unit: width and height are a ratio
_MXF_RATIO = b"\x32\x0e\x00\x08"  # local tag and size of the aspect ratio of a picture (SMPTE ST 377-1, F.4.1)
_HEADER = 1 << 20  # bytes read from a file, which contain all fields of interest


@dataclass(frozen=True)
class _Element:
    """An element's ID, and the offsets of its parts in the file."""

    id: int
    start: int
    data: int
    """Offset of the payload."""
    end: int


def write_aspect(path: Path, container: str, width: int, height: int, aspect: Fraction) -> bool:
    """Set the pixel aspect ratio of the first video track in a film that FFmpeg wrote, if FFmpeg has not.

    Args:
        path: The file; a Matroska file has no checksums.
        container: FFmpeg's name of the container format; those other than Matroska and MXF are left as they are.
        width: Columns of pixels.
        height: Rows of pixels.
        aspect: Width of a pixel divided by its height.

    Returns:
        False if the layout of the header is not as expected, so that it does not state the ratio.

    Raises:
        OSError: The file cannot be read or written.
    """
    if aspect == 1 or container not in ("matroska", "mxf"):
        return True
    square = Fraction(width, height)
    with path.open("rb+") as stream:
        header = stream.read(_HEADER)
        found = _in_mxf(header, square, aspect) if container == "mxf" else _in_matroska(header, square * aspect)
        if found is None:
            return False
        stream.seek(found[0])
        stream.write(found[1])
    return True


def _in_mxf(header: bytes, square: Fraction, aspect: Fraction) -> tuple[int, bytes] | None:
    """Return the new content of a part of the header, and the part's offset; None if the layout is not as expected."""
    stated, wanted = (
        _MXF_RATIO + struct.pack(">II", ratio.numerator, ratio.denominator) for ratio in (square, square * aspect)
    )
    at = header.find(wanted if wanted in header else stated)
    return None if at < 0 else (at, wanted)


def _in_matroska(header: bytes, shape: Fraction) -> tuple[int, bytes] | None:
    """Return the new content of a part of the header, and the part's offset; None if the layout is not as expected."""
    if (found := _located(header)) is None:
        return None
    seek_head, void, info, tracks = found
    new = _with_display(header, tracks, shape.numerator, shape.denominator)
    growth = len(new) - (tracks.end - tracks.start)
    room = void.end - void.start - growth - 9  # an ID of one byte, and a size of eight
    if room < 0:
        return None
    index = _moved(header, seek_head, growth)
    return seek_head.start, index + _encoded(_VOID, bytes(room)) + header[info.start : info.end] + new


def _located(header: bytes) -> tuple[_Element, _Element, _Element, _Element] | None:
    """Return the index, the Void element, the segment information and the tracks; None if they are not consecutive."""
    segment = next((e for e in _elements(header, 0, len(header)) if e.id == _SEGMENT), None)
    if segment is None:
        return None
    parts = list(_elements(header, segment.data, min(segment.end, len(header))))[:4]
    if [part.id for part in parts] != [_SEEK_HEAD, _VOID, _INFO, _TRACKS] or parts[3].end > len(header):
        return None
    return parts[0], parts[1], parts[2], parts[3]


def _elements(buffer: bytes, start: int, end: int) -> Iterator[_Element]:
    """Yield the elements between two offsets, without those inside them."""
    while start < end:
        id_length = 9 - buffer[start].bit_length()
        size_at = start + id_length
        size_length = 9 - buffer[size_at].bit_length()
        data = size_at + size_length
        size = int.from_bytes(buffer[size_at:data], "big") & ((1 << 7 * size_length) - 1)
        yield _Element(int.from_bytes(buffer[start:size_at], "big"), start, data, data + size)
        start = data + size


def _encoded(id: int, payload: bytes) -> bytes:
    size = (1 << 56 | len(payload)).to_bytes(8, "big")
    return id.to_bytes((id.bit_length() + 7) // 8, "big") + size + payload


def _with_display(header: bytes, tracks: _Element, width: int, height: int) -> bytes:
    """Return the tracks element with the display size added to the first video track."""
    for track in _elements(header, tracks.data, tracks.end):
        for video in _elements(header, track.data, track.end) if track.id == _TRACK else ():
            if video.id == _VIDEO:
                changed = _encoded(_VIDEO, _display(header, video, width, height))
                entry = _encoded(_TRACK, header[track.data : video.start] + changed + header[video.end : track.end])
                return _encoded(_TRACKS, header[tracks.data : track.start] + entry + header[track.end : tracks.end])
    return header[tracks.start : tracks.end]


def _display(header: bytes, video: _Element, width: int, height: int) -> bytes:
    """Return the payload of a video element with the display size replaced."""
    fields = {_DISPLAY_WIDTH: width, _DISPLAY_HEIGHT: height, _DISPLAY_UNIT: _AS_RATIO}
    kept = [header[e.start : e.end] for e in _elements(header, video.data, video.end) if e.id not in fields]
    return b"".join(kept + [_encoded(id, value.to_bytes(4, "big")) for id, value in fields.items()])


def _moved(header: bytes, seek_head: _Element, growth: int) -> bytes:
    """Return the index with the positions of information and tracks reduced by ``growth``."""
    index = bytearray(header[seek_head.start : seek_head.end])
    for seek in _elements(header, seek_head.data, seek_head.end):
        parts = {e.id: e for e in _elements(header, seek.data, seek.end)} if seek.id == _SEEK else {}
        target, position = parts.get(_SEEK_ID), parts.get(_SEEK_POSITION)
        if target and position and int.from_bytes(header[target.data : target.end], "big") in (_INFO, _TRACKS):
            value = int.from_bytes(header[position.data : position.end], "big") - growth
            at = slice(position.data - seek_head.start, position.end - seek_head.start)
            index[at] = value.to_bytes(position.end - position.data, "big")
    return bytes(index)
