"""Detects whether a film is in colour already; tints, toning and the chroma noise of tapes do not count."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from ...errors import FilmError
from ..frame_buffers import view
from ..frame_kinds.picture_area import PictureArea
from ..shots.detection import is_blank

# Coherent chroma was measured with 24 cells along the short side and frames 4 apart: 0 to 1.4 for the chroma noise of a
# tape, which fluctuates by 4 steps; 2.9 to 3.1 for films with pale colours (3.1 steps); 50 for films with vivid ones.
# The correlation was at most 0.2 for noise, and above 0.85 for colours.
_COLORED = 2.0  # coherent chroma, in 8-bit steps, above which frames are in colour
_CORRELATED = 0.5  # correlation of two frames' chroma above which it is colour, not noise
_CELLS = 24  # cells of the grid along the short side; averaging over a cell removes noise and grain
_TINTS = 8  # ranges of luma, each of which may have its own tint in a toned film
_GRID = 256  # most samples along each side
_WHOLE = PictureArea()
GAP = 4
"""Distance, in frames, between two frames that are compared: colours persist over this distance, noise does not."""


class InColorError(FilmError):
    """The film, or each shot that is to be coloured, is in colour already."""


def in_color_error(film: Path, shots: str = "") -> InColorError:
    """Return the error for a film that is in colour already, as a whole or in some shots.

    Args:
        film: The film.
        shots: Those shots with a verb, such as ``shots 2, 3 are``; empty for the whole film.
    """
    return InColorError(f"{shots or 'is'} in colour already", path=film, remedy='recolor="all" colours from the luma')


def has_colors(frames: Sequence[av.VideoFrame], area: PictureArea = _WHOLE) -> bool:
    """Return whether frames are in colour; a cast, toning (one tint per level of luma) and noise do not count.

    Frames are in colour if their chroma is not determined by the luma, and persists from one frame to the next. Noise
    is averaged out within the cells of a coarse grid, and differs from frame to frame.

    Args:
        frames: Frames of one shot, ``GAP`` apart. For a single frame, or if their sizes differ, persistence is not
            examined.
        area: The part of the frames to examine.
    """
    found = [unexplained_chroma(frame, area) for frame in frames]
    if len({chroma.shape for chroma in found}) > 1:  # the size of the picture changes
        found = found[:1]
    pairs = list(itertools.pairwise(found)) or [(found[0], found[0])]
    return any(is_colored(coherent_chroma(*pair)) for pair in pairs)


def is_colored(chroma: float) -> bool:
    """Return whether a result of ``coherent_chroma`` means that frames are in colour."""
    return chroma > _COLORED


def coherent_chroma(earlier: np.ndarray, later: np.ndarray) -> float:
    """Return the chroma that two frames have in common: the square root of their covariance, in 8-bit steps.

    The result is 0 if the frames do not correlate more than noise does.

    Args:
        earlier: Result of ``unexplained_chroma`` for one frame.
        later: Result of ``unexplained_chroma`` for a frame of the same size.
    """
    covariance = float((earlier * later).sum())
    if covariance <= _CORRELATED * math.sqrt(float((earlier**2).sum() * (later**2).sum())):
        return 0.0
    return math.sqrt(covariance / earlier.shape[1])


def is_blank_frame(frame: av.VideoFrame, area: PictureArea = _WHOLE) -> bool:
    """Return whether the picture area of a frame is blank: uniformly black, white or grey."""
    return is_blank(_samples(frame, area)[0])


def is_neutral(frame: av.VideoFrame) -> bool:
    """Return whether a frame certainly has no colours, because its planes of Cb and Cr are constant or missing."""
    if len(frame.format.components) < 3 and not frame.format.has_palette:
        return True
    if frame.format.is_rgb or len(frame.planes) != 3:
        return False
    chroma = [view(frame, index) for index in (1, 2)]
    return all(plane.min() == plane.max() for plane in chroma)


def unexplained_chroma(frame: av.VideoFrame, area: PictureArea = _WHOLE) -> np.ndarray:
    """Return the part of Cb and Cr that the luma does not determine, float64 ``[2, cells]``, in 8-bit steps.

    Only the picture area is examined.
    """
    planes = _samples(frame, area)
    scale = _CELLS / min(planes[0].shape)
    size = tuple(max(1, round(side * scale)) for side in planes[0].shape[::-1])
    luma, *chroma = (cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA) for plane in planes)
    level = np.clip(luma // (256 // _TINTS), 0, _TINTS - 1).ravel().astype(int)
    deviation = _less_means(luma.ravel(), level)
    variance = np.maximum(np.bincount(level, deviation * deviation, _TINTS), 1)
    found = []
    for plane in chroma:
        rest = _less_means(plane.ravel(), level)
        slope = np.bincount(level, rest * deviation, _TINTS) / variance  # a strong tint varies within a level
        found.append(rest - slope[level] * deviation)
    return np.stack(found)


def _less_means(values: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Subtract from each value, ``[cells]``, the mean of all values of the same level."""
    count = np.maximum(np.bincount(level, minlength=_TINTS), 1)
    less: np.ndarray = values - (np.bincount(level, values, _TINTS) / count)[level]
    return less


def _samples(frame: av.VideoFrame, area: PictureArea) -> list[np.ndarray]:
    """Sample luma, Cb and Cr of a frame's picture area, uint8 ``[h, w]`` each."""
    if len(frame.planes) < 3 or frame.format.is_rgb or len(frame.format.components) > 3:
        most = max(frame.width, frame.height) if area.box else _GRID  # the picture itself keeps its resolution
        size = {"width": min(frame.width, most) // 2 * 2, "height": min(frame.height, most) // 2 * 2}
        planes = frame.reformat(**size, format="yuv444p").to_ndarray()
    else:
        # Reads the frame's planes directly, because FFmpeg's scaler reads past the planes of some interlaced frames.
        planes = [view(frame, index) >> (frame.format.components[0].bits - 8) for index in range(3)]
    luma, *chroma = (area.of_plane(plane, frame.height, frame.width) for plane in planes)
    height, width = (min(side, _GRID) for side in chroma[0].shape)
    return [
        cv2.resize(plane.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA) for plane in (luma, *chroma)
    ]
