"""Decodes pairs of frames near given times, beginning with keyframes and without decoding any frame twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import av

from .color_detection import GAP

_MOST_READ = 500  # most frames read to get past a keyframe that was yielded already


def keyframe_pairs(
    container: av.container.InputContainer,
    video: av.VideoStream,
    times: Iterable[int],
    decode: Callable[[], Iterator[av.VideoFrame]],
) -> Iterator[list[av.VideoFrame]]:
    """Yield for each time two frames, ``GAP`` apart, of which the first is the keyframe at or before that time.

    If that keyframe is not after the first frame of the pair before, the first is the next keyframe or the frame at
    that time, whichever comes first. The second frame is missing at the end of the film. From a time on at which there
    are no frames, or to which seeking fails, nothing is yielded.

    Args:
        container: The opened film.
        video: Its track of moving pictures.
        times: Presentation time stamps in the time base of ``video``, increasing.
        decode: Returns the frames that follow the container's current position.
    """
    frames: Iterator[av.VideoFrame] = iter(())  # those that follow the pair before
    first: int | None = None  # pts of the first frame of the pair before
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
    """Return two frames, ``GAP`` apart, beginning with a keyframe after ``after`` or with the frame at ``pts``.

    If ``after`` is None, the first of ``frames`` is taken. The result is shorter at the end of the film.
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
