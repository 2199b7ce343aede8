"""Everything in a film besides its picture: which tracks are copied, and their packets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
from av.format import Flags

from ..errors import FilmError
from .options import time_text
from .reader import Reel
from .span import Span

Item = tuple[Fraction, int, av.Packet]
"""Decoding time in seconds, a number to decide ties, the packet."""


def kept(container: av.container.InputContainer, main: int) -> tuple[list[av.stream.Stream], list[str]]:
    """The streams that are copied, and one line for each that is not."""
    kept, dropped = [], []
    for stream in container.streams:
        if stream.index == main:
            continue
        if stream.type not in ("data", "unknown"):
            kept.append(stream)
        elif not _is_made_anew(stream, container):
            dropped.append(f"track {stream.index}, {getattr(stream, 'name', None) or 'unknown'} data")
    return kept, dropped


def _is_made_anew(stream: av.stream.Stream, container: av.container.InputContainer) -> bool:
    """Whether a data track is written without our doing: QuickTime's time code, and its names of chapters."""
    return "timecode" in stream.metadata or (stream.name == "bin_data" and bool(container.chapters()))


def packets(
    source: av.container.InputContainer, streams: Mapping[int, av.stream.Stream], span: Span, reel: Reel
) -> Iterator[Item]:
    """The packets of everything else that lie in the span, as they are.

    Args:
        source: the film.
        streams: of the new film, by the index that they have in the source.
        span: what part of the source is coloured.
        reel: the film again, to note what is damaged.

    Raises:
        FilmError: the film cannot be read, through no fault of its own.
    """
    chosen = [source.streams[index] for index in streams if source.streams[index].type != "attachment"]
    last = Fraction(0)
    clocks: dict[int, int] = {}
    for number, packet in enumerate(_read(source, chosen, reel), 1):
        time = packet.pts if packet.pts is not None else packet.dts
        seconds = last if time is None else time * packet.time_base
        attached = packet.stream.disposition & av.stream.Disposition.attached_pic
        if not attached and not span.take(packet, seconds):
            continue
        last = max(last, seconds)
        index = packet.stream.index
        if _mend(packet, streams[index], clocks):
            reel.damage.clocks.setdefault(index, last - reel.first_pts * reel.time_base)
        packet.stream = streams[index]
        yield max(last, span.start) - span.start if span.shift else last, number, packet


def _read(source: av.container.InputContainer, chosen: list[av.stream.Stream], reel: Reel) -> Iterator[av.Packet]:
    if not chosen:  # demux would take all
        return
    packets = source.demux(chosen)
    last = Fraction(0)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except OSError as exc:  # the file may be whole, and can be read later
            raise FilmError(f"{reel.path} cannot be read ({exc.strerror}): start again, it goes on") from exc
        except av.error.FFmpegError as exc:
            reel.damage.ends_early = reel.damage.ends_early or f"{exc.strerror} at {time_text(last)}"
            return
        if packet.size and not _is_gap(packet):
            yield packet
        if packet.dts is not None:
            last = max(last, packet.dts * packet.time_base)


def _is_gap(packet: av.Packet) -> bool:
    """Whether a packet only says that there is no subtitle now: MP4's muxer writes such ones itself."""
    context = packet.stream.codec_context
    return context is not None and context.name == "mov_text" and bytes(packet) == bytes(2)


def _mend(packet: av.Packet, stream: av.stream.Stream, clocks: dict[int, int]) -> bool:
    """Give a packet a later time where that of its track goes back, as in films that were joined; whether it did.

    Args:
        packet: whose time no muxer would take.
        stream: of the new film, where it goes.
        clocks: time of decoding of the last packet of each such stream; kept up.
    """
    if packet.dts is None:
        return False
    may_stand = stream.type == "subtitle" or stream.container.format.flags & Flags.ts_nonstrict.value
    before = clocks.get(stream.index)
    behind = before is not None and (packet.dts < before or (packet.dts == before and not may_stand))
    if behind:
        packet.dts = before if may_stand else before + max(1, math.ceil(stream.time_base / packet.time_base))
        packet.pts = None if packet.pts is None else max(packet.pts, packet.dts)
    clocks[stream.index] = packet.dts
    return behind
