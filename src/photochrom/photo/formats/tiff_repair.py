"""Corrects tags of TIFF pages that libraries would misread, and reads old-style JPEG and uncompressed YCbCr."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from PIL.ExifTags import Base as Tag

from ...errors import PhotoError
from .exif import LONG, SHORT, Entry, Tiff, open_tiff
from .tiff_cut import page_file

_OLD_JPEG, _JPEG = 6, 7
_RGB, _YCBCR, _LINEAR_RAW, _MIN_IS_BLACK = 2, 6, 34892, 1
_IN_STRIPS: Final = {  # tag by that of a page in tiles
    Tag.TileWidth: Tag.ImageWidth,
    Tag.TileLength: Tag.RowsPerStrip,
    Tag.TileOffsets: Tag.StripOffsets,
    Tag.TileByteCounts: Tag.StripByteCounts,
}
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a JPEG's frame header


def repaired(data: bytes, tiff: Tiff, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries of a page in a form that Pillow, libtiff and OpenCV read correctly.

    - Orientation is removed, because OpenCV rotates 16-bit TIFFs even when told not to; Photochrom rotates them later.
    - The tag of a fourth 8-bit channel that is neither colour nor alpha is removed, because Pillow would drop the
      channel.
    - A palette of 8-bit values (0 to 255) is scaled to 16 bits, as libtiff's own tools do.
    - Subsampled JPEG that is marked as RGB becomes YCbCr.
    - A linear DNG of one channel becomes a grey TIFF.
    """
    kept = []
    for entry in entries:
        if entry.tag == Tag.Orientation and tiff.integers(entry) != (1,):
            continue
        if (
            entry.tag == Tag.ExtraSamples
            and tiff.integers(entry) == (0,)
            and tiff.number(entries, Tag.BitsPerSample, 1) == 8
        ):
            continue
        if entry.tag == Tag.ColorMap and max(tiff.integers(entry), default=256) < 256:
            entry = tiff.entry(Tag.ColorMap, SHORT, [value * 257 for value in tiff.integers(entry)])
        elif entry.tag == Tag.PhotometricInterpretation and _is_mislabelled(data, tiff, entries):
            entry = tiff.entry(Tag.PhotometricInterpretation, SHORT, [_YCBCR])
        elif entry.tag == Tag.PhotometricInterpretation and tiff.integers(entry) == (_LINEAR_RAW,):
            entry = tiff.entry(Tag.PhotometricInterpretation, SHORT, [_MIN_IS_BLACK])
        kept.append(entry)
    return kept


def plain_fax(data: bytes) -> bytes:
    """Return a fax as FFmpeg reads it, in strips and without a palette: ``data`` itself if possible.

    Tiles become strips, which stand one below the other.

    Raises:
        PhotoError: The tags are damaged, or a strip or tile lies outside the file.
        struct.error: The page has more than 4 GB, or tiles too high for a TIFF of strips.
    """
    tiff = open_tiff(data)
    tags = {entry.tag: entry for entry in tiff.directory(tiff.first)[0]}
    if not (tiff.big or Tag.TileOffsets in tags or Tag.ColorMap in tags):
        return data
    if tags.pop(Tag.ColorMap, None):
        tags[Tag.PhotometricInterpretation] = tiff.entry(Tag.PhotometricInterpretation, SHORT, [_MIN_IS_BLACK])
    if Tag.TileOffsets in tags:
        height = tiff.number(tags.values(), Tag.TileLength, 0) * tags[Tag.TileOffsets].count
        tags[Tag.ImageLength] = tiff.entry(Tag.ImageLength, LONG, [height])
        tags |= {strip: replace(tags.pop(tile), tag=strip) for tile, strip in _IN_STRIPS.items() if tile in tags}
    return page_file(tiff, [tags[tag] for tag in sorted(tags)])


def old_jpeg(data: bytes, tiff: Tiff, entries: Sequence[Entry]) -> bytes | None:
    """Return the JPEG stream of a page in old-style JPEG compression (6); None without a complete stream."""
    if tiff.number(entries, Tag.Compression, 1) != _OLD_JPEG:
        return None
    start, size = tiff.number(entries, Tag.JpegIFOffset, 0), tiff.number(entries, Tag.JpegIFByteCount, 0)
    stream = data[start : start + size] if size else data[start:]
    return stream if start and stream.startswith(b"\xff\xd8\xff") and b"\xff\xda" in stream else None


def ycbcr_luma(
    tiff: Tiff, entries: Sequence[Entry], places: Sequence[tuple[int, int]], height: int, width: int
) -> np.ndarray:
    """Read the luma of uncompressed YCbCr, uint8 ``[H, W]``, which Pillow would misread as RGB.

    The samples are stored in units of h times v luma samples, one Cb and one Cr (TIFF 6.0, section 21).

    Args:
        tiff: The file that contains the page.
        entries: Entries of the page's directory.
        places: Start and end of each strip, as offsets in the file.
        height: Height of the page, in pixels.
        width: Width of the page, in pixels.

    Raises:
        PhotoError: The samples are tiled, planar, or not those of BT.601.
        ValueError: A strip is too short.
    """
    coefficients = [entry for entry in entries if entry.tag == Tag.YCbCrCoefficients]
    if (
        tiff.number(entries, Tag.PlanarConfiguration, 1) == 2
        or tiff.number(entries, Tag.TileOffsets, 0)
        or not _is_601(tiff, coefficients)
    ):
        raise PhotoError("holds YCbCr pixels of an unusual kind", remedy="convert it to grey or RGB of 8 or 16 bits")
    h, v = tiff.all_integers(entries, Tag.YCbCrSubSampling) or (2, 2)
    across = -(-width // h)
    rows = min(tiff.number(entries, Tag.RowsPerStrip, height), height) or height
    strips = []
    for top, (start, end) in zip(range(0, height, rows), places, strict=False):
        count = min(rows, height - top)
        down = -(-count // v)
        units = np.frombuffer(tiff.data[start:end], np.uint8, down * across * (h * v + 2)).reshape(down, across, -1)
        luma = units[..., : h * v].reshape(down, across, v, h).swapaxes(1, 2).reshape(down * v, across * h)
        strips.append(luma[:count, :width])
    return np.concatenate(strips)


def _is_601(tiff: Tiff, coefficients: Sequence[Entry]) -> bool:
    if not coefficients or len(coefficients[0].value) < 24:
        return True
    numbers = struct.unpack_from(tiff.order + "6I", coefficients[0].value)
    weights = [
        numerator / max(denominator, 1) for numerator, denominator in zip(numbers[::2], numbers[1::2], strict=True)
    ]
    return bool(np.allclose(weights, (0.299, 0.587, 0.114), atol=0.002))


def _is_mislabelled(data: bytes, tiff: Tiff, entries: Sequence[Entry]) -> bool:
    """Return whether a JPEG-compressed page is marked as RGB although its chroma is subsampled."""
    compression, kind = (tiff.number(entries, tag, 0) for tag in (Tag.Compression, Tag.PhotometricInterpretation))
    if (compression, kind) != (_JPEG, _RGB):
        return False
    position = tiff.number(entries, Tag.StripOffsets, 0) or tiff.number(entries, Tag.TileOffsets, 0)
    position += 2
    while data[position : position + 1] == b"\xff":
        marker, size = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in _FRAMES:
            samplings = data[position + 11 : position + 2 + size : 3]
            return len(samplings) == 3 and len(set(samplings)) > 1
        position += 2 + size
    return False
