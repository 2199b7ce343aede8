"""Finds the shots of a film that are in colour already, so that they can be left unchanged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from ..frames import FrameColorizer
from ..plan import Plan
from ..source.colors import GAP, coherent_chroma, is_colored, unexplained_chroma
from . import detection


@dataclass(frozen=True)
class ColoredShots:
    """The shots of a film, and which of them are in colour."""

    starts: tuple[int, ...] = ()
    """pts of the first frame of each shot."""
    colored: tuple[bool, ...] = ()
    """Whether each shot is in colour."""

    def has(self, pts: int) -> bool:
        """Return whether a frame lies in a shot that is in colour."""
        number = bisect_right(self.starts, pts) - 1
        return number >= 0 and self.colored[number]

    def note(self) -> str:
        """Return a note of how many shots are left unchanged."""
        if not any(self.colored):
            return "no shot is in colour: all of them were coloured"
        return f"{sum(self.colored)} of {len(self.colored)} shots are in colour and were left unchanged"


def find_colored_shots(
    frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None
) -> ColoredShots:
    """Read a film, and find the shots that are in colour.

    A shot is in colour if most pairs of its frames, ``GAP`` apart, are (see ``source.colors.has_colors``). Blank frames
    are ignored.

    Args:
        frame_colorizer: Prepares the frames of the film.
        plan: The part of the film to colour.
        on_frame: Called before each frame; an exception that it raises ends the reading.
    """
    reader = frame_colorizer.reader
    if not reader.may_have_colors:
        return ColoredShots()
    starts: list[int] = []
    scores: list[list[float]] = []
    number, last = 0, None
    for prepared, start in frame_colorizer.prepared(
        plan.span.of(reader.frames(plan.first, on_frame=on_frame), reader.time_base)
    ):
        if start:
            starts.append(prepared.pts)
            scores.append([])
            number, last = 0, None
        if number % GAP == 0 and not detection.is_blank(prepared.small):
            chroma = unexplained_chroma(prepared.frame)
            scores[-1].append(coherent_chroma(chroma if last is None else last, chroma))
            last = chroma
        number += 1
    return ColoredShots(tuple(starts), tuple(is_colored(_median(found)) for found in scores))


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
