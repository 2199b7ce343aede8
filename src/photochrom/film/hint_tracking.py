"""``track_hints``: moves hints given for one frame along the optical flow to the other frames of the shot."""

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

_STEP = 3  # frames from one computation of the flow to the next; a hint keeps its position in between
_LEAST_CONFIDENCE = 0.3  # flow confidence at a hint, below which the hint is dropped
_MOST_ERROR = 2.0  # pixels by which the flow forward and back may miss a hint's position, before the hint is dropped
_PART_FRAMES = 7200  # most frames of a shot in memory; longer shots are tracked in parts


@dataclass(frozen=True)
class TrackedHint(Hint):
    """A hint at its place in one of the frames to which it was tracked."""

    origin: FilmHint | None = None
    """The hint as it was given, with its position relative to the picture area."""


Hints = defaultdict[int, list[TrackedHint]]
"""The hints of each frame, by the frame's pts."""


@dataclass(frozen=True)
class _Frame:
    pts: int
    small: np.ndarray
    """Luma, uint8 ``[h, w]``."""


@dataclass(frozen=True)
class _Part:
    """A shot, or part of a very long shot. The parts of a shot overlap by one frame."""

    frames: list[_Frame]
    begins_shot: bool
    next: int | None
    """pts of the frame after the part; None at the end of the film."""
    continues: bool
    """Whether the shot continues after the part."""


def track_hints(
    frame_colorizer: FrameColorizer, hints: Sequence[FilmHint], on_frame: Callable[[], None] = lambda: None
) -> dict[int, list[TrackedHint]]:
    """Track hints forward and backward through their shots.

    The film is read up to the last shot that has hints; if the shots are known, only shots with hints are read. Parts
    of a very long shot are read a second time if hints of later parts are tracked back to them.

    Args:
        frame_colorizer: Prepares the frames of the film.
        hints: Hints for single frames; those outside the picture area (``FilmOptions.frame``) are ignored.
        on_frame: Called before each frame that is read; an exception that it raises ends the reading.

    Returns:
        The hints of each frame that has any, by the frame's pts.

    Raises:
        FilmError: The film cannot be read, or has no frame at a hint's time; or the picture area is invalid.
    """
    reader = frame_colorizer.reader
    hints = frame_colorizer.hints_in_area(hints)
    if not hints:
        return {}
    remaining = sorted(hints, key=lambda hint: hint.time)
    found: Hints = defaultdict(list)
    starts: list[tuple[int, bool]] = []  # pts of each part's first frame, and whether it begins a shot
    at_start: list[list[TrackedHint]] = []  # hints that were tracked back to each part's first frame
    for part in _parts(frame_colorizer.prepared(_frames(frame_colorizer, hints, on_frame))):
        last = part.frames[-1].pts
        end = reader.seconds(last) + 1 / reader.rate if part.next is None else reader.seconds(part.next)
        in_part = [hint for hint in remaining if hint.time + ROUNDED < end]
        remaining = remaining[len(in_part) :]
        _track(part.frames, list(found[part.frames[0].pts]), found)
        starts.append((part.frames[0].pts, part.begins_shot))
        times = [reader.seconds(frame.pts) for frame in part.frames]
        at_start.append(_track_both_ways(part.frames, times, in_part, found))
        if not remaining and not (part.continues and found[last]):
            break
    if remaining:
        time = time_text(remaining[0].time)
        raise FilmError(f"has no frame at {time}, the time of a hint", path=reader.path, remedy="change that time")
    _track_back(frame_colorizer, starts, at_start, found, on_frame)
    return {pts: of_frame for pts, of_frame in found.items() if of_frame}


def _frames(
    frame_colorizer: FrameColorizer, hints: Sequence[FilmHint], on_frame: Callable[[], None]
) -> Iterator[av.VideoFrame]:
    """Yield the frames of the shots that have hints, if the shots are known; otherwise all frames."""
    reader, shots = frame_colorizer.reader, frame_colorizer.shots
    if shots is None:
        yield from reader.frames(on_frame=on_frame)
        return
    for start in shots.starts_of_hinted_shots(reader, hints):
        number = shots.number(start)
        yield from itertools.takewhile(
            lambda frame, number=number: shots.number(frame.pts) == number,  # type: ignore[misc]  # number of this turn
            reader.frames(start, on_frame=on_frame),
        )


def _parts(prepared: Iterable[tuple[PreparedFrame, bool]]) -> Iterator[_Part]:
    """Group the results of ``FrameColorizer.prepared`` by shot, and split very long shots."""
    frames: list[_Frame] = []
    begins_shot = True
    for frame, start in prepared:
        if frames and (start or len(frames) > _PART_FRAMES):
            yield _Part(frames, begins_shot, frame.pts, not start)
            frames, begins_shot = [] if start else frames[-1:], start
        frames.append(_Frame(frame.pts, frame.small))
    if frames:
        yield _Part(frames, begins_shot, None, False)


def _track_both_ways(
    frames: Sequence[_Frame], times: Sequence[Fraction], hints: Sequence[FilmHint], found: Hints
) -> list[TrackedHint]:
    """Track hints from their own frames in both directions, and add them to ``found``.

    Args:
        frames: Consecutive frames of one shot.
        times: Times of these frames in seconds.
        hints: Hints for some of these frames, in order of their times.
        found: Receives the hints of each frame.

    Returns:
        The hints that reach the first of ``frames``.
    """
    at_start: list[TrackedHint] = []
    for time, group in itertools.groupby(hints, key=lambda hint: hint.time):
        at = max(0, bisect_right(times, time + ROUNDED) - 1)  # the frame that is still shown at that time
        own = [TrackedHint(**vars(hint.hint), origin=hint) for hint in group]
        found[frames[at].pts].extend(own)
        _track(frames[at:], own, found)
        at_start += _track(frames[at::-1], own, found)
    return at_start


def _track_back(
    frame_colorizer: FrameColorizer,
    starts: Sequence[tuple[int, bool]],
    at_start: list[list[TrackedHint]],
    found: Hints,
    on_frame: Callable[[], None],
) -> None:
    """Continue tracking hints backwards through a long shot: from the first frame of a ``_Part`` into the part before.

    Errors are those of ``track_hints``.

    Args:
        frame_colorizer: Prepares the frames, which are read again.
        starts: For each part, the pts of its first frame, and whether a shot begins there.
        at_start: For each part, the hints that reach its first frame; hints of later parts are added.
        found: Receives the hints of each frame.
        on_frame: Called before each frame that is read.
    """
    for number in range(len(starts) - 1, 0, -1):
        end, begins_shot = starts[number]
        if begins_shot or not at_start[number]:
            continue
        frames = []
        for frame in frame_colorizer.reader.frames(starts[number - 1][0], on_frame=on_frame):
            frames.append(_Frame(frame.pts, frame_colorizer.prepare(frame).small))
            if frame.pts >= end:
                break
        at_start[number - 1] += _track(frames[::-1], at_start[number], found)


def _track(frames: Sequence[_Frame], hints: list[TrackedHint], found: Hints) -> list[TrackedHint]:
    """Track hints from the first frame to the last, add them to ``found``, and return those that reach the last."""
    last = 0
    for number in range(1, len(frames)):
        if not hints:
            break
        if number - last == _STEP:
            hints = _moved_hints(frames[last].small, frames[number].small, hints)
            last = number
        found[frames[number].pts].extend(hints)
    return hints


def _moved_hints(source: np.ndarray, target: np.ndarray, hints: Sequence[TrackedHint]) -> list[TrackedHint]:
    """Move hints from the source frame to the target frame; drop hints whose place is hidden in the target."""
    forward, back = Flow(target, source), Flow(source, target)  # positions in target of pixels of source, and back
    height, width = source.shape
    moved = []
    for hint in hints:
        y, x = hint.pixel(source.shape)
        new = forward.backward_flow[y, x]
        column, row = (round(float(v)) for v in new)
        if not (0 <= column < width and 0 <= row < height) or forward.confidence[y, x] < _LEAST_CONFIDENCE:
            continue
        if np.hypot(*(back.backward_flow[row, column] - (x, y))) > _MOST_ERROR:
            continue
        step = new - (x, y)
        moved.append(replace(hint, x=_clipped(hint.x + step[0] / width), y=_clipped(hint.y + step[1] / height)))
    return moved


def _clipped(share: float) -> float:
    return float(min(max(share, 0.0), 1.0))
