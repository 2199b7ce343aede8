"""Gamut mapping: reduces chroma at constant luma until colours fit RGB, and computes RGB of an exact luma."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .bands import strips
from .coding import Coding
from .spaces import BT601, LUMA_WEIGHTS, Matrix


def gamut_factor(
    cb: np.ndarray,
    cr: np.ndarray,
    darkest: np.ndarray,
    brightest: np.ndarray,
    matrix: Matrix = BT601,
    *,
    white: float = 1,
) -> np.ndarray:
    """Compute the factor by which chroma must be multiplied to fit the RGB gamut at unchanged hue and luma.

    Args:
        cb: float32, any shape, ``-white / 2`` to ``white / 2``.
        cr: Like ``cb``.
        darkest: Lowest luma of the pixels that share a chroma sample, float32 of the same shape, 0 to ``white``.
        brightest: Highest luma of those pixels, likewise.
        matrix: Weights of R', G' and B' in the luma.
        white: Luma of white.

    Returns:
        float32 of the same shape, 0..1; 1 where the chroma is in gamut at every luma from ``darkest`` to ``brightest``.
    """
    red, blue = matrix.cr_to_r * cr, matrix.cb_to_b * cb
    green = matrix.cb_to_g * cb + matrix.cr_to_g * cr
    over = np.maximum(np.maximum(red, green), blue)
    under = np.minimum(np.minimum(red, green, out=red), blue, out=red)
    over += np.float32(1e-9)  # avoids division by zero for grey, for which every factor is right
    under -= np.float32(1e-9)
    room_above = np.divide(white - brightest, over, out=over)
    room_below = np.divide(-darkest, under, out=under)
    # np.clip with two scalars is several times as fast as np.minimum with one.
    return np.clip(np.minimum(room_above, room_below, out=over), 0, 1, out=over)


def rgb_of_luma(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> np.ndarray:
    """Convert Y'CbCr to R'G'B' whose luma is exactly ``luma``.

    Red and blue are rounded, and green is then chosen so that ``luma_of_rgb`` returns ``luma``. The luma may differ
    only where the chroma is out of gamut.

    Args:
        luma: uint8 or uint16 ``[H, W]``, full range.
        cb: Cb, of the same shape and dtype.
        cr: Cr, of the same shape and dtype.

    Returns:
        R'G'B' ``[H, W, 3]`` of the same dtype.
    """
    height, width = luma.shape
    rgb = np.empty((height, width, 3), luma.dtype)
    convert = _rgb_of_8_bits if luma.dtype == np.uint8 else _rgb_of_16_bits
    for start, stop in strips(height, 3 * width):
        convert(luma[start:stop], cb[start:stop], cr[start:stop], rgb[start:stop])
    return rgb


def _rgb_of_8_bits(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, rgb: np.ndarray) -> None:
    """Convert a strip of uint8 Y'CbCr and write it into ``rgb``.

    This is faster than ``_rgb_of_16_bits``, but ties may be rounded differently.
    """
    import cv2

    add: Any = cv2.add  # the type stubs lack sums of different dtypes
    red_share, green_share, blue_share = LUMA_WEIGHTS
    red_table, blue_table = _chroma_tables()
    red = add(luma, cv2.LUT(cr, red_table), dtype=cv2.CV_8U)
    blue = add(luma, cv2.LUT(cb, blue_table), dtype=cv2.CV_8U)
    rest = cv2.addWeighted(red, -red_share / green_share, blue, -blue_share / green_share, 0, dtype=cv2.CV_32F)
    green = add(luma * np.float32(65536 / green_share), rest, dtype=cv2.CV_8U)
    cv2.merge([red, green, blue], dst=rgb)


@functools.cache
def _chroma_tables() -> tuple[np.ndarray, np.ndarray]:
    """Return R' - Y' for each code value of Cr, and B' - Y' for each code value of Cb, rounded, int16 ``[256]``."""
    chroma = np.arange(256) - 128
    red, blue = (np.rint(scale * chroma).astype(np.int16) for scale in (BT601.cr_to_r, BT601.cb_to_b))
    return red, blue


def _rgb_of_16_bits(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, rgb: np.ndarray) -> None:
    """Convert a strip of uint16 Y'CbCr (or of uint8, as tests do) and write it into ``rgb``."""
    middle = Coding.of_photograph(luma.dtype).neutral
    top = 2 * middle - 1
    red_share, green_share, blue_share = (weight / 65536 for weight in LUMA_WEIGHTS)
    y = luma.astype(np.float32)
    red = np.clip(np.rint(y + BT601.cr_to_r * (cr.astype(np.float32) - middle)), 0, top)
    blue = np.clip(np.rint(y + BT601.cb_to_b * (cb.astype(np.float32) - middle)), 0, top)
    green = np.clip(np.rint((y - red_share * red - blue_share * blue) / green_share), 0, top)
    rgb[..., 0], rgb[..., 1], rgb[..., 2] = red, green, blue
