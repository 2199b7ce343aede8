"""Dense optical flow between the luma of two frames (DIS, Kroeger et al. 2016), and warping along it."""

from __future__ import annotations

import functools
import math
import threading
from typing import Any

import cv2
import numpy as np

_LEAST = 16  # least side in pixels; DIS cannot search smaller frames, so they are padded


def backward_flow(
    source: np.ndarray, target: np.ndarray, *, fast: bool = False, near: np.ndarray | None = None
) -> np.ndarray:
    """Find where each pixel of the target frame comes from in the source frame.

    Args:
        source: Luma, uint8 ``[h, w]``.
        target: Luma of the other frame, uint8 ``[h, w]``.
        fast: Whether to use the fastest and coarsest preset.
        near: Result for the same source and a target shortly before or after this one, from which the search starts.

    Returns:
        Absolute column and row in the source, float32 ``[h, w, 2]``; a map for ``warp``.
    """
    height, width = source.shape
    start = None if near is None else near - _grid(height, width)
    if min(height, width) < _LEAST:
        target, source, start = _padded(target), _padded(source), None
    search = _searches.of(fast, *source.shape, start is not None)
    found: np.ndarray = search.calc(target, source, start)[:height, :width]
    found += _grid(height, width)
    return found


def _padded(frame: np.ndarray) -> np.ndarray:
    down, right = (max(0, _LEAST - side) for side in frame.shape)
    return cv2.copyMakeBorder(frame, 0, down, 0, right, cv2.BORDER_REPLICATE)


def warp(planes: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Warp planes of the source frame to the target frame.

    Args:
        planes: ``[h, w]`` or ``[h, w, C]`` with C up to 4.
        flow: Result of ``backward_flow``.

    Returns:
        Planes of the same shape and dtype.
    """
    remap: Any = cv2.remap  # OpenCV's stubs lack maps with two channels
    return np.asarray(remap(planes, flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _search(fast: bool, height: int, width: int, is_started: bool) -> Any:
    """Create OpenCV's flow search for frames of one size.

    A search that was once started from a flow keeps it, and starts from it whenever it is given none. So searches with
    and without a start are different objects: ``is_started`` only distinguishes them in the cache.

    The finest scale is set explicitly. If the coarsest scale did not fit, OpenCV would choose another one by the width
    alone, read past the end of flat frames, crash, and keep its choice for later sizes.
    """
    maker: Any = cv2.DISOpticalFlow  # OpenCV's stubs lack its factory
    search = maker.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST if fast else cv2.DISOPTICAL_FLOW_PRESET_FAST)
    patch = search.getPatchSize()
    coarsest = min(math.log2(max(height, width) / (4 * patch)) + 0.5, math.log2(min(height, width) / patch))
    if coarsest < search.getFinestScale():
        search.setFinestScale(0)
    return search


class _Searches(threading.local):
    """A cache of searches per thread, since using one search in two threads at once crashes the process."""

    def __init__(self) -> None:
        self.of = functools.lru_cache(maxsize=8)(_search)


_searches = _Searches()


@functools.lru_cache(maxsize=8)
def _grid(height: int, width: int) -> np.ndarray:
    """Return column and row of each pixel, float32 ``[h, w, 2]``."""
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
