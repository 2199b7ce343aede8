"""Distinguishes colour photographs from toned black-and-white prints and from faded colour prints."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

_SIDE: Final = 96  # pixels; averaging removes sensor noise and the chroma noise of JPEG
_GROUPS: Final = 16  # groups of pixels of similar lightness
# Thresholds; benchmarks/toning.py measures the error rates, and docs/photographs.md lists them.
_SPREAD: Final = 2.0  # standard deviation of a*b* along the direction in which it varies least
_DISTANCE: Final = 13.0  # 95th percentile of the distance in a*b* from the median colour of the group
_CAST: Final = 45.0  # greatest difference between the channels of the darkest tones, of 255
_CONTRAST: Final = 1.0  # logarithm of the ratio of the lightest to the darkest values, in the channel where it is least
_ENDS: Final = (0.01, 0.99)  # quantiles that are used as the darkest and the lightest values
_GREY: Final = 6.0  # 99th percentile of the distance in a*b* from neutral; grey with much noise has 5
_DARK: Final = 8.0  # added to values, since the darkest ones are mostly noise and would dominate the ratio


def has_colors(rgb: np.ndarray) -> bool:
    """Return whether a picture is a colour photograph that is not faded, rather than a toned or stained print.

    In a toned print, colour depends on lightness alone; stains and yellowing vary it along one hue. Therefore pixels of
    similar lightness are compared: in a colour photograph, their colours vary in two directions, or widely. In a faded
    colour print, one dye has lost most of its density: the darkest tones have a cast, and one channel has little
    contrast.

    Args:
        rgb: sRGB, uint8 ``[H, W, 3]``; a thumbnail is enough.
    """
    small = cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return _has_different_colors(small) and not _is_faded(small)


def is_nearly_grey(rgb: np.ndarray) -> bool:
    """Return whether a picture has hardly any colours, not even one that tones it, but at most noise and a weak cast.

    Args:
        rgb: sRGB, uint8 ``[H, W, 3]``; a thumbnail is enough.
    """
    ab = _lab(cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))[:, 1:]
    return float(np.quantile(np.hypot(*ab.T), 0.99)) < _GREY


def _lab(small: np.ndarray) -> np.ndarray:
    """Convert sRGB, uint8 ``[H, W, 3]``, to L*a*b*, float32 ``[H * W, 3]``."""
    return cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)


def _has_different_colors(small: np.ndarray) -> bool:
    lab = _lab(small)
    ab = lab[np.argsort(lab[:, 0], kind="stable"), 1:]
    residual = np.concatenate([group - np.median(group, axis=0) for group in np.array_split(ab, _GROUPS)])
    smaller_variance = max(0.0, float(np.linalg.eigvalsh(np.cov(residual.T))[0]))
    distance = float(np.quantile(np.hypot(residual[:, 0], residual[:, 1]), 0.95))
    return smaller_variance**0.5 > _SPREAD or distance > _DISTANCE


def _is_faded(small: np.ndarray) -> bool:
    dark, light = np.quantile(small.reshape(-1, 3), _ENDS, axis=0)
    contrast = np.log((light + _DARK) / (dark + _DARK))
    return bool(np.ptp(dark) > _CAST and contrast.min() < _CONTRAST)
