"""Windows of OpenEXR files: a file stores the pixels of its data window, and shows those of its display window.

A window is ``(left, top), (right, bottom)``, whose right column and bottom row belong to it; an array ``[2, 2]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def size(window: Any) -> tuple[int, int]:
    """Return width and height of a window."""
    (left, top), (right, bottom) = np.asarray(window, np.int64)
    return int(right - left + 1), int(bottom - top + 1)


def shared(header: dict[str, Any]) -> np.ndarray:
    """Return the window ``[2, 2]`` of the pixels that are stored and shown; its size is 0 if there are none."""
    stored, shown = (np.asarray(header[name], np.int64) for name in ("dataWindow", "displayWindow"))
    first, last = np.maximum(stored[0], shown[0]), np.minimum(stored[1], shown[1])
    return np.stack([first, np.maximum(last, first - 1)])


def within(window: np.ndarray, outer: Any) -> tuple[slice, slice]:
    """Return rows and columns of a window inside another one."""
    (left, top), (width, height) = np.subtract(window[0], outer[0], dtype=np.int64), size(window)
    return slice(top, top + height), slice(left, left + width)


def nearest_shown(header: dict[str, Any]) -> list[np.ndarray]:
    """Return for each row, and for each column, of the data window the nearest one of the display window."""
    (left, top), (right, bottom) = np.subtract(header["dataWindow"], header["displayWindow"][0], dtype=np.int64)
    width, height = size(header["displayWindow"])
    return [np.arange(top, bottom + 1).clip(0, height - 1), np.arange(left, right + 1).clip(0, width - 1)]
