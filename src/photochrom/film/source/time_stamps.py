"""Repairs the time stamps of a film's frames, and finds out whether they follow a constant frame rate."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

import av

from .decoding import time_of


def increasing(
    frames: Iterator[av.VideoFrame], first: int, step: int, on_repair: Callable[[int, int], None]
) -> Iterator[av.VideoFrame]:
    """Yield frames, and replace each pts that is missing, does not increase, or is later than that of the next frame.

    Args:
        frames: The frames, in display order; changed in place.
        first: pts for a first frame that has none.
        step: Usual difference between the pts of two frames.
        on_repair: Called with the last frame's pts and a pts that is out of order, before that is replaced; an
            exception that it raises ends the reading.
    """
    last: int | None = None
    for frame, following in itertools.pairwise(itertools.chain(frames, [None])):
        assert frame is not None  # only the last element is None
        pts = frame.pts
        if last is not None and pts is not None:
            is_ahead = following is not None and following.pts is not None and last < following.pts < pts
            if is_ahead or pts < last:
                on_repair(last, pts)
            pts = None if is_ahead else max(pts, last + 1)
        if pts is None:
            pts = first if last is None else last + step
        frame.pts = last = pts
        yield frame


def irregular_pts(
    container: av.container.InputContainer, video: av.VideoStream, first: int, step: Fraction
) -> int | None:
    """Return the pts of the first frame that is more than half a step from its time at a constant rate; None if none.

    Reading ends at the first error in the data.

    Args:
        container: The film, at its beginning.
        video: Its picture.
        first: pts of the first frame.
        step: Difference between the pts of two frames at the constant rate.
    """
    found: list[int | None] = []
    with contextlib.suppress(av.error.FFmpegError):  # colouring reports damage
        found += [time_of(packet) for packet in container.demux(video) if packet.size]
    times = sorted(pts for pts in found if pts is not None)
    for number, pts in enumerate(times, found.count(None)):  # those without a time come first
        if abs(pts - first - number * step) > step / 2:
            return pts
    return None
