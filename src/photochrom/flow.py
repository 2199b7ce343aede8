"""Optical flow between the luma of two frames (Kroeger et al. 2016, DIS), and what is carried along it."""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np


def places(source: np.ndarray, target: np.ndarray, *, fast: bool = False) -> np.ndarray:
    """Where each pixel of the target frame lies in the source frame.

    Args:
        source: luma, uint8 ``[h, w]``.
        target: the same of the other frame.
        fast: whether a rough answer will do.

    Returns:
        float32 ``[h, w, 2]``: column and row.
    """
    found: np.ndarray = _dis(fast).calc(target, source, None)
    found += _grid(*source.shape)
    return found


def carried(planes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Planes ``[h, w]`` or ``[h, w, C]`` of the source, C up to 4, as they lie in the target; see ``places``."""
    remap: Any = cv2.remap  # its stubs know no maps of two channels
    return np.asarray(remap(planes, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


@functools.cache
def _dis(fast: bool) -> Any:
    maker: Any = cv2.DISOpticalFlow  # its stubs know no function to make it
    return maker.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST if fast else cv2.DISOPTICAL_FLOW_PRESET_FAST)


@functools.lru_cache(maxsize=8)
def _grid(height: int, width: int) -> np.ndarray:
    return np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
