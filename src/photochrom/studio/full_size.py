"""``FullSize``: a coloured photograph at full size, from which tiles are rendered for the page."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..color.bands import at_8_bits
from ..color.gamut import rgb_of_luma
from ..colorizer.colorizer import Colorizer
from ..colorizer.options import ColorOptions
from ..colorizer.prediction import Prediction
from ..errors import OptionError
from ..photo import Photo
from .render import grey as grey_rgb

TILE = 512  # side of a tile, in pixels


@dataclass(frozen=True, eq=False)
class FullSize:
    """Luma and chroma of a photograph at 8 bits, with 4:2:0 chroma as in most JPEGs."""

    luma: np.ndarray
    """Luma plane, uint8 ``[H, W]``."""
    cb: np.ndarray
    """Cb plane, uint8 ``[ceil(H / 2), ceil(W / 2)]``."""
    cr: np.ndarray
    """Cr plane, uint8 ``[ceil(H / 2), ceil(W / 2)]``."""

    @classmethod
    def of(cls, colorizer: Colorizer, photo: Photo, options: ColorOptions, prediction: Prediction) -> FullSize:
        """Colour a photograph of any kind; ``prediction`` is that of ``photo.scene``."""
        luma = at_8_bits(photo.luma)
        return cls(luma, *colorizer.chroma(luma, options, subsampling=2, prediction=prediction, tones=photo.tones))

    def tile(self, column: int, row: int, *, grey: bool = False) -> np.ndarray:
        """Return a tile as RGB, uint8 ``[h, w, 3]``; at the right and lower edges it may be smaller than ``TILE``.

        Args:
            column: Number of the tile from the left, from 0.
            row: Number of the tile from the top, from 0.
            grey: Whether to return the luma as grey RGB instead of the colours.

        Raises:
            OptionError: There is no such tile.
        """
        height, width = self.luma.shape
        top, left = row * TILE, column * TILE
        if not (0 <= top < height and 0 <= left < width):
            raise OptionError("the picture has no such tile")
        luma = self.luma[top : top + TILE, left : left + TILE]
        if grey:
            return grey_rgb(luma)
        half = slice(top // 2, top // 2 + TILE // 2), slice(left // 2, left // 2 + TILE // 2)
        cb, cr = (_double(plane[half], luma.shape) for plane in (self.cb, self.cr))
        return rgb_of_luma(np.ascontiguousarray(luma), cb, cr)


def _double(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    whole = plane.repeat(2, axis=0).repeat(2, axis=1)
    return np.ascontiguousarray(whole[: shape[0], : shape[1]])
