"""``is_surely_negative``: recognises films that are certainly negatives, since they would be coloured wrongly.

Two signs must agree. First, the margin around the picture must be as bright as the brightest parts of the picture,
because the unexposed margin of a negative is clear; the margin of a print is black. Second, the luma must have the
statistics of a negative, because most scenes are rather dark, are lit from above, have more detail in their shadows,
and clip in their highlights. The statistics alone classify only 70 % of photographs and negatives correctly
(``benchmarks/negatives.py``), so they merely confirm the first sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...color.polarity import statistics
from ...colorizer.margins import MIN_DEPTH, find_picture
from ..shots.detection import is_blank

_CLEAR = 150  # least luma of clear film, 0 to 255
_BRIGHTER = 12  # steps of luma by which the picture's 90th percentile may be brighter than clear film
_LEAST = 4  # least number of frames
_SHARE = 0.8  # least share of frames with clear film around the picture
_WEIGHTS = (-15.8, 3.1, 0.8, -6.7)  # weights of the first results of ``statistics``, fitted by benchmarks/negatives.py
_NEGATIVE = -0.3  # greatest mean score of a film that is certainly a negative


def is_surely_negative(lumas: Sequence[np.ndarray]) -> bool:
    """Return whether a film is certainly a negative.

    Args:
        lumas: Some frames spread over the film, as returned by ``polarity.at_small_size``.
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
    edge = float(np.median(np.concatenate([luma[0], luma[-1], luma[:, 0], luma[:, -1]])))
    without_holes = np.minimum(luma, round(edge)) if edge >= _CLEAR else luma  # holes are brighter than clear film
    if (box := find_picture(without_holes)) is None:
        return None
    rows, columns = box.pixels(*luma.shape)
    depth = round(MIN_DEPTH * min(luma.shape)) + 1  # not further out, where the scanner's black gate may lie
    around = np.zeros(luma.shape, bool)
    around[max(0, rows.start - depth) : rows.stop + depth, max(0, columns.start - depth) : columns.stop + depth] = True
    around[rows, columns] = False
    clear = float(np.median(luma[around]))
    picture = luma[rows, columns]
    return picture if clear >= max(_CLEAR, np.percentile(picture, 90) - _BRIGHTER) else None


def score(luma: np.ndarray) -> float:
    """Return the log odds that a picture, uint8 ``[h, w]``, is a positive; inverting the picture negates the result."""
    return float(np.dot(_WEIGHTS, statistics(luma)[: len(_WEIGHTS)]))
