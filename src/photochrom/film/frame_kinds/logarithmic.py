"""Logarithmic film scans (Cineon): converts luma for the network, and the predicted colours back to log.

Samples are printing densities: 0.002 density per 10-bit step, film white at 685 and film black at 95 (Kodak,
"Conversion of 10-bit log film data to 8-bit linear or video data", 1995). The network sees the picture as it is
displayed; the chroma for this picture is then converted to chroma for logarithmic samples.
"""

from __future__ import annotations

import numpy as np

from ...color.spaces import linear_to_srgb
from ...color.tones import Tones

_WHITE, _BLACK, _TOP = 685, 95, 1023  # 10-bit code values of film white, film black, and the highest one
_DENSITY, _GAMMA = 0.002, 0.6  # density per code value, and contrast of negative film


def _displayed(code: np.ndarray) -> np.ndarray:
    """Convert logarithmic luma, 0..1, to displayed luma, 0..1."""
    exponent = (code * _TOP - _WHITE) * (_DENSITY / _GAMMA)
    dark = 10.0 ** ((_BLACK - _WHITE) * (_DENSITY / _GAMMA))
    return linear_to_srgb(np.clip((10.0**exponent - dark) / (1 - dark), 0, 1))


# Tables with 256 entries, for 8-bit levels.
_LEVELS = np.arange(256) / 255
_TO_DISPLAY = np.rint(255 * _displayed(_LEVELS)).astype(np.uint8)  # displayed luma of each logarithmic level
_CODES = np.linspace(0, 1, 4096)
_LOGARITHMS = np.interp(_LEVELS, _displayed(_CODES), _CODES).astype(np.float32)  # the inverse, 0..1
_SLOPES = np.gradient(_LOGARITHMS, _LEVELS).astype(np.float32)  # derivative of _LOGARITHMS


def _stored(thumbnail: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # To first order, a difference between logarithmic values is the difference between the displayed values, times the
    # slope of the curve from displayed to logarithmic values.
    return _LOGARITHMS[thumbnail], cbcr * _SLOPES[thumbnail]


LOGARITHMIC = Tones(lambda luma: _TO_DISPLAY[luma], _stored)
