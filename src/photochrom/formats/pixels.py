"""Arithmetic on whole planes, done in bands of rows: no temporary is ever as large as the picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

import numpy as np
from PIL import Image

from ..chroma import luma_of_rgb, to_rgb
from ..errors import PhotoError
from .parts import Planes

MAX_PIXELS: Final = 500_000_000  # a 40 x 50 cm plate at 2,800 dpi has 240 million
Result = TypeVar("Result")
BAND_BYTES: Final = 1 << 20  # one band of the output: fits the cache, and is enough for deflate to learn from


_most_pixels: ContextVar[int] = ContextVar("most_pixels", default=MAX_PIXELS)


@contextmanager
def at_most(pixels: int) -> Iterator[None]:
    """Take no larger pictures within the block, in this thread; ``MAX_PIXELS`` stays the most."""
    token = _most_pixels.set(min(pixels, MAX_PIXELS))
    try:
        yield
    finally:
        _most_pixels.reset(token)


def check_size(width: int, height: int) -> None:
    """Refuse, from the header alone, a picture whose pixels would not fit in memory.

    Pillow has such a guard of its own, set for web servers (89 million pixels) and for the whole process; it works in
    ``Image.open``, which is why each format here goes to its Pillow plugin directly.

    Raises:
        PhotoError: no pixels, or more than ``MAX_PIXELS`` or what ``at_most`` allows.
    """
    if width < 1 or height < 1:
        raise PhotoError(f"is {width} x {height} pixels: the file is damaged")
    if width * height > (most := _most_pixels.get()):
        raise PhotoError(
            f"is {width} x {height} pixels, more than {most / 10**6:g} million: scale it down or cut it into parts"
        )


def bands(height: int, row_bytes: int) -> list[range]:
    """Ranges of rows, together ``height``, each of about ``BAND_BYTES``."""
    step = max(1, BAND_BYTES // row_bytes)
    return [range(start, min(start + step, height)) for start in range(0, height, step)]


def in_parallel(work: Callable[[range], Result], parts: list[range]) -> Iterator[Result]:
    """``work`` on each part, results in order. numpy and zlib release the GIL, so threads do share the load."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        yield from pool.map(work, parts)


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """BT.601 luma of (H, W, 3) uint16 R'G'B': (H, W) uint16."""
    luma = np.empty(rgb.shape[:2], np.uint16)
    for rows in bands(*_height_and_row_bytes(luma)):
        luma[rows.start : rows.stop] = luma_of_rgb(rgb[rows.start : rows.stop])
    return luma


def unpremultiplied(plane: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divide a uint16 plane by its uint16 alpha, both (H, W). What was fully transparent stays as it is stored."""
    result = plane.copy()
    for rows in bands(*_height_and_row_bytes(plane)):
        part, opacity = (whole[rows.start : rows.stop].astype(np.uint32) for whole in (plane, alpha))
        divisor = np.maximum(opacity, 1)
        # 65535 * 65535 + 32767 still fits 32 bits.
        divided = np.minimum((part * 65535 + divisor // 2) // divisor, 65535)
        result[rows.start : rows.stop] = np.where(opacity == 0, part, divided)
    return result


def at_8_bits(plane: np.ndarray) -> np.ndarray:
    """uint16 0 .. 65535 to uint8 0 .. 255, rounded to nearest; uint8 is returned as it is."""
    if plane.dtype == np.uint8:
        return plane
    result = np.empty(plane.shape, np.uint8)
    for rows in bands(*_height_and_row_bytes(plane)):
        # (v * 255 + 32895) >> 16 is round(v / 257) for every v of 16 bits (libpng's identity).
        wide = plane[rows.start : rows.stop].astype(np.uint32)
        result[rows.start : rows.stop] = (wide * 255 + 32895) >> 16
    return result


def upright(plane: np.ndarray, orientation: int) -> np.ndarray:
    """Turn an (H, W) plane as EXIF orientation 1 .. 8 says; contiguous."""
    if orientation in (5, 6, 7, 8):
        plane = plane.T
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


def from_pillow(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Luma and alpha, (H, W) uint8, of any 8-bit picture but CMYK.

    Raises:
        PhotoError: the pixels are of a kind that has no one right luma: floating point, 32-bit integers, Lab.
    """
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise PhotoError(f"holds {image.mode} pixels: convert it to grey or RGB of 8 or 16 bits")
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")), None
    image = image.convert("LA" if image.mode in ("1", "L", "La", "LA") else "RGBA")
    return np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))


def by_opencv(data: bytes | bytearray) -> np.ndarray | None:
    """Decode 16 bits, which Pillow would read as 8: (H, W[, samples]) uint16, B first. None: it cannot be."""
    import cv2

    # OpenCV writes to stderr what it thinks of damage and of private tags. Here an error is a PhotoError, and a tag
    # nobody's business. There is but one level for the whole process; threads forbid to set it back.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return stored if stored is not None and stored.dtype == np.uint16 else None


def colour_rows(planes: Planes, rows: range) -> np.ndarray:
    """R'G'B' or R'G'B'A of some rows, (len(rows), W, 3 or 4) of luma's dtype; chroma is (H, W)."""
    part = slice(rows.start, rows.stop)
    rgb = to_rgb(planes.luma[part], planes.cb[part], planes.cr[part])
    return rgb if planes.alpha is None else np.dstack([rgb, planes.alpha[part]])


def colour_image(planes: Planes) -> Image.Image:
    """The whole picture as a Pillow image, RGB or RGBA; chroma is (H, W), all uint8."""
    height, width = planes.luma.shape
    samples = 3 if planes.alpha is None else 4
    whole = np.empty((height, width, samples), np.uint8)
    for rows in bands(height, width * samples):
        whole[rows.start : rows.stop] = colour_rows(planes, rows)
    return Image.fromarray(whole)


def _height_and_row_bytes(plane: np.ndarray) -> tuple[int, int]:
    return plane.shape[0], plane.shape[1] * 4  # the temporaries are uint32
