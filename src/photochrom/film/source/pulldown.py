"""Detects 3:2 pulldown: 24 film frames per second stored in the fields of 30 interlaced frames (SMPTE RP 197).

In each cycle of five video frames, one frame repeats the upper field of the preceding frame, and another frame, two or
three frames later, repeats the lower field. The repetitions are found by comparing the fields of successive frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain, islice, pairwise
from math import ceil

import av
import cv2
import numpy as np

from ..frame_buffers import view
from ..reader import FilmReader
from ..span import Span
from ..times import time_text

_CYCLE = 5  # video frames that hold four film frames
_WINDOW = 30  # frames that are examined together: six cycles, since a new cycle may begin at any cut
_SEARCHED = 300  # frames examined at the beginning of a film
_MOVING = 4  # windows of moving pictures without repeated fields after which the search ends
_REPEATED = 0.4  # greatest ratio of a repeated field's difference to the next greater difference in a cycle
_MOVES = 0.6  # steps of luma by which other fields must differ, since all fields of a still picture are repeated
_PLACES = 8  # equal parts of a longer film; each is examined near its beginning, up to two windows
_LEAST_STEP = Fraction(150)  # least number of frames between such places
_RATES = (Fraction(29), Fraction(31))  # frames per second of films that are examined


def note(reader: FilmReader, first: int, span: Span, total: int) -> str:
    """Return a note for a film with 3:2 pulldown; empty if none is found at its beginning or at some later places.

    Args:
        reader: The film.
        first: pts of the first frame to colour.
        span: The part of the film to colour.
        total: Number of frames to colour; 0 if unknown, so that only the beginning is examined.

    Raises:
        FilmError: The film cannot be read; see ``FilmReader.frames``.
    """
    if not _RATES[0] <= reader.rate <= _RATES[1] or reader.is_sequence:
        return ""
    if has_pulldown(span.until_end(reader.frames(first), reader.time_base)):
        where = ""
    elif (later := _later(reader, first, span, total)) is not None:
        where = f" at {time_text(reader.seconds(later))}"
    else:
        return ""
    marked = "" if reader.fields else ", though the film is not marked as interlaced"
    return (
        f"3:2 pulldown{where}: {float(reader.rate * 4 / 5):.3f} frames of film per second in {float(reader.rate):.3f} "
        f"of video{marked}; it is kept, and colours are steadier if it is removed first"
    )


def _later(reader: FilmReader, first: int, span: Span, total: int) -> int | None:
    """Return the pts of a place after the beginning that has 3:2 pulldown; None if it is found at none."""
    last, step = first, max(_LEAST_STEP, Fraction(total, _PLACES))
    for number in range(1, ceil(total / step)):
        pts = first + round(number * step / reader.rate / reader.time_base)
        frames = span.until_end(reader.frames_near(pts), reader.time_base)
        at = next(frames, None)
        if at is not None and at.pts > last and has_pulldown(chain([at], frames), 2 * _WINDOW + 1, 1):
            return at.pts
        last = last if at is None else max(last, at.pts)
    return None


def has_pulldown(frames: Iterable[av.VideoFrame], searched: int = _SEARCHED, moving: int = _MOVING) -> bool:
    """Return whether there is 3:2 pulldown.

    Args:
        frames: Successive frames.
        searched: Number of frames to examine.
        moving: Windows of 30 frames of moving pictures without pulldown after which the search ends earlier.
    """
    fields = ((part[0::2], part[1::2]) for part in map(_luma, islice(frames, searched)))
    differences: list[tuple[float, float]] = []
    for before, after in pairwise(fields):
        differences.append((_difference(before[0], after[0]), _difference(before[1], after[1])))
        if len(differences) == _WINDOW:
            found = _is_cycle(differences)
            moving -= found is False
            if found or not moving:
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
