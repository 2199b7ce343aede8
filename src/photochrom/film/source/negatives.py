"""Tells films that are surely negatives, which would be coloured as if their shadows were lights.

Two signs must agree. Unexposed film is clear, so the margin around a negative's picture is as bright as anything in it,
where a print has black. And the luma has the statistics of a negative: most scenes are rather dark, are lit from above,
have more detail in their shadows, and clip in their lights. The statistics alone tell 70 of 100 photographs from their
negatives (``benchmarks/negatives.py``), which is why they only confirm the first sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...color.polarity import statistics
from ...colorizer.margins import find_picture
from ..shots.detection import is_blank

_CLEAR = 150  # least luma of clear film, 0 to 255
_BRIGHTER = 12  # steps of luma by which nine tenths of the picture may be brighter than clear film
_LEAST = 4  # frames
_SHARE = 0.8  # least share of frames with clear film around the picture
_WEIGHTS = (-15.8, 3.1, 0.8, -6.7)  # of the first statistics, fitted by benchmarks/negatives.py
_NEGATIVE = -0.3  # greatest mean score of a film that is surely a negative


def is_surely_negative(lumas: Sequence[np.ndarray]) -> bool:
    """Tell whether a film is a negative beyond doubt.

    Args:
        lumas: Some frames from all over the film, as ``polarity.at_small_size`` returns them.
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
    return float(np.dot(_WEIGHTS, statistics(luma)[: len(_WEIGHTS)]))
