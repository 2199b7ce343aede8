"""Optical flow between the luma of two frames (Kroeger et al. 2016, DIS), and what is carried along it."""

from __future__ import annotations

import functools
import math
import threading
from typing import Any

import cv2
import numpy as np

_LEAST = 16  # pixels of a side: less is too little to look for


def places(source: np.ndarray, target: np.ndarray, *, fast: bool = False) -> np.ndarray:
    """Where each pixel of the target frame lies in the source frame.

    Args:
        source: luma, uint8 ``[h, w]``.
        target: the same of the other frame.
        fast: whether a rough answer will do.

    Returns:
        float32 ``[h, w, 2]``: column and row.
    """
    height, width = source.shape
    if min(height, width) < _LEAST:
        target, source = (_padded(frame) for frame in (target, source))
    found: np.ndarray = _searches.of(fast, *source.shape).calc(target, source, None)[:height, :width]
    found += _grid(height, width)
    return found


def _padded(frame: np.ndarray) -> np.ndarray:
    down, right = (max(0, _LEAST - side) for side in frame.shape)
    return cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE)


def carried(planes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Planes ``[h, w]`` or ``[h, w, C]`` of the source, C up to 4, as they lie in the target; see ``places``."""
    remap: Any = cv2.remap  # its stubs know no maps of two channels
    return np.asarray(remap(planes, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _search(fast: bool, height: int, width: int) -> Any:
    """OpenCV's search, for frames of one size.

    The scales that it looks at are set here: where those that it begins with do not fit, it would choose by the width
    alone, which reads beyond the end of low frames and brings the process down, and keep its choice for later sizes.
    """
    maker: Any = cv2.DISOpticalFlow  # its stubs know no function to make it
    search = maker.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST if fast else cv2.DISOPTICAL_FLOW_PRESET_FAST)
    patch = search.getPatchSize()
    coarsest = min(math.log2(max(height, width) / (4 * patch)) + 0.5, math.log2(min(height, width) / patch))
    if coarsest < search.getFinestScale():
        search.setFinestScale(0)
    return search


class _Searches(threading.local):
    """Each thread's own: one that two threads use at the same moment brings the process down."""

    def __init__(self) -> None:
        self.of = functools.lru_cache(maxsize=4)(_search)


_searches = _Searches()


@functools.lru_cache(maxsize=8)
def _grid(height: int, width: int) -> np.ndarray:
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
