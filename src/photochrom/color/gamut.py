"""Colours brought into the RGB gamut without a change of luma, and RGB that has exactly the luma it was made from."""

from __future__ import annotations

import numpy as np

from .bands import strips
from .coding import centre
from .spaces import BT601, LUMA_WEIGHTS, Matrix


def in_gamut(
    cb: np.ndarray,
    cr: np.ndarray,
    darkest: np.ndarray,
    brightest: np.ndarray,
    matrix: Matrix = BT601,
    *,
    white: float = 1,
) -> np.ndarray:
    """The factor (0..1) that brings a chroma into the RGB gamut at every luma from ``darkest`` to ``brightest``.

    All arrays float32 of one shape; luma from 0 to ``white``, Cb and Cr from minus to plus half of it. Hue and luma
    stay as they are.
    """
    red, blue = matrix.cr_to_r * cr, matrix.cb_to_b * cb
    green = matrix.cb_to_g * cb + matrix.cr_to_g * cr
    over = np.maximum(np.maximum(red, green), blue)
    under = np.minimum(np.minimum(red, green, out=red), blue, out=red)
    tiny = np.float32(1e-9)  # of grey: no factor changes it
    room_above = np.divide(white - brightest, np.maximum(over, tiny, out=over), out=over)
    room_below = np.divide(-darkest, np.minimum(under, -tiny, out=under), out=under)
    return np.minimum(np.minimum(room_above, room_below, out=over), 1, out=over)


def rgb_of_luma(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> np.ndarray:
    """Y'CbCr planes ``[H, W]`` of one dtype (uint8 or uint16) -> R'G'B' ``[H, W, 3]`` of that dtype.

    Red and blue are rounded; green is then what the luma asks for, so that recomputing it (``luma_of_rgb``) gives
    ``luma`` again, except that where the chroma is out of gamut it may differ. Full-size chroma only.
    """
    height, width = luma.shape
    middle = centre(luma.dtype)
    top = 2 * middle - 1
    red_share, green_share, blue_share = (weight / 65536 for weight in LUMA_WEIGHTS)
    rgb = np.empty((height, width, 3), luma.dtype)
    for start, stop in strips(height, width):
        part = slice(start, stop)
        y = luma[part].astype(np.float32)
        red = np.clip(np.rint(y + BT601.cr_to_r * (cr[part].astype(np.float32) - middle)), 0, top)
        blue = np.clip(np.rint(y + BT601.cb_to_b * (cb[part].astype(np.float32) - middle)), 0, top)
        green = np.clip(np.rint((y - red_share * red - blue_share * blue) / green_share), 0, top)
        rgb[part, :, 0], rgb[part, :, 1], rgb[part, :, 2] = red, green, blue
    return rgb
