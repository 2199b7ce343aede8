"""Colours films that are negatives: inverts luma for the network, and writes the complements of the colours.

The film's own luma is not changed. Inverting luma and chroma of the coloured film gives the coloured positive.
"""

from __future__ import annotations

import numpy as np

from ...color.spaces import Matrix, quick_ab_to_cbcr
from ...color.upsample import linear_coefficients


def for_network(thumbnail: np.ndarray) -> np.ndarray:
    """Invert the thumbnail of a negative, uint8 of any shape, full range, for the network."""
    return 255 - thumbnail


def coefficients(small: np.ndarray, ab: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Fit the chroma of a negative as a linear function of its luma.

    Args:
        small: Result of ``for_network``, uint8 ``[h, w]``.
        ab: a*b* of the positive, float32 ``[2, h, w]``.
        matrix: Y'CbCr matrix of the film.

    Returns:
        Coefficients in the form of ``linear_coefficients``, float32 ``[4, h, w]``.
    """
    return linear_coefficients((255 - small).astype(np.float32) / 255, -quick_ab_to_cbcr(small, ab, matrix))
