"""Tracks hints: follows a colour known on one frame along the optical flow through its shot."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np

from ..colorizer.hints import Hint
from ..errors import FilmError
from .hints import FilmHint
from .propagation import Flow
from .times import ROUNDED, time_text

if TYPE_CHECKING:
    from .frames import FrameColorizer, PreparedFrame

_STEP = 3  # frames between the positions at which a hint is searched for
_LOST = 0.3  # confidence of the flow below which a hint is no longer followed
_ASTRAY = 2.0  # pixels of the small luma by which the flow there and back again may miss the starting point
_PART = 7200  # most frames of a shot in memory; longer shots are tracked in parts

Hints = defaultdict[int, list[Hint]]
"""Hints of single frames, by the frames' pts."""


@dataclass(frozen=True)
class _Frame:
    pts: int
    small: np.ndarray
    """Luma, uint8 ``[h, w]``."""


@dataclass(frozen=True)
class _Part:
    """A shot, or part of a very long shot; a later part begins with the last frame of the one before."""

    frames: list[_Frame]
    begins_shot: bool
    following: int | None
    """pts of the frame after the part; None at the end of the film."""
    continues: bool
    """Whether the shot continues after the part."""


def follow(
    frame_colorizer: FrameColorizer, hints: Sequence[FilmHint], on_frame: Callable[[], None] = lambda: None
) -> dict[int, list[Hint]]:
    """Track hints through their shots, forward and backward.

    The film is read up to the last shot that has hints. If the shots are known, only those with hints are read. Long
    shots are read a second time to track hints backward.

    Args:
        frame_colorizer: Prepares the frames of the film.
        hints: The hints. Hints outside the picture area (``FilmOptions.frame``) are ignored.
        on_frame: Called before each frame that is read; an exception that it raises ends the reading.

    Returns:
        The hints of each frame, by its pts.

    Raises:
        FilmError: The film has no frame at a hint's time.
    """
    reader = frame_colorizer.reader
    height, width = (reader.height, reader.width)[:: -1 if reader.turns % 2 else 1]
    hints = frame_colorizer.area.hints_within(hints, height, width)
    if not hints:
        return {}
    left = sorted(hints, key=lambda hint: hint.time)
    found: Hints = defaultdict(list)
    starts: list[tuple[int, bool]] = []  # pts of each part's first frame, and whether it begins a shot
    arrived: list[list[Hint]] = []  # hints that were tracked back to each part's first frame
    for part in _parts(frame_colorizer.prepared(_frames(frame_colorizer, hints, on_frame))):
        last = part.frames[-1].pts
        end = reader.seconds(last) + 1 / reader.rate if part.following is None else reader.seconds(part.following)
        here = [hint for hint in left if hint.time + ROUNDED < end]
        left = left[len(here) :]
        _follow_on(part.frames, list(found[part.frames[0].pts]), found)
        starts.append((part.frames[0].pts, part.begins_shot))
        arrived.append(_follow_from(part.frames, [reader.seconds(frame.pts) for frame in part.frames], here, found))
        if not left and not (part.continues and found[last]):
            break
    if left:
        raise FilmError(
            f"{reader.path} has no frame at {time_text(left[0].time)}, where a hint is", remedy="change its time"
        )
    _follow_back(frame_colorizer, starts, arrived, found, on_frame)
    return {pts: places for pts, places in found.items() if places}


def _frames(
    frame_colorizer: FrameColorizer, hints: Sequence[FilmHint], on_frame: Callable[[], None]
) -> Iterator[av.VideoFrame]:
    """Yield the frames of the shots that have hints, if the shots are known; otherwise all frames."""
    reader, shots = frame_colorizer.reader, frame_colorizer.shots
    if shots is None:
        yield from reader.frames(on_frame=on_frame)
        return
    for start in shots.starts_with(reader, hints):
        number = shots.number(start)
        yield from itertools.takewhile(
            lambda frame, number=number: shots.number(frame.pts) == number,  # type: ignore[misc]  # bound at once
            reader.frames(start, on_frame=on_frame),
        )


def _parts(prepared: Iterable[tuple[PreparedFrame, bool]]) -> Iterator[_Part]:
    frames: list[_Frame] = []
    begins_shot = True
    for frame, start in prepared:
        if frames and (start or len(frames) > _PART):
            yield _Part(frames, begins_shot, frame.pts, not start)
            frames, begins_shot = [] if start else frames[-1:], start
        frames.append(_Frame(frame.pts, frame.small))
    if frames:
        yield _Part(frames, begins_shot, None, False)


def _follow_from(
    frames: Sequence[_Frame], times: Sequence[Fraction], hints: Sequence[FilmHint], found: Hints
) -> list[Hint]:
    """Track hints from their own frames in both directions; return those that reach the first frame."""
    arrived: list[Hint] = []
    for time, group in itertools.groupby(hints, key=lambda hint: hint.time):
        at = max(0, bisect_right(times, time + ROUNDED) - 1)  # the frame that is still shown at that time
        places = [hint.hint for hint in group]
        found[frames[at].pts].extend(places)
        _follow_on(frames[at:], places, found)
        arrived += _follow_on(frames[at::-1], places, found)
    return arrived


def _follow_back(
    frame_colorizer: FrameColorizer,
    starts: Sequence[tuple[int, bool]],
    arrived: list[list[Hint]],
    found: Hints,
    on_frame: Callable[[], None],
) -> None:
    """Track hints from the first frames of parts back into the earlier parts of the same shots."""
    for number in range(len(starts) - 1, 0, -1):
        end, begins_shot = starts[number]
        if begins_shot or not arrived[number]:
            continue
        frames = []
        for frame in frame_colorizer.reader.frames(starts[number - 1][0], on_frame=on_frame):
            frames.append(_Frame(frame.pts, frame_colorizer.prepare(frame).small))
            if frame.pts >= end:
                break
        arrived[number - 1] += _follow_on(frames[::-1], arrived[number], found)


def _follow_on(frames: Sequence[_Frame], hints: list[Hint], found: Hints) -> list[Hint]:
    """Track hints from the first frame onward as far as possible; return those that reach the last frame."""
    last = 0
    for number in range(1, len(frames)):
        if not hints:
            break
        if number - last == _STEP:
            hints = _moved(frames[last].small, frames[number].small, hints)
            last = number
        found[frames[number].pts].extend(hints)
    return hints


def _moved(source: np.ndarray, target: np.ndarray, hints: Sequence[Hint]) -> list[Hint]:
    """Move hints from the source frame to the target frame; drop hints whose place is hidden there."""
    there, back = Flow(target, source), Flow(source, target)  # each has a vector for every pixel of its second frame
    height, width = source.shape
    moved = []
    for hint in hints:
        y, x = hint.pixel(source.shape)
        new = there.backward_flow[y, x]
        column, row = (round(float(v)) for v in new)
        if not (0 <= column < width and 0 <= row < height) or there.confidence[y, x] < _LOST:
            continue
        if np.hypot(*(back.backward_flow[row, column] - (x, y))) > _ASTRAY:
            continue
        step = new - (x, y)
        moved.append(replace(hint, x=_clipped(hint.x + step[0] / width), y=_clipped(hint.y + step[1] / height)))
    return moved


def _clipped(share: float) -> float:
    return float(min(max(share, 0.0), 1.0))
