"""Reads the headers of PNG, TIFF, JPEG and JPEG 2000 frames, to find mismatches early."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from PIL.ExifTags import Base as Tag
from simplejpeg import decode_jpeg_header

from ...errors import FilmError, PhotoError, system_errors
from ...photo.formats import exif, jpeg, png
from .names import SUFFIXES

_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples per pixel, by colour type (PNG specification, 11.2.2)
_JPEG_SAMPLES = {"Gray": 1, "CMYK": 4, "YCCK": 4}  # samples per pixel, by simplejpeg's name of the colour space; or 3
_TIFF_TAGS = {Tag.ImageWidth: 0, Tag.ImageLength: 0, Tag.SamplesPerPixel: 1, Tag.BitsPerSample: 1}  # with defaults


@dataclass(frozen=True)
class PictureHeader:
    """Size and kind of a frame; the last four fields are defaults, since these formats state no rate or time code."""

    width: int
    height: int
    samples: int
    """Samples per pixel."""
    bits: int
    """Bits per sample."""
    coding: str = ""
    """Colour space and chroma subsampling of a JPEG, such as ``YCbCr 420``; empty for other formats."""
    orientation: int | None = 1
    """EXIF orientation in which the frame is stored, 1 to 8; None if only the rest of the file may state it."""
    rate: Fraction | None = None
    time_code: str = ""
    reel_name: str = ""
    is_log: bool = False

    @property
    def kind(self) -> str:
        """Description of the pixel format for messages, such as ``3 samples of 8 bits a pixel (YCbCr 420)``."""
        coding = self.coding and f" ({self.coding})"
        return f"{self.samples} sample{'' if self.samples == 1 else 's'} of {self.bits} bits a pixel{coding}"


def read_header(path: Path, *, whole: bool = False) -> PictureHeader | None:
    """Read a frame's header; return None if it is damaged, which is reported when the frame is decoded.

    Args:
        path: The frame.
        whole: Whether to look for the orientation of a PNG behind its pixels as well, for which all of it is read.

    Raises:
        FilmError: The file cannot be read.
    """
    try:
        with system_errors(FilmError, path, "check its permissions, and the disk"), path.open("rb") as stream:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # a TIFF's header may be at the end
            format = SUFFIXES[path.suffix.lower()]
            return _png(data, whole) if format == "png" else _READERS[format](data)
    except (PhotoError, ValueError, IndexError, KeyError, struct.error):  # an empty file cannot be mapped
        return None


def _png(data: mmap.mmap, whole: bool) -> PictureHeader:
    name, width, height, bits, kind = struct.unpack_from(">4sIIBB", data, 12)
    if name != b"IHDR":
        raise ValueError("no header of the image")
    orientation = png.orientation(data, whole=whole) or (1 if whole else None)
    return PictureHeader(width, height, _PNG_SAMPLES[kind], bits, orientation=orientation)


def _tiff(data: mmap.mmap) -> PictureHeader:
    tiff = exif.open_tiff(data)
    entries = tiff.directory(tiff.first)[0]
    width, height, samples, bits = (tiff.number(entries, tag, usual) for tag, usual in _TIFF_TAGS.items())
    return PictureHeader(width, height, samples, bits, orientation=exif.orientation_of(tiff, entries))


def _jpeg(data: mmap.mmap) -> PictureHeader:
    height, width, space, subsampling = decode_jpeg_header(data)
    coding = "" if space == "Gray" else f"{space} {subsampling}"
    return PictureHeader(width, height, _JPEG_SAMPLES.get(space, 3), 8, coding, jpeg.orientation(data))


def _jp2(data: mmap.mmap) -> PictureHeader:
    at = data.find(b"ihdr", 0, 1024)
    height, width, samples, bits = struct.unpack_from(">IIHB", data, at + 4)
    if at < 0:
        raise ValueError("no header of the image")
    return PictureHeader(width, height, samples, (bits & 127) + 1)


_READERS: dict[str, Callable[[mmap.mmap], PictureHeader]] = {
    "tiff": _tiff,
    "jpeg": _jpeg,
    "jp2": _jp2,
}
