"""Logarithmic film scans (Cineon): converts luma for the network, and its colours back to log.

Samples are printing densities: 0.002 density per 10-bit step, film white at 685 and film black at 95 (Kodak,
"Conversion of 10-bit log film data to 8-bit linear or video data", 1995). The network sees the picture as displayed,
and its chroma is converted back to logarithms.
"""

from __future__ import annotations

import numpy as np

from ...color.spaces import Matrix, linear_to_srgb, quick_ab_to_cbcr
from ...color.upsample import linear_coefficients

_WHITE, _BLACK, _TOP = 685, 95, 1023
_DENSITY, _GAMMA = 0.002, 0.6  # density per step, and contrast of negative film


def _displayed(code: np.ndarray) -> np.ndarray:
    """Convert logarithmic luma, 0..1, to displayed luma, 0..1."""
    exponent = (code * _TOP - _WHITE) * (_DENSITY / _GAMMA)
    dark = 10.0 ** ((_BLACK - _WHITE) * (_DENSITY / _GAMMA))
    return linear_to_srgb(np.clip((10.0**exponent - dark) / (1 - dark), 0, 1))


_CODES = np.linspace(0, 1, 4096)
_DISPLAYED = _displayed(_CODES)
_SHOWN = np.rint(255 * _displayed(np.arange(256) / 255)).astype(np.uint8)
_LEVELS = np.arange(256) / 255
_LOGARITHMS = np.interp(_LEVELS, _DISPLAYED, _CODES).astype(np.float32)
_SLOPES = np.gradient(_LOGARITHMS, _LEVELS).astype(np.float32)


def for_network(thumbnail: np.ndarray) -> np.ndarray:
    """Convert a logarithmic thumbnail to what the network sees, both uint8 of any shape, full range."""
    return _SHOWN[thumbnail]


def coefficients(small: np.ndarray, ab: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Fit chroma as a linear function of logarithmic luma.

    To first order, a difference in displayed values is a difference in logarithms times the slope of the curve.

    Args:
        small: Result of ``for_network``, uint8 ``[h, w]``.
        ab: a*b* float32 ``[2, h, w]``.
        matrix: Weights of the film's luma.

    Returns:
        Coefficients in the form of ``linear_coefficients``, float32 ``[4, h, w]``.
    """
    return linear_coefficients(_LOGARITHMS[small], quick_ab_to_cbcr(small, ab, matrix) * _SLOPES[small])
