"""Negatives: the network is shown the positive, and the colours are written as their complements.

Inverting the coloured film, luma and chroma, gives the coloured positive. The luma is not changed.
"""

from __future__ import annotations

import numpy as np

from ..color.coding import Coding
from ..color.spaces import quick_ab_to_cbcr
from ..color.upsample import apply_to_luma, linear_coefficients


def shown(thumbnail: np.ndarray) -> np.ndarray:
    """Return what the network is shown of a negative's thumbnail, both uint8 of any shape, full range."""
    return 255 - thumbnail


def render(
    luma: np.ndarray,
    small: np.ndarray,
    ab: np.ndarray,
    *,
    strength: float,
    subsampling: tuple[int, int],
    coding: Coding,
    out: tuple[np.ndarray, np.ndarray],
) -> None:
    """Write Cb and Cr for the luma of a negative; as ``Colorizer.render``.

    Args:
        luma: Negative, uint8 or uint16 ``[H, W]``.
        small: Result of ``shown``, uint8 ``[h, w]``.
        ab: a*b* of the positive, float32 ``[2, h, w]``.
        strength: Factor applied to the chroma.
        subsampling: Rows and columns of luma that share one chroma sample.
        coding: Meaning of the integers.
        out: Planes to write into.
    """
    cbcr = quick_ab_to_cbcr(small, ab, coding.matrix)
    coefficients = linear_coefficients((255 - small).astype(np.float32) / 255, -cbcr)
    apply_to_luma(coefficients, luma, strength=strength, subsampling=subsampling, coding=coding, out=out)
