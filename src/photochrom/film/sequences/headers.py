"""Reads the header of a numbered frame, and compares it with that of the first frame."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL.ExifTags import Base as Tag
from simplejpeg import decode_jpeg_header

from ...errors import FilmError, PhotoError, counted, system_errors
from ...photo.formats import exif, jpeg, png
from . import dpx

REMEDY = "move frames of each kind to a folder of their own"
"""Advice if frames differ."""
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples per pixel, by colour type (PNG specification, 11.2.2)
_JPEG_SAMPLES = {"Gray": 1, "CMYK": 4, "YCCK": 4}  # samples per pixel, by simplejpeg's name of the colour space; or 3
_TIFF_TAGS = {Tag.ImageWidth: 0, Tag.ImageLength: 0, Tag.SamplesPerPixel: 1, Tag.BitsPerSample: 1}  # with defaults


@dataclass(frozen=True)
class Header:
    """Facts from the header of a frame; fields that its format does not have keep their defaults."""

    width: int
    height: int
    kind: str
    """Description of the pixel format for messages, such as ``3 samples of 8 bits a pixel (YCbCr 420)``."""
    orientation: int | None = 1
    """EXIF orientation in which the frame is stored, 1 to 8; None if only the rest of the file may state it."""
    rate: Fraction | None = None
    """Frames per second."""
    time_code: str = ""
    reel_name: str = ""
    is_log: bool = False
    """Whether the samples are logarithms of light."""
    aspect: Fraction | None = None
    """Width of a pixel divided by its height."""
    dropped: tuple[str, ...] = ()
    """Channels of chroma, which the new colours replace."""
    overscan: bool = False
    """Whether the data window extends beyond the display window."""


def read_header(path: Path, format: str, *, is_first: bool) -> Header | None:
    """Read a frame's header; return None if it is damaged, which is reported when the frame is decoded.

    Args:
        path: The frame.
        format: Its format, a value of ``SUFFIXES`` other than ``exr``.
        is_first: Whether others are compared with it, so that its orientation must be known. That of a PNG may stand
            behind its pixels, so all of the file is read.

    Raises:
        FilmError: The file cannot be read, or is not a DPX file that can be decoded.
    """
    if format == "dpx":
        own = dpx.read_header(path)
        kind, is_log = _kind(own.samples, own.bits), own.transfer in dpx.LOGARITHMIC
        return Header(own.width, own.height, kind, own.orientation, own.rate, own.time_code, own.reel_name, is_log)
    try:
        with system_errors(FilmError, path, "check its permissions, and the disk"), path.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # a TIFF's header may be at the end
            return _png(data, is_first) if format == "png" else _READERS[format](data)
    except (PhotoError, ValueError, IndexError, KeyError, struct.error):  # an empty file cannot be mapped
        return None


def _kind(samples: int, bits: int) -> str:
    return f"{counted(samples, 'sample')} of {bits} bits a pixel"


def _png(data: mmap.mmap, whole: bool) -> Header:
    name, width, height, bits, kind = struct.unpack_from(">4sIIBB", data, 12)
    if name != b"IHDR":
        raise ValueError("no header of the image")
    orientation = png.orientation(data, whole=whole) or (1 if whole else None)
    return Header(width, height, _kind(_PNG_SAMPLES[kind], bits), orientation)


def _tiff(data: mmap.mmap) -> Header:
    tiff = exif.open_tiff(data)
    entries = tiff.directory(tiff.first)[0]
    width, height, samples, bits = (tiff.number(entries, tag, usual) for tag, usual in _TIFF_TAGS.items())
    return Header(width, height, _kind(samples, bits), exif.orientation_of(tiff, entries))


def _jpeg(data: mmap.mmap) -> Header:
    height, width, space, subsampling = decode_jpeg_header(data)
    coding = "" if space == "Gray" else f" ({space} {subsampling})"
    return Header(width, height, _kind(_JPEG_SAMPLES.get(space, 3), 8) + coding, jpeg.orientation(data))


def _jp2(data: mmap.mmap) -> Header:
    at = data.find(b"ihdr", 0, 1024)
    height, width, samples, bits = struct.unpack_from(">IIHB", data, at + 4)
    if at < 0:
        raise ValueError("no header of the image")
    return Header(width, height, _kind(samples, (bits & 127) + 1))


_READERS: dict[str, Callable[[mmap.mmap], Header]] = {"tiff": _tiff, "jpeg": _jpeg, "jp2": _jp2}


def difference(header: Header, first: Header) -> str:
    """Describe how a frame differs from the first frame in size or pixel format; empty if it does not."""
    if (header.width, header.height) != (first.width, first.height):
        return f"has {header.width} x {header.height} pixels, and the first frame has {first.width} x {first.height}"
    if header.kind != first.kind:
        return f"has {header.kind}, and the first frame has {first.kind}"
    if header.orientation not in (None, first.orientation):
        return _turned(header.orientation, first.orientation)
    return ""


def check_png(data: memoryview, first: int, path: Path) -> None:
    """Check the orientation of a whole PNG frame, since EXIF may lie behind the pixels.

    Args:
        data: The file.
        first: Orientation of the first frame.
        path: Its path, for messages.

    Raises:
        FilmError: The orientation differs from that of the first frame, or a text in the file is too large.
    """
    try:
        orientation = png.orientation(data) or 1
    except PhotoError as exc:
        raise FilmError(exc.problem, path=path, remedy=exc.remedy) from exc
    if orientation != first:
        raise FilmError(_turned(orientation, first), path=path, remedy=REMEDY)


def _turned(orientation: int | None, first: int | None) -> str:
    return f"has orientation {orientation} in EXIF's numbers, and the first frame has {first}"
