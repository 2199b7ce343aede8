"""``Span``: the part of a film to colour; cuts frames, packets and chapters to it, and shifts their times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from .times import ROUNDED


@dataclass(frozen=True)
class Span:
    """The part of the source to colour."""

    start: Fraction
    """Seconds on the source's own clock; the beginning of the new film if only a part is coloured."""
    end: Fraction | None
    """Seconds on the source's own clock; None for the film's end."""
    shift: bool
    """Whether times of the new film are relative to ``start``; otherwise they are unchanged."""

    def of(self, frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
        """Yield the frames up to the span's end."""
        return itertools.takewhile(lambda frame: self.goes_on(frame.pts * time_base), frames)

    def goes_on(self, time: Fraction) -> bool:
        """Return whether a time on the source's own clock lies before the end."""
        return self.end is None or time < self.end - ROUNDED

    def chapter(self, chapter: av.container.core.Chapter) -> av.container.core.Chapter | None:
        """Cut a chapter to the span, and shift it; None if nothing of it is left."""
        if not self.shift:
            return chapter
        base = chapter["time_base"] or Fraction(1, 1000)
        start, end = self._cut(chapter["start"] * base, chapter["end"] * base)
        if start >= end:
            return None
        moved = {"start": round((start - self.start) / base), "end": round((end - self.start) / base)}
        return chapter | moved

    def take(self, packet: av.Packet, begins: Fraction) -> bool:
        """Shift a packet with the span, and cut a subtitle to it.

        Args:
            packet: A packet of any copied track; it is changed.
            begins: Presentation time in seconds.

        Returns:
            Whether any of it lies in the span.
        """
        if not self.shift:
            return True
        base = packet.time_base
        start = begins
        if packet.stream.type == "subtitle" and packet.duration:
            start, end = self._cut(begins, begins + packet.duration * base)
            if start >= end:
                return False
            packet.duration = round((end - start) / base)
        elif begins < self.start or (self.end is not None and begins >= self.end):
            return False
        later = round((start - begins) / base) - round(self.start / base)
        packet.pts = None if packet.pts is None else packet.pts + later
        packet.dts = None if packet.dts is None else packet.dts + later
        return True

    def _cut(self, start: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
        return max(start, self.start), end if self.end is None else min(end, self.end)
