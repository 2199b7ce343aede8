"""Finds the frame rate that a raw stream states, since FFmpeg assumes 25 frames per second for all raw streams."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import av

_CLOCKED = "h263"  # its pictures are numbered by the ticks of a clock
_NUMBERED = 300  # pictures whose numbers are compared
NAMES = (
    *("h264", "hevc", "m4v", "mpegvideo", "vc1", "av1", "obu", "cavsvideo"),
    *("vvc", "evc", "avs2", "avs3", "apv", "dirac", "mjpeg", "dnxhd", "h261", _CLOCKED),
)
"""FFmpeg's names of raw streams."""


def stated_rate(
    container: av.container.InputContainer, video: av.VideoStream, reopened: Callable[[], av.container.InputContainer]
) -> Fraction | None:
    """Return the frame rate that a raw stream states; None if it states none.

    Args:
        container: The stream.
        video: Its picture, of which a frame has been decoded.
        reopened: Returns the stream opened once more.
    """
    stated: Fraction | None = video.codec_context.framerate or None
    if container.format.name != _CLOCKED or stated is None:
        return stated
    with reopened() as again:
        step = _step(again)
    return stated / step if step else None


def _step(container: av.container.InputContainer) -> int | None:
    """Return the ticks of the clock from picture to picture of H.263; None if they vary or are unknown.

    The number of a picture, of 8 bits, follows a start code of 22 bits (ITU-T H.263, 5.1.2).
    """
    heads = [bytes(packet)[:4] for packet in itertools.islice(container.demux(video=0), _NUMBERED)]
    numbers = [int.from_bytes(head, "big") >> 2 & 0xFF for head in heads if len(head) == 4]
    steps = {(later - earlier) & 0xFF for earlier, later in itertools.pairwise(numbers)}
    return steps.pop() if len(steps) == 1 else None
