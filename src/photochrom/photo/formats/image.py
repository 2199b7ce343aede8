"""What a photograph is made of between its container and the rest of Photochrom, and arithmetic on its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from PIL import Image

from ...color.bands import bands
from ...color.gamut import rgb_of_luma
from ...color.spaces import luma_of_rgb
from ...errors import PhotoError

NO_UNIT: Final = 1  # x and y give the shape of a pixel, not its size
PER_INCH: Final = 2
PER_CM: Final = 3
C2PA_LOST: Final = "its content credentials (C2PA) are not kept: they sign the grey picture"
GAIN_MAP_LOST: Final = "its gain map is not kept: the output is an SDR picture"
HDR_REFUSED: Final = "is an HDR picture ({}), which would be read as too dark: convert it to SDR first"
HDR_TRANSFERS: Final = {16: "PQ", 18: "HLG"}  # code points of ITU-T H.273
MAX_PIXELS: Final = 500_000_000  # a 40 x 50 cm plate at 2,800 dpi has 240 million


@dataclass(frozen=True)
class Density:
    """Pixels per unit of length along x and y. Units are TIFF's: ``NO_UNIT``, ``PER_INCH`` or ``PER_CM``."""

    x: Fraction
    y: Fraction
    unit: int

    def per_inch(self) -> tuple[Fraction, Fraction] | None:
        """Pixels per inch, or None where no unit is known."""
        if self.unit == NO_UNIT:
            return None
        factor = Fraction(254, 100) if self.unit == PER_CM else Fraction(1)
        return self.x * factor, self.y * factor


@dataclass(frozen=True)
class Metadata:
    """Everything of a file that is not its pixels and outlives them. Blocks are the file's own bytes.

    ``native`` and ``texts`` hold the same remarks twice: as the (name, payload) parts that only the container they came
    from can take back (PNG chunks, JPEG comments), and as lines of text for every other container.
    """

    exif: bytes | None = None  # a TIFF structure, without the "Exif\0\0" that JPEG puts before it
    xmp: bytes | None = None  # a packet in XML
    iptc: bytes | None = None  # IIM data sets
    photoshop: bytes | None = None  # "8BIM" resources other than IPTC and thumbnails
    icc: bytes | None = None
    density: Density | None = None
    native: tuple[tuple[bytes, bytes], ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Planes:
    """A coloured picture as Y'CbCr: luma and alpha (H, W), all of one dtype, uint8 or uint16."""

    luma: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    alpha: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """A file as read: pixels still as they lie in the file, not yet turned upright.

    ``luma`` and ``alpha`` are (H, W), both uint8 or both uint16. ``lossless`` is known of WebP alone.
    """

    luma: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    lossless: bool = False
    upright: bool = False  # the decoder has turned the pixels already, whatever EXIF says
    linear: bool = False  # the luma is proportional to light
    srgb: bool = False  # the pixels were CMYK, and luma is that of their sRGB
    losses: tuple[str, ...] = ()  # what no output will hold, a phrase each


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


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """Compute the BT.601 luma ``[H, W]`` of R'G'B' ``[H, W, 3]``, uint8 or uint16, in its dtype."""
    luma = np.empty(rgb.shape[:2], rgb.dtype)
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
    """Decode a PNG or TIFF: ``[H, W]`` or ``[H, W, samples]``, uint8 or uint16, B first. None if it cannot be read."""
    import cv2

    # OpenCV writes to stderr what it thinks of damage and of private tags. Here an error is a PhotoError, and a tag
    # nobody's business. There is but one level for the whole process; threads forbid to set it back.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return stored if stored is not None and stored.dtype in (np.uint8, np.uint16) else None


def colour_rows(planes: Planes, rows: range) -> np.ndarray:
    """R'G'B' or R'G'B'A of some rows, (len(rows), W, 3 or 4) of luma's dtype; chroma is (H, W)."""
    part = slice(rows.start, rows.stop)
    rgb = rgb_of_luma(planes.luma[part], planes.cb[part], planes.cr[part])
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
