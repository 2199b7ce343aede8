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


def track_hints(
    frame_colorizer: FrameColorizer, hints: Sequence[FilmHint], on_frame: Callable[[], None] = lambda: None
) -> dict[int, list[TrackedHint]]:
    """Track hints forward and backward through their shots.

    The film is read up to the last shot that has hints; if the shots are known, only shots with hints are read. The
    reduced luma of a whole shot is in memory, about 25 kB per frame.

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
    for frames, following in _shots(frame_colorizer.prepared(_frames(frame_colorizer, hints, on_frame))):
        end = reader.seconds(frames[-1].pts) + 1 / reader.rate if following is None else reader.seconds(following)
        in_shot = [hint for hint in remaining if hint.time + ROUNDED < end]
        remaining = remaining[len(in_shot) :]
        _track_both_ways(frames, [reader.seconds(frame.pts) for frame in frames], in_shot, found)
        if not remaining:
            break
    if remaining:
        time = time_text(remaining[0].time)
        raise FilmError(f"has no frame at {time}, the time of a hint", path=reader.path, remedy="change that time")
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


def _shots(prepared: Iterable[tuple[PreparedFrame, bool]]) -> Iterator[tuple[list[_Frame], int | None]]:
    """Group the results of ``FrameColorizer.prepared`` by shot; yield each shot, and the pts after it, if any."""
    frames: list[_Frame] = []
    for frame, start in prepared:
        if frames and start:
            yield frames, frame.pts
            frames = []
        frames.append(_Frame(frame.pts, frame.small))
    if frames:
        yield frames, None


def _track_both_ways(
    frames: Sequence[_Frame], times: Sequence[Fraction], hints: Sequence[FilmHint], found: Hints
) -> None:
    """Track hints from their own frames in both directions, and add them to ``found``.

    Args:
        frames: The frames of one shot.
        times: Times of these frames in seconds.
        hints: Hints for some of these frames, in order of their times.
        found: Receives the hints of each frame.
    """
    for time, group in itertools.groupby(hints, key=lambda hint: hint.time):
        at = max(0, bisect_right(times, time + ROUNDED) - 1)  # the frame that is still shown at that time
        own = [TrackedHint(**vars(hint.hint), origin=hint) for hint in group]
        found[frames[at].pts].extend(own)
        _track(frames[at:], own, found)
        _track(frames[at::-1], own, found)


def _track(frames: Sequence[_Frame], hints: list[TrackedHint], found: Hints) -> None:
    """Track hints from the first frame to the last, and add them to ``found``."""
    last = 0
    for number in range(1, len(frames)):
        if not hints:
            break
        if number - last == _STEP:
            hints = _moved_hints(frames[last].small, frames[number].small, hints)
            last = number
        found[frames[number].pts].extend(hints)


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
