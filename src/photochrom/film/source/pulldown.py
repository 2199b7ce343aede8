"""Detects 3:2 pulldown: 24 film frames per second stored in the fields of 30 interlaced frames (SMPTE RP 197).

In each cycle of five video frames, one frame repeats the upper field of the preceding frame, and another frame, two or
three frames later, repeats the lower field. The repetitions are found by comparing the fields of successive frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import islice, pairwise

import av
import cv2
import numpy as np

from ..frame_buffers import view
from ..reader import FilmReader

_CYCLE = 5  # video frames that hold four film frames
_WINDOW = 30  # frames that are examined together: six cycles, since a new cycle may begin at any cut
_SEARCHED = 300  # frames examined at the beginning of a film
_MOVING = 4  # windows of moving pictures without repeated fields after which the search ends
_REPEATED = 0.4  # greatest ratio of a repeated field's difference to the next greater difference in a cycle
_MOVES = 0.6  # steps of luma by which other fields must differ, since all fields of a still picture are repeated
_RATES = (Fraction(29), Fraction(31))  # frames per second of films that are examined


def note(reader: FilmReader, first: int) -> str:
    """Return a note for a film with 3:2 pulldown; empty if there is none in its first seconds.

    Args:
        reader: The film.
        first: pts of the first frame to colour.

    Raises:
        FilmError: The film cannot be read; see ``FilmReader.frames``.
    """
    if not _RATES[0] <= reader.rate <= _RATES[1] or reader.is_sequence or not has_pulldown(reader.frames(first)):
        return ""
    marked = "" if reader.fields else ", though the film is not marked as interlaced"
    return (
        f"3:2 pulldown: {float(reader.rate * 4 / 5):.3f} frames of film per second in {float(reader.rate):.3f} of video"
        f"{marked}; it is kept, and colours are steadier if it is removed first"
    )


def has_pulldown(frames: Iterable[av.VideoFrame]) -> bool:
    """Return whether there is 3:2 pulldown in the first 300 of these frames, or in the first 120 if pictures move."""
    fields = ((part[0::2], part[1::2]) for part in map(_luma, islice(frames, _SEARCHED)))
    differences: list[tuple[float, float]] = []
    moving = 0
    for before, after in pairwise(fields):
        differences.append((_difference(before[0], after[0]), _difference(before[1], after[1])))
        if len(differences) == _WINDOW:
            found = _is_cycle(differences)
            moving += found is False
            if found or moving == _MOVING:
                return bool(found)
            differences = []
    return False


def _luma(frame: av.VideoFrame) -> np.ndarray:
    """Return a frame's luma in 8-bit steps, uint8 ``[H, W]`` or float32 for more than 8 bits, with even H."""
    if len(frame.planes) < 3 and frame.format.name != "gray":
        frame = frame.reformat(format="gray")
    luma = view(frame, 0)[: frame.height // 2 * 2]
    bits = frame.format.components[0].bits
    return luma if bits == 8 else luma.astype(np.float32) * np.float32(1 / (1 << (bits - 8)))


def _difference(before: np.ndarray, after: np.ndarray) -> float:
    return cv2.norm(before, after, cv2.NORM_L1) / before.size


def _is_cycle(differences: Sequence[tuple[float, float]]) -> bool | None:
    """Return whether differences of the upper and lower fields, over some cycles, show repeated fields.

    The result is None if no picture moves, so that all fields are repeated.
    """
    table = np.array(differences).reshape(-1, _CYCLE, 2)
    usual = np.median(table, axis=0)  # [5, 2]
    least, second = np.sort(usual, axis=0)[:2]
    if second.min() < _MOVES:
        return None
    if (least > _REPEATED * second).any():
        return False
    upper, lower = usual.argmin(axis=0)
    return (upper - lower) % _CYCLE in (2, 3)
