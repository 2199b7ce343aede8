"""Finds the frame rate, the beginning and the length of a film; repairs and examines the time stamps of its frames."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av

from ...errors import OptionError
from ..times import parse_time
from . import raw_streams
from .decoding import is_avi, time_of

_STATE_LENGTH = ("matroska", "mov")  # containers whose header states the length; for others FFmpeg guesses
_FREE_CLOCKS = ("mpegts", "mpeg", *raw_streams.NAMES)  # formats whose times count from no beginning
_MOST_RATE = 10_000  # frames per second; of raw DV, FFmpeg states 60,000, its ticks per second


def frame_rate(video: av.VideoStream) -> Fraction:
    """Return the frames per second; 24 if they are unknown."""
    rates = (video.average_rate, video.guessed_rate)
    return next((rate for rate in rates if rate and rate <= _MOST_RATE), Fraction(24))


def clock_start(container: av.container.InputContainer, first: Fraction) -> Fraction:
    """Return the time in seconds from which a film counts: 0, or its beginning if the clock of its format has no 0.

    Such a film begins with its first frame, at the time ``first``, or with its sound if that is earlier.
    """
    if container.format.name not in _FREE_CLOCKS:
        return Fraction(0)
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams.audio
        if stream.start_time is not None and stream.time_base is not None
    ]
    return min([*starts, first])


def picture_length(
    container: av.container.InputContainer, video: av.VideoStream, rate: Fraction, start: Fraction
) -> Fraction | None:
    """Return the seconds from the first frame to the end of the last; None if the file does not state them.

    Args:
        container: The film.
        video: Its picture.
        rate: Frames per second.
        start: Time stamp of the first frame, in seconds.
    """
    if is_avi(container) and video.frames:
        return video.frames / rate  # the stated duration is FFmpeg's guess if the index is missing
    if not container.format.name.startswith(_STATE_LENGTH):
        return None
    if video.duration and video.time_base:
        return video.duration * video.time_base
    if tag := video.metadata.get("DURATION"):  # a tag of Matroska's tracks
        with contextlib.suppress(OptionError):
            return parse_time(tag) - start  # the tag counts from the time stamp 0
    if len(container.streams) > 1:
        return None  # the stated length is that of the longest track, which may not be the picture
    return Fraction(container.duration or 0, av.time_base) - start


def is_cut_short(video: av.VideoStream, path: Path) -> bool:
    """Return whether a film's index lists frames beyond the end of its file; False if the file is gone."""
    try:
        size = path.stat().st_size
    except OSError:
        return False
    return any(entry.pos + entry.size > size for entry in video.index_entries)


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
        found += [time_of(packet) for packet in raw_streams.packets(container, video) if packet.size]
    times = sorted(pts for pts in found if pts is not None)
    for number, pts in enumerate(times, found.count(None)):  # those without a time come first
        if abs(pts - first - number * step) > step / 2:
            return pts
    return None
