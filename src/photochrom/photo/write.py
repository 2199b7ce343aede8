"""Writes coloured photographs: encodes luma, chroma and metadata, and writes the file atomically.

The luma is never altered: the luma recomputed from a lossless output equals the source's (docs/photographs.md).
"""

from __future__ import annotations

import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..atomic import new_file
from ..color.bands import at_8_bits
from ..colorizer.options import DEFAULT_QUALITY
from ..errors import OptionError, PhotoError
from .formats import heif, jpeg, png, tiff_writer, webp
from .formats.image import Metadata, Planes, color_pixels
from .library_errors import encoding, naming
from .metadata import metadata_for
from .names import EXTENSIONS, check_destination, format_of
from .options import JpegLayout, check_compression, check_layout, check_quality
from .read import Photo


def chroma_subsampling(format: str) -> int:
    """Return how many luma pixels per axis share one chroma sample in a format: 2 in JPEG (4:2:0), else 1.

    For a given photograph, use ``chroma_sampling``: a JPEG that keeps the coded luma of its source may need other
    subsampling, and lossy WebP has that of JPEG.
    """
    return 2 if format == "JPEG" else 1


def chroma_sampling(photo: Photo, format: str, layout: JpegLayout = "scan") -> tuple[int, int]:
    """Return how many rows and columns of luma share one chroma sample in the output of a photograph.

    Args:
        photo: The photograph.
        format: Format of the output, a key of ``EXTENSIONS``.
        layout: Layout of a JPEG whose luma is kept; see ``OutputOptions.jpeg_layout``.
    """
    if format == "JPEG":
        return jpeg.sampling(photo.coded_luma, layout)
    if format == "WEBP" and not photo.lossless:
        return 2, 2  # subsampling in the file, although the encoder's input is RGB
    step = chroma_subsampling(format)
    return step, step


def encode_photo(
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    *,
    format: str,
    credit: str | None,
    quality: int = DEFAULT_QUALITY,
    layout: JpegLayout = "scan",
    compression: str = "deflate",
    tiled: bool = True,
) -> bytes:
    """Encode a coloured photograph as the bytes of a file.

    Args:
        photo: The photograph.
        cb: Cb ``[ceil(H / rows), ceil(W / columns)]`` of luma's dtype, in gamut, neutral at 128 or 32768.
            ``chroma_sampling(photo, format, layout)`` returns rows and columns.
        cr: Cr, of the same shape and dtype.
        format: A key of ``EXTENSIONS``. PNG and TIFF keep 16 bits; for other formats, samples are rounded to 8 bits.
        credit: Sources of the colours, for the label in the metadata (see ``colorizer.hints.credit``); None to write
            no label.
        quality: 1 to 100, for JPEG, HEIF, AVIF and lossy WebP. A photograph read from a lossless WebP is written to
            WebP losslessly.
        layout: Layout of a JPEG whose luma is kept; see ``OutputOptions.jpeg_layout``.
        compression: Lossless compression of TIFF files: ``none``, ``lzw``, ``deflate`` or ``zstd``.
        tiled: Whether a large HEIC may be stored in tiles. It must not if it will be signed, because c2pa 0.38 then
            corrupts its ``iloc``.

    Raises:
        PhotoError: The format cannot store this photograph; the message suggests another format.
        OptionError: ``quality`` is out of range; ``format``, ``layout`` or ``compression`` is unknown; or ``layout``
            needs a library that is not installed.
        ValueError: ``cb`` or ``cr`` has another shape or dtype, or ``photo`` is reduced and ``format`` is not JPEG.
    """
    stream = BytesIO()
    _check(photo, cb, cr, format, quality, layout, compression)
    with naming(photo.name), encoding():
        _encode(stream, photo, cb, cr, format, credit, quality, layout, compression, tiled=tiled)
    return stream.getvalue()


def write_photo(
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    destination: str | os.PathLike[str],
    *,
    credit: str | None,
    quality: int = DEFAULT_QUALITY,
    compression: str = "deflate",
    overwrite: bool = False,
    layout: JpegLayout = "scan",
) -> None:
    """Write a coloured photograph to a file atomically, in the format of its extension.

    Args:
        photo: The photograph.
        cb: As for ``encode_photo``.
        cr: As for ``encode_photo``.
        destination: The file.
        credit: As for ``encode_photo``.
        quality: As for ``encode_photo``.
        compression: As for ``encode_photo``.
        overwrite: Whether an existing file is replaced.
        layout: As for ``encode_photo``.

    Raises:
        PhotoError: The file cannot be written; it exists and ``overwrite`` is not set; or it is a device or a pipe.
        OptionError: As for ``encode_photo``.
        ValueError: As for ``encode_photo``.
    """
    path = Path(destination)
    check_destination(path, overwrite=overwrite)
    format = format_of(path)
    _check(photo, cb, cr, format, quality, layout, compression)
    with naming(str(path)), new_file(path, overwrite=overwrite) as stream, encoding():
        _encode(stream, photo, cb, cr, format, credit, quality, layout, compression)


def write_data(data: bytes, destination: Path | BinaryIO, *, overwrite: bool = False) -> None:
    """Write a whole file, atomically if ``destination`` is a path and not an open file.

    Raises:
        PhotoError: The path cannot be written, or exists and ``overwrite`` is not set.
        OSError: The open file cannot be written.
    """
    if not isinstance(destination, Path):
        destination.write(data)
        return
    check_destination(destination, overwrite=overwrite)
    with naming(str(destination)), new_file(destination, overwrite=overwrite) as stream:
        stream.write(data)


def _check(
    photo: Photo, cb: np.ndarray, cr: np.ndarray, format: str, quality: int, layout: JpegLayout, compression: str
) -> None:
    if format not in EXTENSIONS:
        raise OptionError(f"format is {format!r}: choose one of {', '.join(EXTENSIONS)}")
    check_quality(quality)
    check_layout(layout)
    check_compression(compression)
    if photo.reduced and format != "JPEG":
        raise ValueError(f"the luma was read at half its size: read the photograph again to write {format}")
    steps = chroma_sampling(photo, format, layout)
    expected = tuple(-(-side // step) for side, step in zip(photo.shape, steps, strict=True))
    if format == "WEBP" and cb.shape == photo.shape:
        expected = photo.shape
    for name, plane in (("cb", cb), ("cr", cr)):
        if plane.shape != expected or plane.dtype != photo.luma.dtype:
            wanted = f"{expected} {photo.luma.dtype}"
            raise ValueError(f"{name} is {plane.shape} {plane.dtype}: {format} needs {wanted}")


def _encode(
    stream: BinaryIO,
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    format: str,
    credit: str | None,
    quality: int,
    layout: JpegLayout,
    compression: str,
    *,
    tiled: bool = True,
) -> None:
    metadata = metadata_for(photo.metadata, source_format=photo.format, format=format, credit=credit)
    planes = Planes(photo.luma, cb, cr, photo.alpha)
    if format == "TIFF":
        planes = replace(planes, extra=photo.extra)
        tiff_writer.write(stream, planes, metadata, compression, photo.masks)
        return
    if format == "PNG":
        png.write(stream, planes, metadata)
        return
    alpha = None if photo.alpha is None else at_8_bits(photo.alpha)
    planes = Planes(at_8_bits(photo.luma), at_8_bits(cb), at_8_bits(cr), alpha)
    if format == "JPEG":
        if alpha is not None and alpha.min() < 255:
            raise PhotoError("has transparency, which JPEG cannot hold: write PNG, TIFF or WebP")
        jpeg.write(stream, planes, metadata, quality, photo.coded_luma, layout)
    else:
        _encode_image(stream, planes, metadata, format, quality, lossless=photo.lossless, tiled=tiled)


def _encode_image(
    stream: BinaryIO, planes: Planes, metadata: Metadata, format: str, quality: int, *, lossless: bool, tiled: bool
) -> None:
    """Encode HEIF, AVIF or WebP, whose encoders accept only RGB."""
    if format == "HEIF":
        heif.write_heif(stream, _pixels(planes), metadata, quality, tiled=tiled)
        return
    image = Image.fromarray(_pixels(planes))  # the only copy that is kept while the encoder works
    if format == "WEBP":
        webp.write(stream, image, metadata, quality, lossless=lossless)
    else:
        heif.write_avif(stream, image, metadata, quality)


def _pixels(planes: Planes) -> np.ndarray:
    """Return RGB or RGBA pixels of planes, whose chroma may have half the size of the luma."""
    return color_pixels(replace(planes, cb=_at_full_size(planes.cb, planes), cr=_at_full_size(planes.cr, planes)))


def _at_full_size(plane: np.ndarray, planes: Planes) -> np.ndarray:
    """Enlarge chroma to the size of luma by repeating each sample.

    An encoder that subsamples by averaging then gets the original samples back.
    """
    height, width = planes.luma.shape
    if plane.shape == (height, width):
        return plane
    import cv2

    doubled = cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return doubled[:height, :width]
