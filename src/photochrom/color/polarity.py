"""``statistics``: numbers that distinguish negatives from positives, and change sign if the luma is inverted."""

from __future__ import annotations

import cv2
import numpy as np

from .coding import Coding
from .thumbnail import thumbnail

_SEEN = 256  # short side in pixels of the copy that ``at_small_size`` makes
_SIZE = 128  # short side in pixels of the smaller copy on which ``statistics`` works
_FINEST = (1.0, 2.0)  # pixels of Gaussian blurs
_FINE, _COARSE = 1.5, 12.0
_MOST_SKEWED = 1.5  # about that of photographs; drawings and print, black lines on white, reach 20


def at_small_size(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Return the small copy that ``statistics`` takes, uint8 ``[h, w]``, full range."""
    scale = min(1.0, _SEEN / min(luma.shape))
    height, width = (max(1, round(side * scale)) for side in luma.shape)
    return thumbnail(luma, coding, height, width)


def statistics(luma: np.ndarray) -> np.ndarray:
    """Compute statistics that change their sign if luma is inverted.

    Args:
        luma: uint8 ``[h, w]``, full range.

    Returns:
        float64 ``[7]``: brightness; share of clipped highlights minus clipped shadows; light from above; correlation of
        fine detail with brightness; correlation of brightness with height; skewness of detail of about one pixel, and
        of two.
    """
    scale = _SIZE / min(luma.shape)
    size = tuple(max(16, round(side * scale)) for side in luma.shape[::-1])
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    around, finest, finer = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (_FINE, *_FINEST))
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
    cubes = detail * detail * detail  # many times as fast as a power
    return float(np.clip(cubes.mean() / (detail.std() ** 3 + 1e-9), -_MOST_SKEWED, _MOST_SKEWED))
