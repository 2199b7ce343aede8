"""What a photograph is made of between its container and the rest of Photochrom."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

NO_UNIT: Final = 1  # x and y give the shape of a pixel, not its size
PER_INCH: Final = 2
PER_CM: Final = 3


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
    srgb: bool = False  # the pixels were CMYK, and luma is that of their sRGB
