"""Reads and writes JPEG: the luma of a grey or Y'CbCr file is its own Y plane, that of RGB and CMYK is computed.

EXIF, IPTC and comments are stored as ``Metadata`` holds them. XMP and the ICC profile are divided into new segments,
the JFIF segment is written anew, and other application segments are not kept.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from io import BytesIO
from mmap import mmap
from typing import BinaryIO, Final

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile
from simplejpeg import decode_jpeg, decode_jpeg_header, encode_jpeg_yuv_planes

from ...color.pillow import from_pillow
from ...errors import WHOLE_COPY, PhotoError
from . import damage, exif
from .icc import cmyk_to_srgb, inks, refuse_hdr
from .image import Decoded, Metadata, Planes, check_size
from .jpeg_coefficients import CodedLuma, as_coefficients, luma_coefficients, with_chroma
from .jpeg_metadata import APP1, APP2, APP13, COMMENT, JFIF, losses, metadata_of, metadata_segments
from .splice import CannotSplice, LumaScans, luma_scans, segment, splice

_APP14, _EOI, _SCAN = 0xEE, 0xD9, 0xDA
_METADATA: Final = (APP1, APP2, APP13, COMMENT)
_JFIF_LENGTH: Final = 14  # bytes of a JFIF header without a thumbnail
_MARKER: Final = re.compile(rb"\xff+([^\x00\xff])")  # finds the next marker as libjpeg does
_BARE: Final = (0x01, *range(0xD0, 0xD8))  # markers without a payload, which mean nothing before the scan
_END: Final = re.compile(rb"\xff\xd9")  # three times as fast as bytes.find
_MIN_PIXELS_TO_REDUCE: Final = 2_000_000  # decoding smaller pictures at half size loses detail and saves nothing
_TOP_ROWS: Final = 32  # rows that are searched for tones between black and white
_SCAN_HEADER: Final = 32  # bytes, which are enough: a scan header of four components has 16


def read(data: bytes, *, may_reduce: bool = False) -> Decoded:
    """Decode the first picture of a JPEG file: the Y plane of a grey or Y'CbCr file, else the luma of its RGB.

    Thumbnails, further pictures (MPO), C2PA manifests (which sign the old pixels) and segments that are specific to an
    encoder are not kept.

    Args:
        data: The file.
        may_reduce: Whether the output is a JPEG, for which the luma may be decoded at half size (``_is_half_enough``).
            All coded data is read nevertheless, so that damage is found.

    Raises:
        PhotoError, OSError, SyntaxError, ValueError: The file is damaged or too large, or of a kind that libjpeg does
            not support.
    """
    file = _JpegFile(data, *_find_segments(data))
    # Pillow only needs the header and the first bytes of the scan, so the rest is not copied.
    image = JpegImageFile(BytesIO(file.header + data[file.scan : file.scan + _SCAN_HEADER]))
    check_size(*image.size)
    metadata = metadata_of(file.segments)
    refuse_hdr(metadata.icc)
    if image.mode == "CMYK":
        return _read_cmyk(file, metadata)
    try:
        luma, coded, reason = _undamaged_luma(file, exif.orientation(metadata.exif), may_reduce=may_reduce)
    except CannotSplice as exc:
        return _read_by_pillow(file, metadata, str(exc))
    return Decoded(luma, None, metadata, warnings=file.losses(coded), coded_luma=coded, recoded=reason)


def orientation(data: bytes | mmap) -> int:
    """Return the EXIF orientation of a JPEG file, 1 to 8, without decoding it.

    Raises:
        PhotoError: There is no scan, or no end of image.
    """
    return exif.orientation(metadata_of(_find_segments(data)[0]).exif)


def _read_cmyk(file: _JpegFile, metadata: Metadata) -> Decoded:
    bare = file.bare()
    image = JpegImageFile(BytesIO(bare))
    luma, alpha = from_pillow(cmyk_to_srgb(inks(image), metadata.icc))
    warnings = (*file.losses(), *damage.in_jpeg(bare, "CMYK"))
    return Decoded(luma, alpha, metadata, srgb=True, warnings=warnings, recoded="it is a CMYK picture")


def _read_by_pillow(file: _JpegFile, metadata: Metadata, reason: str) -> Decoded:
    """Decode a file that is damaged or has another colour space; ``reason`` says why its luma is re-encoded."""
    bare = file.bare()
    image = JpegImageFile(BytesIO(bare))
    image.draft("L", None)
    luma, _ = from_pillow(image)
    warnings = (*file.losses(), *damage.in_jpeg(bare))
    return Decoded(luma, None, metadata, warnings=warnings, recoded=reason)


def _undamaged_luma(file: _JpegFile, orientation: int, *, may_reduce: bool) -> tuple[np.ndarray, CodedLuma | None, str]:
    """Decode the luma of a grey or Y'CbCr file, and find its coded form.

    Args:
        file: The file.
        orientation: Its EXIF orientation.
        may_reduce: As for ``read``.

    Returns:
        Luma uint8, ``[H, W]`` or half of that; its coded form, or None; the reason why that cannot be kept, or an empty
        string.

    Raises:
        CannotSplice: The coded data is damaged (libjpeg would only warn), or the file has another colour space.
    """
    data = file.pixels()
    try:
        height, width, space, notation = decode_jpeg_header(data)
        if space not in ("Gray", "YCbCr"):
            raise CannotSplice(f"its colour space is {space}")
        coded, reason = _as_coded(file, data, height, width, None if space == "Gray" else notation)
        if may_reduce and _is_half_enough(coded, orientation):
            luma = decode_jpeg(data, "GRAY", min_height=-(-height // 2), min_width=-(-width // 2), min_factor=2)
        else:
            luma = decode_jpeg(data, "GRAY")
        return luma[..., 0], coded, reason
    except ValueError as exc:
        raise CannotSplice(f"its coded data is damaged ({exc})") from exc


def _as_coded(
    file: _JpegFile, data: bytes, height: int, width: int, notation: str | None
) -> tuple[CodedLuma | None, str]:
    """Return the coded luma of a grey (``notation`` is None) or Y'CbCr file, or None and why it cannot be kept."""
    try:
        if notation is None:
            return luma_scans(data), ""
        return luma_coefficients(file.bare(), height, width, notation), ""
    except CannotSplice as exc:
        return None, str(exc)


def _is_half_enough(coded: CodedLuma | None, orientation: int) -> bool:
    """Return whether half of the luma's size is enough for a JPEG output, which then has 4:2:0 chroma of that size.

    It is if the coded luma is that of an upright grey JPEG of at least two million pixels, neither progressive nor with
    restart intervals, whose first 32 rows hold a tone other than black and white. Such a tone rules out a halftone; in
    a file with a single scan, the first rows can be decoded on their own.
    """
    if not isinstance(coded, LumaScans) or orientation != 1 or coded.height * coded.width < _MIN_PIXELS_TO_REDUCE:
        return False
    if coded.is_progressive or coded.restarts:
        return False
    top = decode_jpeg(coded.top(_TOP_ROWS), "GRAY", strict=False)
    return bool(((top != 0) & (top != 255)).any())


def subsampling(coded: CodedLuma | None, layout: str = "scan") -> tuple[int, int]:
    """Return how many rows and columns of luma share one chroma sample in the output: 2 and 2 for 4:2:0.

    Args:
        coded: The coded luma that is kept; None if luma is re-encoded.
        layout: As for ``write``.
    """
    if coded is None or (layout != "scan" and isinstance(coded, LumaScans)):
        return 2, 2
    return coded.subsampling


def write(
    stream: BinaryIO,
    planes: Planes,
    metadata: Metadata,
    quality: int,
    coded: CodedLuma | None = None,
    layout: str = "scan",
) -> None:
    """Encode a coloured picture as JPEG.

    Args:
        stream: The stream to write to.
        planes: Luma uint8 ``[H, W]``, and chroma of the same size or of half the size, rounded up. If ``coded`` is
            given, it is written instead of the luma plane, which may then have half the picture's size.
        metadata: Metadata of the output.
        quality: Quality of luma and chroma, 1 to 100; if ``coded`` is given, of chroma only.
        coded: Coded luma of the source, which is kept. Chroma must then be subsampled by the result of ``subsampling``.
        layout: ``scan`` keeps the coded bytes of a grey source, ``interleaved`` its coefficients, in the order that
            most encoders use.

    Raises:
        PhotoError: The metadata is too large for a JPEG.
        OSError: The stream cannot be written.
    """
    stream.write(b"\xff\xd8" + metadata_segments(metadata))
    if coded is None:
        stream.write(_reencoded(planes, quality))
    elif layout == "scan" and isinstance(coded, LumaScans):
        stream.writelines(splice(coded, planes.cb, planes.cr, quality))
    else:
        stream.write(with_chroma(as_coefficients(coded), planes.cb, planes.cr, quality))


def _reencoded(planes: Planes, quality: int) -> bytes:
    """Encode all planes, and return the part of the file after its JFIF segment."""
    # The encoder accepts Y'CbCr planes, so nothing is converted through RGB, and subsampled chroma is not resampled.
    cb, cr = np.ascontiguousarray(planes.cb), np.ascontiguousarray(planes.cr)
    encoded = encode_jpeg_yuv_planes(_padded(planes.luma, cb.shape), cb, cr, quality, False)
    # The encoder's JFIF segment, which can only state whole dpi, is replaced by another one.
    after_jfif = 4 + int.from_bytes(encoded[4:6], "big")
    return bytes(encoded[after_jfif:])


def _padded(luma: np.ndarray, chroma_shape: tuple[int, ...]) -> np.ndarray:
    """Return the luma plane as a view of an array padded to whole chroma samples.

    Args:
        luma: uint8 ``[H, W]``.
        chroma_shape: Height and width of the chroma planes: those of the luma, or half of them, rounded up.

    Returns:
        The same values, uint8 ``[H, W]``.
    """
    height, width = luma.shape
    missing = [
        (0, 0 if samples == side else 2 * samples - side)
        for side, samples in zip(luma.shape, chroma_shape, strict=True)
    ]
    if not any(more for _, more in missing):
        return np.ascontiguousarray(luma)
    # With 31 rows of chroma, TurboJPEG reads 62 rows of luma even if the plane has 61, and would crash.
    return np.pad(luma, missing, mode="edge")[:height, :width]  # a repeated edge compresses best


@dataclass(frozen=True, eq=False)
class _JpegFile:
    """A JPEG file whose parts have been found."""

    data: bytes
    """The whole file."""
    segments: list[tuple[int, bytes]]
    """Marker and payload of each segment before the first scan."""
    scan: int
    """Position of the first scan."""
    stray: int
    """Number of stray bytes between the segments, which belong to none of them."""

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

    def losses(self, coded: CodedLuma | None = None) -> tuple[str, ...]:
        """Return warnings about content that no output keeps; ``coded`` is the coded luma if it has been found."""
        return tuple(losses(self.segments, self._trailer(coded), self.stray))

    def _trailer(self, coded: CodedLuma | None) -> bytes:
        """Return the bytes after the first picture, where phones store a film or more pictures."""
        if isinstance(coded, LumaScans):
            return bytes(coded.trailer)
        found = _END.search(self.data, self.scan)
        return b"" if found is None else self.data[found.end() :]


def _find_segments(data: bytes | mmap) -> tuple[list[tuple[int, bytes]], int, int]:
    """Return the fields ``segments``, ``scan`` and ``stray`` of a ``_JpegFile``.

    Stray bytes are skipped, as in libjpeg.

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
    raise PhotoError("is cut short", remedy=WHOLE_COPY)


def _is_needed(marker: int, payload: bytes) -> bool:
    """Return whether decoding needs a segment, unlike metadata and truncated JFIF headers, which Pillow refuses."""
    return marker not in _METADATA and not (payload.startswith(JFIF) and len(payload) < _JFIF_LENGTH)
