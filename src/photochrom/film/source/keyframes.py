"""Decodes frames near given times: keyframes alone, or pairs of frames that begin with a keyframe if possible."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import av

from .color_detection import GAP

_MOST_READ = 500  # most frames read to get past a keyframe with which the previous pair began


def lone_keyframes(
    container: av.container.InputContainer, video: av.VideoStream, times: Iterable[int]
) -> list[av.VideoFrame]:
    """Decode the keyframes at or before some times, each once, and no other frame.

    Args:
        container: The opened film.
        video: Its track of moving pictures.
        times: Presentation time stamps in the time base of ``video``, increasing.

    Returns:
        The keyframes in order; none if seeking or decoding fails.
    """
    found: list[av.VideoFrame] = []
    last = None
    try:
        for pts in times:
            container.seek(pts, stream=video, backward=True)
            packet = next(container.demux(video))
            if packet.pts is None or not packet.is_keyframe:
                return []
            if packet.pts != last:
                decoded = [*packet.decode(), *video.codec_context.decode(None)]  # None ends the codec's delay
                if len(decoded) != 1 or decoded[0].is_corrupt:
                    return []
                decoded[0].time_base = video.time_base  # which frames of a flushed decoder lack
                found += decoded
                last = packet.pts
    except av.error.FFmpegError:
        return []
    return found


def keyframe_pairs(
    container: av.container.InputContainer,
    video: av.VideoStream,
    times: Iterable[int],
    decode: Callable[[], Iterator[av.VideoFrame]],
) -> Iterator[list[av.VideoFrame]]:
    """Yield a pair of frames, ``GAP`` apart, for each time; the first of them is the keyframe at or before that time.

    If the previous pair began with that keyframe or later, the pair begins with the next keyframe, or with the frame at
    that time if it comes earlier. At the end of the film, a pair lacks its second frame. The pairs end at the first
    time to which seeking fails, or from which on there are no frames.

    Args:
        container: The opened film.
        video: Its track of moving pictures.
        times: Presentation time stamps in the time base of ``video``, increasing.
        decode: Returns the frames that follow the container's current position.
    """
    frames: Iterator[av.VideoFrame] = iter(())  # those that follow the previous pair
    first: int | None = None  # pts of the first frame of the previous pair
    second: int | None = None
    for pts in times:
        pair: list[av.VideoFrame] = []
        with suppress(av.error.FFmpegError):
            if second is not None and _would_seek_back(video, second, pts):
                pair = _next_pair(video, frames, first, pts)
            if not pair:
                container.seek(pts, stream=video, backward=True)
                frames = decode()
                pair = _next_pair(video, frames, first, pts)
        if not pair:
            return
        first, second = pair[0].pts, pair[-1].pts
        yield pair


def _would_seek_back(video: av.VideoStream, decoded: int, pts: int) -> bool:
    """Return whether no keyframe lies between the last decoded pts and another pts, so that seeking would go back."""
    keyframe = video.index_entries.search_timestamp(pts, backward=True)
    return keyframe >= 0 and video.index_entries[keyframe].timestamp <= decoded < pts


def _next_pair(
    video: av.VideoStream, frames: Iterator[av.VideoFrame], after: int | None, pts: int
) -> list[av.VideoFrame]:
    """Return a pair of frames, ``GAP`` apart; at the end of the film, one or both are missing.

    The first is the next of ``frames`` if ``after`` is None. Otherwise, it is the earliest with a pts after ``after``
    that is a keyframe or has at least the pts ``pts``; if none of the next 500 frames is, it is the last of these.
    """
    found = None
    if after is not None:
        video.codec_context.skip_frame = "NONREF"  # skips frames that no other frame refers to
    try:
        for found in itertools.islice(frames, _MOST_READ):
            if after is None or found.pts is None or (found.pts > after and (found.key_frame or found.pts >= pts)):
                break
    finally:
        video.codec_context.skip_frame = "DEFAULT"
    later = next(itertools.islice(frames, GAP - 1, None), None)
    return [frame for frame in (found, later) if frame is not None]
