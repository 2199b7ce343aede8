"""``Span``: the part of a film to colour; limits frames, packets and chapters to that part, and shifts their times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from .times import ROUNDED


@dataclass(frozen=True)
class Span:
    """The part of the source to colour. Times are those of the source's own clock, which may not begin at 0."""

    start: Fraction
    """Time in seconds of the first frame of the part. For a whole film that does not begin before 0, it is the time at
    which the source's clock begins (``FilmReader.clock_start``)."""
    end: Fraction | None
    """Time in seconds at which the part ends; None for the film's end."""
    is_part: bool
    """Whether only a part of the film is coloured, or the source's clock does not begin at 0. If so, times of the
    coloured film count from ``start``; otherwise they equal those of the source."""

    def until_end(self, frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
        """Yield frames up to the span's end; their pts are in units of ``time_base`` seconds."""
        return itertools.takewhile(lambda frame: self.is_before_end(frame.pts * time_base), frames)

    def is_before_end(self, time: Fraction) -> bool:
        """Return whether a time in seconds on the source's clock lies before ``end``; always true if that is None."""
        return self.end is None or time < self.end - ROUNDED

    def chapter(self, chapter: av.container.core.Chapter) -> av.container.core.Chapter | None:
        """Return a chapter limited to the span, with times in the coloured film; None if it lies outside.

        If the span is the whole film, the chapter is returned unchanged.
        """
        if not self.is_part:
            return chapter
        base = chapter["time_base"] or Fraction(1, 1000)
        start, end = self._limited(chapter["start"] * base, chapter["end"] * base)
        if start >= end:
            return None
        moved = {"start": round((start - self.start) / base), "end": round((end - self.start) / base)}
        return chapter | moved

    def adjust(self, packet: av.Packet, begins: Fraction) -> bool:
        """Convert the times of a packet to those in the coloured film, and limit a subtitle's duration to the span.

        If the span is the whole film, the packet is left unchanged.

        Args:
            packet: A packet of any copied track, which is changed in place.
            begins: Presentation time of the packet in seconds, on the source's clock.

        Returns:
            Whether the packet is kept: it begins in the span, or, if it is sound or a subtitle with a duration, lasts
            into it. Such sound gets a time before 0. A packet that is not kept is left unchanged.
        """
        if not self.is_part:
            return True
        base = packet.time_base
        start = begins
        if packet.stream.type == "subtitle" and packet.duration:
            start, end = self._limited(begins, begins + packet.duration * base)
            if start >= end:
                return False
            packet.duration = round((end - start) / base)
        elif self.end is not None and begins >= self.end:
            return False
        elif begins < self.start:
            heard = packet.duration * base if packet.stream.type == "audio" and packet.duration else 0
            if begins + heard <= self.start:
                return False
        offset = round((start - begins) / base) - round(self.start / base)
        packet.pts = None if packet.pts is None else packet.pts + offset
        packet.dts = None if packet.dts is None else packet.dts + offset
        return True

    def _limited(self, start: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
        return max(start, self.start), end if self.end is None else min(end, self.end)
