"""Tells films that are surely negatives, which would be coloured as if their shadows were lights.

Two signs must agree. Unexposed film is clear, so the margin around a negative's picture is as bright as anything in it,
where a print has black. And the luma has the statistics of a negative: most scenes are rather dark, are lit from above,
have more detail in their shadows, and clip in their lights. The statistics alone tell 70 of 100 photographs from their
negatives (``benchmarks/negatives.py``), which is why they only confirm the first sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..color.coding import Coding
from ..color.thumbnail import thumbnail
from ..colorizer.margins import find_picture
from .shots import is_blank

_SEEN = 256  # pixels of the short side at which frames are looked at
_CLEAR = 150  # least luma of clear film, 0 to 255
_BRIGHTER = 12  # steps of luma by which nine tenths of the picture may be brighter than clear film
_LEAST = 4  # frames
_SHARE = 0.8  # least share of frames with clear film around the picture
_SIZE = 128  # pixels of the short side on which statistics are computed
_FINE, _COARSE = 1.5, 12.0  # pixels of Gaussian blurs
_WEIGHTS = (-15.8, 3.1, 0.8, -6.7)  # of the statistics, fitted by benchmarks/negatives.py
_NEGATIVE = -0.3  # greatest mean score of a film that is surely a negative


def at_small_size(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Return a luma plane as it is looked at: uint8 ``[h, w]``, full range."""
    scale = min(1.0, _SEEN / min(luma.shape))
    height, width = (max(1, round(side * scale)) for side in luma.shape)
    return thumbnail(luma, coding, height, width)


def is_surely_negative(lumas: Sequence[np.ndarray]) -> bool:
    """Tell whether a film is a negative beyond doubt.

    Args:
        lumas: Some frames from all over the film, as ``at_small_size`` returns them.
    """
    shown = [luma for luma in lumas if not is_blank(luma)]
    if len(shown) < _LEAST:
        return False
    pictures = [picture for luma in shown if (picture := _in_clear_film(luma)) is not None]
    if len(pictures) < _SHARE * len(shown):
        return False
    return float(np.mean([score(picture) for picture in pictures])) < _NEGATIVE


def _in_clear_film(luma: np.ndarray) -> np.ndarray | None:
    """Return the picture inside a margin of clear film; None if there is no such margin."""
    if (box := find_picture(luma)) is None:
        return None
    rows, columns = box.pixels(*luma.shape)
    inside = np.zeros(luma.shape, bool)
    inside[rows, columns] = True
    clear = float(np.median(luma[~inside]))
    picture = luma[rows, columns]
    return picture if clear >= max(_CLEAR, np.percentile(picture, 90) - _BRIGHTER) else None


def score(luma: np.ndarray) -> float:
    """Return the logarithm of the odds that a picture is a positive; the negative of it has the negated score."""
    return float(np.dot(_WEIGHTS, statistics(luma)))


def statistics(luma: np.ndarray) -> np.ndarray:
    """Compute statistics that change their sign if luma is inverted.

    Args:
        luma: uint8 ``[h, w]``, full range.

    Returns:
        float64 ``[4]``: brightness; share of clipped lights less that of clipped shadows; light from above;
        correlation of fine detail with brightness.
    """
    scale = _SIZE / min(luma.shape)
    size = tuple(max(16, round(side * scale)) for side in luma.shape[::-1])
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    around = cv2.GaussianBlur(small, (0, 0), _FINE)
    detail = small - around
    down = np.diff(cv2.GaussianBlur(small, (0, 0), _COARSE), axis=0)
    spread = np.abs(detail) - np.abs(detail).mean()
    level = around - around.mean()
    return np.array(
        [
            small.mean() - 0.5,
            (small > 0.97).mean() - (small < 0.03).mean(),
            -np.tanh(3 * down.mean() / (down.std() + 1e-6)),
            (spread * level).mean() / (spread.std() * level.std() + 1e-9),
        ]
    )
