"""Thumbnails: the one function that reduces a luma plane to the size that the network sees."""

from __future__ import annotations

import functools
from typing import Any, Final

import cv2
import numpy as np

from .coding import Coding

_ROUNDS: Final = 4  # of back-projection; two are nearly as good, and one is half as good


def thumbnail(luma: np.ndarray, coding: Coding, height: int, width: int) -> np.ndarray:
    """Resize a luma plane to 8-bit full-range luma of the given size.

    Args:
        luma: uint8 or uint16 ``[H, W]``, native byte order, any strides.
        coding: How the luma is coded.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        uint8 ``[height, width]``, 0 (black) to 255 (white).
    """
    while luma.shape[0] >= 4 * height and luma.shape[1] >= 4 * width:
        luma = halved(luma)
    shrinks = height <= luma.shape[0] and width <= luma.shape[1]
    small = (
        cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA) if shrinks else _enlarged(luma, height, width)
    )
    if coding.bits > 8:
        return _at_8_bits(small, coding)
    return small if coding.full_range else cv2.LUT(small, _table(coding))


def _enlarged(luma: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarge a plane so that reducing the result gives nearly the same plane again.

    Interpolation alone blurs, and the network recognises less. What the reduced result lacks is therefore added again,
    as in iterative back-projection (Irani and Peleg 1991).
    """
    plane = luma.astype(np.float32)
    large: Any = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(_ROUNDS):
        lost = plane - cv2.resize(large, plane.shape[::-1], interpolation=cv2.INTER_AREA)
        large += cv2.resize(lost, (width, height), interpolation=cv2.INTER_LINEAR)
    limits = np.iinfo(luma.dtype)
    return np.clip(np.rint(large), limits.min, limits.max).astype(luma.dtype)


@functools.cache
def _table(coding: Coding) -> np.ndarray:
    """Return the full-range luma for each code value of 8-bit luma, uint8 ``[256]``."""
    return _at_8_bits(np.arange(256), coding)


def _at_8_bits(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Convert luma from any coding to full range, uint8; values beyond black and white are clipped."""
    shifted = (luma.astype(np.float32) - coding.black) * np.float32(255 / coding.luma_span)
    return np.clip(shifted + 0.5, 0, 255).astype(np.uint8)


def halved(luma: np.ndarray) -> np.ndarray:
    """Halve a plane ``[H, W]`` by averaging blocks of 2 by 2 pixels; an odd last row or column is dropped.

    This is several times as fast as resizing by a fraction.
    """
    height, width = (side // 2 for side in luma.shape)
    return cv2.resize(luma[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
