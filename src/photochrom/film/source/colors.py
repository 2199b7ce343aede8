"""Colours that a source has already, as distinct from tints, toning, and the chroma noise of old tapes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import av
import cv2
import numpy as np

from ..frame_memory import view
from ..shots.detection import is_blank

# Measured on 24 cells along the short side, 4 frames apart: chroma noise of a tape, which fluctuates by 4 steps there,
# scored 0 to 1.4; films with pale colours (3.1 steps) scored 2.9 to 3.1, and vivid ones 50. The correlation was at most
# 0.2 for noise, and above 0.85 for colours.
_COLORED = 2.0  # steps of 8 bits of coherent chroma beyond which frames have colours
_CORRELATED = 0.5  # correlation that colours have from frame to frame, and noise has not
_CELLS = 24  # cells of the grid along the short side; averaging over a cell removes noise and grain
_TINTS = 8  # levels of luma of a toned film; each may have a tint of its own
_GRID = 256  # samples along each side
GAP = 4
"""Number of frames between two that are compared; noise differs between them, colours do not."""


def has_colors(frames: Sequence[av.VideoFrame]) -> bool:
    """Tell whether frames have colours, and not only a cast, a toning (one tint for each level of luma) or noise.

    What counts is chroma that cannot be told from the luma, and that one frame has in common with the next. Noise is
    averaged away inside a cell of a coarse grid, and differs from frame to frame.

    Args:
        frames: One frame or more of one shot, ``GAP`` frames apart. A single frame is judged without its noise in time.
    """
    found = [unexplained_chroma(frame) for frame in frames]
    if len({chroma.shape for chroma in found}) > 1:  # the size of the picture changes between them
        found = found[:1]
    pairs = list(itertools.pairwise(found)) or [(found[0], found[0])]
    return any(is_colored(coherent_chroma(*pair)) for pair in pairs)


def is_colored(chroma: float) -> bool:
    """Tell whether a result of ``coherent_chroma`` means that frames have colours."""
    return chroma > _COLORED


def coherent_chroma(earlier: np.ndarray, later: np.ndarray) -> float:
    """Measure the chroma that two results of ``unexplained_chroma`` have in common, in steps of 8 bits.

    Returns:
        The square root of their covariance; 0 if they correlate no better than noise does.
    """
    covariance = float((earlier * later).sum())
    if covariance <= _CORRELATED * math.sqrt(float((earlier**2).sum() * (later**2).sum())):
        return 0.0
    return math.sqrt(covariance / earlier.shape[1])


def shows_nothing(frame: av.VideoFrame) -> bool:
    """Tell whether a frame is black, white or grey all over."""
    return is_blank(_samples(frame)[0])


def unexplained_chroma(frame: av.VideoFrame) -> np.ndarray:
    """Return Cb and Cr less what the luma tells in each of its levels, float32 ``[2, cells]``, in steps of 8 bits."""
    planes = _samples(frame)
    scale = _CELLS / min(planes[0].shape)
    size = tuple(max(1, round(side * scale)) for side in planes[0].shape[::-1])
    luma, *chroma = (cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA) for plane in planes)
    level = np.clip(luma // (256 // _TINTS), 0, _TINTS - 1).ravel().astype(int)
    within = _less_means(luma.ravel(), level)
    variance = np.maximum(np.bincount(level, within * within, _TINTS), 1)
    found = []
    for plane in chroma:
        rest = _less_means(plane.ravel(), level)
        slope = np.bincount(level, rest * within, _TINTS) / variance  # a strong tint grows with the luma inside a level
        found.append(rest - slope[level] * within)
    return np.stack(found)


def _less_means(values: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Return values, ``[cells]``, less the mean of their level."""
    count = np.maximum(np.bincount(level, minlength=_TINTS), 1)
    less: np.ndarray = values - (np.bincount(level, values, _TINTS) / count)[level]
    return less


def _samples(frame: av.VideoFrame) -> list[np.ndarray]:
    """Return luma, Cb and Cr at some places of a frame, uint8 ``[h, w]`` each."""
    if len(frame.planes) < 3 or frame.format.is_rgb or len(frame.format.components) > 3:
        size = {"width": min(frame.width, _GRID) // 2 * 2, "height": min(frame.height, _GRID) // 2 * 2}
        return list(frame.reformat(**size, format="yuv444p").to_ndarray())
    # The frame's own planes, because FFmpeg's scaler reads beyond those of interlaced frames of some heights.
    luma, *chroma = (view(frame, index) >> (frame.format.components[0].bits - 8) for index in range(3))
    height, width = (min(side, _GRID) for side in chroma[0].shape)
    return [
        cv2.resize(plane.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA) for plane in (luma, *chroma)
    ]
