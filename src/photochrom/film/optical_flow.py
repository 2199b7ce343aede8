"""Dense optical flow between the luma of two frames (DIS, Kroeger et al. 2016), and warping along it."""

from __future__ import annotations

import functools
import math
import threading
from typing import Any

import cv2
import numpy as np

_LEAST_SIDE = 16  # pixels; frames with a shorter side are padded, because DIS cannot search them


def backward_flow(
    source: np.ndarray, target: np.ndarray, *, fast: bool = False, near: np.ndarray | None = None
) -> np.ndarray:
    """Return the position in the source frame of each pixel of the target frame.

    Args:
        source: Luma, uint8 ``[h, w]``.
        target: Luma, uint8 ``[h, w]``.
        fast: Whether to use the fastest and coarsest preset.
        near: Result for the same source and the frame before or after the target, from which the search starts; not
            used if a side of the frames is less than 16 pixels.

    Returns:
        Absolute column and row in the source, float32 ``[h, w, 2]``; a map for ``warp``.
    """
    height, width = source.shape
    start = None if near is None else near - _grid(height, width)
    if min(height, width) < _LEAST_SIDE:
        target, source, start = _padded(target), _padded(source), None
    search = _searches.of(fast, *source.shape, start is not None)
    found: np.ndarray = search.calc(target, source, start)[:height, :width]
    found += _grid(height, width)
    return found


def _padded(frame: np.ndarray) -> np.ndarray:
    down, right = (max(0, _LEAST_SIDE - side) for side in frame.shape)
    return cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE)


def warp(planes: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Warp planes of the source frame to the target frame, with bilinear interpolation.

    Args:
        planes: uint8 or float32, ``[h, w]`` or ``[h, w, C]`` with C up to 4.
        flow: Result of ``backward_flow``.

    Returns:
        Planes of the same shape and dtype.
    """
    remap: Any = cv2.remap  # OpenCV's stubs lack maps with two channels
    return np.asarray(remap(planes, flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _search(fast: bool, height: int, width: int, is_started: bool) -> Any:
    """Create an OpenCV object that searches for the flow between frames of one size."""
    # Such an object remembers the last initial flow that it was given, and uses it again if a later call gives none. So
    # searches with and without an initial flow need two objects, which ``is_started`` distinguishes in the cache.
    maker: Any = cv2.DISOpticalFlow  # OpenCV's stubs lack its factory
    search = maker.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST if fast else cv2.DISOPTICAL_FLOW_PRESET_FAST)
    patch = search.getPatchSize()
    coarsest = min(math.log2(max(height, width) / (4 * patch)) + 0.5, math.log2(min(height, width) / patch))
    if coarsest < search.getFinestScale():
        # Otherwise OpenCV would choose another finest scale by the width alone, read past the end of flat frames,
        # crash, and keep its choice for later sizes.
        search.setFinestScale(0)
    return search


class _Searches(threading.local):
    """A cache of search objects per thread, because using one object in two threads at once crashes the process."""

    def __init__(self) -> None:
        self.of = functools.lru_cache(maxsize=8)(_search)


_searches = _Searches()


@functools.lru_cache(maxsize=8)
def _grid(height: int, width: int) -> np.ndarray:
    """Return column and row of each pixel, float32 ``[h, w, 2]``."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
