"""The part of a film that is coloured, and how times inside it are shifted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from .options import ROUNDED


@dataclass(frozen=True)
class Span:
    """The part of the source that is coloured."""

    start: Fraction
    """Seconds on the source's own clock; the beginning of the new film if that is only a part."""
    end: Fraction | None
    """Seconds on the source's own clock; None for the film's end."""
    shift: bool
    """Whether the new film's times are counted from ``start``; otherwise they stay as they are."""

    def of(self, frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
        """Yield the frames up to the span's end."""
        return itertools.takewhile(lambda frame: self.goes_on(frame.pts * time_base), frames)

    def goes_on(self, time: Fraction) -> bool:
        """Tell whether a frame shown at a time on the source's own clock lies before the end."""
        return self.end is None or time < self.end - ROUNDED

    def chapter(self, chapter: av.container.core.Chapter) -> av.container.core.Chapter | None:
        """Cut a chapter to the span and shift it; None if nothing of it is left."""
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
            begins: Seconds at which it is heard or seen.

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


def later_timecode(timecode: str, frames: int, rate: Fraction) -> str | None:
    """Add frames to a time code (SMPTE ST 12-1).

    Args:
        timecode: ``01:00:00:00``, or ``01:00:00;00`` for drop-frame time code.
        frames: Number of frames to add.
        rate: Frames per second of the film.

    Returns:
        The later time code; None if the text is not a time code.
    """
    if not (found := re.fullmatch(r"(\d+):(\d\d):(\d\d)([:;.])(\d+)", timecode)):
        return None
    hours, minutes, seconds, frame = (int(found[i]) for i in (1, 2, 3, 5))
    base = max(1, round(rate))  # frame numbers in a second
    left_out = 0 if found[4] == ":" else 2 * (base // 30)  # numbers dropped in each minute except every tenth
    minutes += 60 * hours
    count = (60 * minutes + seconds) * base + frame - left_out * (minutes - minutes // 10) + frames
    ten_minutes = 600 * base - 9 * left_out
    tens, rest = divmod(count % (144 * ten_minutes), ten_minutes)  # time codes wrap after a day
    number = 600 * base * tens + rest + left_out * (max(0, rest - left_out) // (60 * base - left_out))
    seconds, frame = divmod(number, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{found[4]}{frame:02}"
