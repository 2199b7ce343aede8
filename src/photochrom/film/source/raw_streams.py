"""Finds the frame rate that a raw stream states, since FFmpeg assumes 25 frames per second for all raw streams."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction

import av

# The start code of a picture ends with these bits of 0 after a bit of 1, and is followed by a number of these bits
# (ITU-T H.261, 4.2.1, and H.263, 5.1.2), which counts the ticks of a clock of 30000/1001 Hz.
_CLOCKED = {"h261": (4, 5), "h263": (5, 8)}
_NUMBERED = 300  # pictures whose numbers are compared
NAMES = (
    *("h264", "hevc", "m4v", "mpegvideo", "vc1", "av1", "obu", "cavsvideo"),
    *("vvc", "evc", "avs2", "avs3", "apv", "dirac", "mjpeg", "dnxhd", *_CLOCKED),
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
    if container.format.name not in _CLOCKED or stated is None:
        return stated
    with reopened() as again:
        step = _step(again)
    return stated / step if step else None


def is_clocked(container: av.container.InputContainer) -> bool:
    """Return whether the packets' times in a raw stream are wrong, so that one cannot seek in it; see ``packets``."""
    return container.format.name in _CLOCKED


def packets(container: av.container.InputContainer, video: av.VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of a film's picture from the container's position, which is the beginning of a clocked stream.

    At the latest after some packets, FFmpeg times those of H.261 and H.263 by the clock of the codec, whatever the rate
    is. They get the times of the stream's rate instead.
    """
    rate = video.average_rate if is_clocked(container) else None
    for number, packet in enumerate(container.demux(video)):
        if rate and packet.size:
            step = 1 / (rate * packet.time_base)
            packet.pts = packet.dts = round(number * step)
            packet.duration = round(step)
        yield packet


def _step(container: av.container.InputContainer) -> int | None:
    """Return the ticks of the clock from picture to picture of H.261 or H.263; None if they vary or are unknown."""
    zeros, size = _CLOCKED[container.format.name]
    heads = (bytes(packet)[:5] for packet in itertools.islice(container.demux(video=0), _NUMBERED))
    numbers = [number for head in heads if (number := _number(head, zeros, size)) is not None]
    steps = {(later - earlier) % (1 << size) for earlier, later in itertools.pairwise(numbers)}
    return steps.pop() if len(steps) == 1 else None


def _number(head: bytes, zeros: int, size: int) -> int | None:
    """Return the number of a picture; None if the data does not begin with the end of a start code.

    The start code of H.261 may begin between two bytes, and FFmpeg then leaves its first bits with the picture before.
    """
    bits = int.from_bytes(head, "big")
    behind = bits.bit_length() - 1 - zeros - size
    number = bits >> behind ^ (1 << zeros + size) if behind >= 0 else 1 << size
    return number if number < 1 << size else None
