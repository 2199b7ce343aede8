"""Types shared by all formats (metadata, planes, decoded pixels), and conversions of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from ...color.bands import bands
from ...color.gamut import rgb_of_luma
from ...color.spaces import luma_of_rgb
from ...errors import PhotoError

if TYPE_CHECKING:
    from .coefficients import CodedLuma

NO_UNIT: Final = 1  # x and y give the aspect ratio of a pixel, not its size
PER_INCH: Final = 2
PER_CM: Final = 3
C2PA_LOST: Final = "its content credentials (C2PA) are not kept: they sign the grey picture"
GAIN_MAP_LOST: Final = "its gain map is not kept: the output is an SDR picture"
HDR_REFUSED: Final = "is an HDR picture ({}), which would come out too dark: convert it to SDR first"
HDR_TRANSFERS: Final = {16: "PQ", 18: "HLG"}  # code points of ITU-T H.273
MAX_PIXELS: Final = 500_000_000  # a 40 x 50 cm plate at 2,800 dpi has 240 million


@dataclass(frozen=True)
class Density:
    """Pixels per unit of length along x and y. Units are those of TIFF: ``NO_UNIT``, ``PER_INCH`` or ``PER_CM``."""

    x: Fraction
    y: Fraction
    unit: int

    def per_inch(self) -> tuple[Fraction, Fraction] | None:
        """Return the pixels per inch along x and y, or None if the unit is unknown."""
        if self.unit == NO_UNIT:
            return None
        factor = Fraction(254, 100) if self.unit == PER_CM else Fraction(1)
        return self.x * factor, self.y * factor


@dataclass(frozen=True)
class Metadata:
    """Metadata that the output keeps. Blocks are stored as they are in the file.

    ``native`` and ``texts`` hold the same remarks in two forms: as (name, payload) pairs that only the original
    container can store (PNG chunks, JPEG comments), and as lines of text for all other containers.
    """

    exif: bytes | None = None  # a TIFF structure, without the prefix "Exif\0\0" of JPEG
    xmp: bytes | None = None  # a packet in XML
    iptc: bytes | None = None  # IIM data sets
    photoshop: bytes | None = None  # "8BIM" resources other than IPTC and thumbnails
    icc: bytes | None = None
    density: Density | None = None
    native: tuple[tuple[bytes, bytes], ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Planes:
    """A coloured picture as Y'CbCr: luma and alpha ``[H, W]``, all planes uint8 or all uint16."""

    luma: np.ndarray
    cb: np.ndarray
    cr: np.ndarray
    alpha: np.ndarray | None = None
    extra: np.ndarray | None = None  # [H, W, channels] of luma's dtype, which only a TIFF can hold


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded file; its pixels are in the order of the file, not yet upright.

    ``luma`` and ``alpha`` are ``[H, W]``, both uint8 or both uint16. ``lossless`` is known for WebP only.
    """

    luma: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    lossless: bool = False
    upright: bool = False  # whether the decoder has already applied the orientation in EXIF
    linear: bool = False  # the luma is proportional to light
    srgb: bool = False  # the pixels were CMYK, and the luma is that of their sRGB values
    losses: tuple[str, ...] = ()  # warnings about content that no output keeps, and about damage
    reduced: bool = False  # whether the luma was decoded at half height and width, rounded up; ``coded_luma`` is whole
    coded_luma: CodedLuma | None = None  # of a JPEG; can be copied into a JPEG output
    recoded: str = ""  # why a JPEG's coded luma cannot be kept
    extra: np.ndarray | None = None  # other channels of a TIFF, [H, W, channels] of luma's dtype: infrared, masks
    masks: tuple[bytes, ...] = ()  # pages of a TIFF that are masks or infrared, one file each


_most_pixels: ContextVar[int] = ContextVar("most_pixels", default=MAX_PIXELS)


@contextmanager
def at_most(pixels: int) -> Iterator[None]:
    """Limit the size of pictures within the block, in this thread, to the smaller of ``pixels`` and ``MAX_PIXELS``."""
    token = _most_pixels.set(min(pixels, MAX_PIXELS))
    try:
        yield
    finally:
        _most_pixels.reset(token)


def check_size(width: int, height: int) -> None:
    """Raise an error if a picture is too large, judging by its header.

    Pillow's own limit (89 million pixels) is meant for web servers and is global to the process. Since ``Image.open``
    applies it, every format here uses its Pillow plugin directly.

    Raises:
        PhotoError: The picture has no pixels, or more than ``MAX_PIXELS`` or ``at_most`` allow.
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
    """Divide a plane by its alpha, both uint8 or uint16 ``[H, W]``. Fully transparent pixels stay as they are."""
    result, top = plane.copy(), int(np.iinfo(plane.dtype).max)
    for rows in bands(*_height_and_row_bytes(plane)):
        part, opacity = (whole[rows.start : rows.stop].astype(np.uint32) for whole in (plane, alpha))
        divisor = np.maximum(opacity, 1)
        # 65535 * 65535 + 32767 still fits 32 bits.
        divided = np.minimum((part * top + divisor // 2) // divisor, top)
        result[rows.start : rows.stop] = np.where(opacity == 0, part, divided)
    return result


def by_opencv(data: bytes | bytearray) -> np.ndarray | None:
    """Decode a PNG or TIFF: ``[H, W]`` or ``[H, W, samples]``, uint8 or uint16, B first. None if it cannot be read."""
    import cv2

    # OpenCV reports damage and private tags on stderr. Here damage raises a PhotoError, and private tags are harmless.
    # The level is global to the process, and not restored because other threads may be decoding.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return stored if stored is not None and stored.dtype in (np.uint8, np.uint16) else None


def color_rows(planes: Planes, rows: range) -> np.ndarray:
    """Convert some rows to R'G'B', alpha and other channels ``[len(rows), W, 3 or more]``, in the dtype of luma.

    Chroma is ``[H, W]``.
    """
    part = slice(rows.start, rows.stop)
    rgb = rgb_of_luma(planes.luma[part], planes.cb[part], planes.cr[part])
    others = [plane[part] for plane in (planes.alpha, planes.extra) if plane is not None]
    return np.dstack([rgb, *others]) if others else rgb


def extra_channels(count: int) -> str:
    """Return subject and verb of a warning about channels that are neither colour nor alpha."""
    if count > 1:
        return f"its {count} extra channels are"
    return "its extra channel (infrared, as film scanners store it, or a mask) is"


def color_pixels(planes: Planes) -> np.ndarray:
    """Return the whole picture, RGB or RGBA uint8 ``[H, W, samples]``; all planes are uint8 ``[H, W]``."""
    height, width = planes.luma.shape
    samples = 3 if planes.alpha is None else 4
    whole = np.empty((height, width, samples), np.uint8)
    for rows in bands(height, width * samples):
        whole[rows.start : rows.stop] = color_rows(planes, rows)
    return whole


def _height_and_row_bytes(plane: np.ndarray) -> tuple[int, int]:
    return plane.shape[0], plane.shape[1] * 4  # the temporaries are uint32
