"""Examines files before they are read: their format, number of pages and size, and whether they are in colour."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from mmap import mmap
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from ..color.pillow import orientation_of
from ..errors import WHOLE_COPY, PhotoError
from .formats import heif, png, tiff
from .formats.icc import upright_srgb
from .formats.image import open_image
from .formats.tiff_pages import Pages
from .library_errors import decoding, naming

_TIFF: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SMALL: Final = 256  # longest side, in pixels, of the copy that is examined for colours


def check_source(source: Path) -> None:
    """Check by its first bytes that a file is a photograph; a pipe, whose bytes can be read only once, is not checked.

    Raises:
        PhotoError: The file does not exist, is empty, cannot be read, has an unknown format, or is a folder or device.
    """
    with naming(str(source)):
        if source.is_char_device() or source.is_block_device():  # reading it may never end
            raise PhotoError("is a device", remedy="name a file, or - for the standard input")
        if not source.is_fifo():
            with source.open("rb") as stream:
                format_of_data(stream.read(256))


def format_of_data(data: bytes) -> str:
    """Return the format of a file by its first bytes: a key of ``EXTENSIONS``.

    Raises:
        PhotoError: The file is empty, or has an unknown format.
    """
    if not data:
        raise PhotoError("is empty", remedy=WHOLE_COPY)
    if data.startswith(b"\xff\xd8"):  # whatever follows, since decoders skip stray bytes
        return "JPEG"
    if data.startswith(png.SIGNATURE):
        return "PNG"
    if data[:4] in _TIFF:
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if _brands(data) & {b"avif", b"avis"}:
        return "AVIF"
    if _is_heif(data):
        return "HEIF"
    raise PhotoError("is not a JPEG, PNG, TIFF, WebP, HEIF or AVIF", remedy="convert it to one of these")


def _is_heif(data: bytes) -> bool:
    brands = _brands(data)
    is_avif = brands & {b"avif", b"avis"}
    return not is_avif and bool(brands & {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})


def _brands(data: bytes) -> set[bytes]:
    """Return the brands of a file in the container of HEIF and AVIF; none for other files."""
    end = min(int.from_bytes(data[:4], "big"), 256) if data[4:8] == b"ftyp" else 0
    return {data[i : i + 4] for i in range(8, end, 4)}


def count_pages(data: bytes | mmap) -> int:
    """Return the number of pages of a file; 1 if it is not a TIFF, or is one that ``read_photo`` rejects as damaged."""
    if data[:4] not in _TIFF:
        return 1
    try:
        return Pages(data).count
    except (PhotoError, ValueError, struct.error):
        return 1


def upright_size(path: Path, page: int | None = None) -> tuple[int, int]:
    """Return width and height of the upright picture, in pixels.

    Args:
        path: The photograph.
        page: Page of a TIFF, from 1; None if the file has only one page.

    Raises:
        PhotoError: The file or its size cannot be read.
    """
    try:
        if page is not None or _is_tiff(path):
            return Pages(path.read_bytes()).upright_size(page or 1)
        with decoding(), _opened(path) as image:
            width, height = image.size
            return (height, width) if orientation_of(image) >= 5 else (width, height)
    except (PhotoError, MemoryError, OSError, ValueError, IndexError, struct.error) as exc:
        raise PhotoError("its size cannot be read", path=path, remedy=WHOLE_COPY) from exc


def is_in_color(path: Path, page: int | None = None) -> bool:
    """Return whether a photograph is in colour (see ``color.toning``); False for a file that cannot be read.

    Args:
        path: The photograph.
        page: Page of a TIFF, from 1; None to examine all pages.
    """
    try:
        if not path.is_file():
            return False
        with decoding():
            return any(map(_has_colors, color_images(path, page, _SMALL)))
    except (PhotoError, MemoryError, OSError, ValueError):
        return False  # the error is reported when the photograph is read


def color_images(source: Path | bytes, page: int | None, side: int) -> Iterator[Image.Image]:
    """Yield the image of a photograph, or of each page of a TIFF, for ``icc.upright_srgb``; skip those stored in grey.

    Args:
        source: Path of the photograph, or its bytes.
        page: Page of a TIFF, from 1; None for all.
        side: Pixels that the longest side must have at least if that of the photograph has.

    Raises:
        PhotoError: The file is damaged or too large, or is HEIF, and pillow-heif is not installed.
        Exception: The file is damaged; see the readers of the formats.
    """
    if not _is_tiff(source):
        with _opened(source) as image:
            if not _is_grey(image):
                image.draft("RGB", (side, side))  # JPEGs are decoded at a reduced size
                yield image
        return
    data = source if isinstance(source, bytes) else source.read_bytes()
    pages = Pages(data)
    numbers = range(1, pages.count + 1) if page is None else [page]
    yield from filter(None, (tiff.color_image(data, pages, number, side) for number in numbers))


def _has_colors(image: Image.Image) -> bool:
    from ..color.toning import has_colors  # OpenCV takes a tenth of a second to import

    if image.mode == "CMYK":
        return has_colors(upright_srgb(image, _SMALL / max(image.size)))
    small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((_SMALL, _SMALL), Image.Resampling.BOX)
    return has_colors(np.asarray(small.convert("RGB")))


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith(("I", "F"))


def open_picture(source: Path | bytes, formats: Iterable[str] = ()) -> Image.Image:
    """Open a picture, given as a path or bytes, with pillow-heif if it is HEIF, otherwise with Pillow.

    Args:
        source: The picture.
        formats: Pillow's names of the formats to try; empty for all. HEIF is always read.

    Raises:
        PhotoError: As for ``open_image``; or a HEIF is too large, or pillow-heif is not installed.
        OSError, ValueError, SyntaxError, LookupError, RuntimeError, EOFError: The file is damaged, of another format,
            or cannot be read.
    """
    return heif.opened(source) if _is_heif(_first_bytes(source)) else open_image(source, formats)


def _opened(source: Path | bytes) -> Image.Image:
    """Open a file of a format that photographs have; errors are those of ``format_of_data`` and ``open_picture``."""
    return open_picture(source, (format_of_data(_first_bytes(source)),))


def _is_tiff(source: Path | bytes) -> bool:
    return _first_bytes(source)[:4] in _TIFF


def _first_bytes(source: Path | bytes) -> bytes:
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        return stream.read(256)
