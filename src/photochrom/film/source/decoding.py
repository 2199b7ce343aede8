"""Decodes the picture of a film from the current position of its file, and records damaged packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av

from ..damage_log import Damage
from ..times import time_text
from . import raw_streams
from .packet_damage import PacketCheck


def is_avi(container: av.container.Container) -> bool:
    """Return whether a container is AVI, which stores decoding times only; presentation times are FFmpeg's guesses."""
    return container.format.name == "avi"


def time_of(packet: av.Packet) -> int | None:
    """Return the presentation time stamp of a packet, or its decoding time stamp in AVI."""
    return packet.dts if is_avi(packet.stream.container) else packet.pts


def decoded(
    container: av.container.InputContainer,
    video: av.VideoStream,
    seconds: Callable[[int], Fraction],
    damage: Damage,
) -> Iterator[av.VideoFrame]:
    """Decode frames in display order.

    The frames of AVI files get the decoding times of their packets, less the delay of the decoder.

    Args:
        container: The film, at the position from which to decode.
        video: Its picture.
        seconds: Converts a time stamp to seconds from the film's beginning.
        damage: Collects damaged packets.
    """
    time = Fraction(0)
    first: int | None = None  # time stamp of the first packet
    delay: int | None = None
    check = PacketCheck(video.codec_context.name)
    packets = raw_streams.packets(container, video)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as exc:
            damage.ends_early = f"{exc.strerror} at {time_text(time)}"
            return
        if (stamp := time_of(packet)) is not None:
            time = seconds(stamp)
            first = stamp if first is None else first
        try:
            frames = packet.decode()
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            damage.note(time)
            continue
        if packet.is_corrupt or check.is_damaged(packet) or any(frame.is_corrupt for frame in frames):
            damage.note(time)
        for frame in frames:
            if is_avi(container):
                if delay is None:  # without B-frames, packets before the first frame are damaged
                    delay = (frame.dts or 0) - (first or 0) if video.codec_context.has_b_frames else 0
                frame.pts = None if frame.dts is None else frame.dts - delay
            yield frame
