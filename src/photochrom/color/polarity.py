"""Statistics that distinguish negatives from positives; each changes its sign if the luma is inverted."""

from __future__ import annotations

import cv2
import numpy as np

from .coding import Coding
from .thumbnail import thumbnail

_COPY_SIDE = 256  # short side, in pixels, of the copy that ``at_small_size`` makes
_SIDE = 128  # short side, in pixels, of the smaller copy on which ``statistics`` works
# Standard deviations of Gaussian blurs, in pixels:
_DETAIL_BLURS = (1.0, 2.0)
_FINE, _COARSE = 1.5, 12.0
_MOST_SKEWED = 1.5  # about the skewness of photographs; drawings and print, black lines on white, reach 20


def at_small_size(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Reduce a luma plane in the given coding to the copy that ``statistics`` expects: uint8 ``[h, w]``, full range."""
    scale = min(1.0, _COPY_SIDE / min(luma.shape))
    height, width = (max(1, round(side * scale)) for side in luma.shape)
    return thumbnail(luma, coding, height, width)


def statistics(luma: np.ndarray) -> np.ndarray:
    """Compute seven statistics of a picture, each of which changes its sign if the luma is inverted.

    Args:
        luma: uint8 ``[h, w]``, full range.

    Returns:
        float64 ``[7]``: mean brightness; share of very light pixels minus share of very dark ones; steadiness with
        which brightness falls from top to bottom (-1 to 1); correlation of the strength of detail with brightness;
        correlation of brightness with height in the picture; skewness of detail of about one pixel, and of two pixels.
    """
    scale = _SIDE / min(luma.shape)
    size = tuple(max(16, round(side * scale)) for side in luma.shape[::-1])
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    around, finest, finer = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (_FINE, *_DETAIL_BLURS))
    down = np.diff(cv2.GaussianBlur(small, (0, 0), _COARSE), axis=0)
    detail = np.abs(small - around)
    height = np.repeat(np.linspace(1, -1, len(small))[:, None], small.shape[1], axis=1)
    return np.array(
        [
            small.mean() - 0.5,
            (small > 0.97).mean() - (small < 0.03).mean(),
            -np.tanh(3 * down.mean() / (down.std() + 1e-6)),
            _correlation(detail, around),
            _correlation(height, small),
            _skewness(small - finest),
            _skewness(finest - finer),
        ]
    )


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    covariance = ((first - first.mean()) * (second - second.mean())).mean()
    return float(covariance / (first.std() * second.std() + 1e-9))


def _skewness(detail: np.ndarray) -> float:
    cubes = detail * detail * detail  # many times as fast as ``detail**3``
    return float(np.clip(cubes.mean() / (detail.std() ** 3 + 1e-9), -_MOST_SKEWED, _MOST_SKEWED))
