"""ShotPlan: the shots of a film that are known before it is coloured, and what each of them is to look like."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..colorizer.options import ColorOptions
from ..errors import FilmError
from .frames import FrameColorizer
from .hints import FilmHint
from .options import ROUNDED, FilmOptions
from .plan import Plan
from .reader import FilmReader
from .shot_options import ShotOptions


@dataclass(frozen=True)
class ShotPlan:
    """Where the shots of a film begin, and how each is coloured."""

    starts: tuple[int, ...]
    """Least pts of the frames of each shot, strictly increasing; the first shot takes all earlier frames, too."""
    colors: tuple[ColorOptions, ...]
    """Vividness and strength of each shot."""
    left_out: frozenset[int] = frozenset()
    """Numbers, from 0, of the shots that stay as they are."""

    def number(self, pts: int) -> int:
        """Return the number of the shot that a frame lies in, from 0."""
        return max(0, bisect_right(self.starts, pts) - 1)

    def color(self, pts: int) -> ColorOptions:
        """Return how a frame is coloured, without hints."""
        return self.colors[self.number(pts)]

    def is_left_out(self, pts: int) -> bool:
        """Tell whether a frame stays as it is."""
        return self.number(pts) in self.left_out

    def starts_with(self, reader: FilmReader, hints: Sequence[FilmHint]) -> Iterator[int]:
        """Yield the pts of the first frame of each shot that has hints, in order."""
        for number in sorted({self.number(pts_of_hint(reader, hint)) for hint in hints}):
            yield reader.first_pts if number == 0 else reader.pts_at(reader.seconds(self.starts[number]))

    def appearance(self, reader: FilmReader, hints: Sequence[FilmHint]) -> list[str]:
        """Return, for each shot, a text that changes whenever anything changes that its colours depend on."""
        own: list[list[str]] = [[] for _ in self.starts]
        for hint in hints:
            own[self.number(pts_of_hint(reader, hint))].append(repr(hint))
        return [
            f"{color.vividness}, {color.strength}, {number in self.left_out}, {sorted(own[number])}"
            for number, color in enumerate(self.colors)
        ]


def make_shot_plan(
    frame_colorizer: FrameColorizer,
    plan: Plan,
    known: Sequence[int] = (),
    on_frame: Callable[[], None] = lambda: None,
) -> ShotPlan | None:
    """Decide where shots begin and how they are coloured.

    Args:
        frame_colorizer: Prepares the frames of the film; its options say how shots are coloured.
        plan: The part of the film that is coloured.
        known: pts of the first frame of each shot, if an earlier run found them.
        on_frame: Called before each frame that is read; an exception that it raises ends the reading.

    Returns:
        The plan; None if shots are found while the film is coloured, and all are coloured alike.

    Raises:
        FilmError: The film has fewer shots than the options name, or ends before one of them begins.
    """
    options, reader = frame_colorizer.options, frame_colorizer.reader
    if options.shots and not known:
        _check_end(options.shots, reader)
    starts = known or _starts_asked_for(options, reader)
    if not starts and options.only_shots:
        frames = plan.span.of(reader.frames(plan.first, on_frame=on_frame), reader.time_base)
        starts = [prepared.pts for prepared, start in frame_colorizer.prepared(frames) if start]
    if not starts:
        return None
    numbers = frozenset(number - 1 for number in options.only_shots)
    if numbers and max(numbers) >= len(starts):
        raise FilmError(f"{reader.path} has {len(starts)} shots, and not {max(numbers) + 1}", remedy="list them first")
    left_out = frozenset(range(len(starts))) - numbers if numbers else frozenset()
    return ShotPlan(tuple(starts), colors_of(starts, options, reader), left_out)


def _check_end(shots: Sequence[ShotOptions], reader: FilmReader) -> None:
    try:
        reader.pts_at(shots[-1].start)
    except FilmError as exc:
        raise FilmError(f"shot {len(shots)} of the list: {exc}") from exc


def _starts_asked_for(options: FilmOptions, reader: FilmReader) -> list[int]:
    return list(dict.fromkeys(pts_from(reader, shot.start) for shot in options.shots))


def colors_of(starts: Sequence[int], options: FilmOptions, reader: FilmReader) -> tuple[ColorOptions, ...]:
    """Return the vividness and strength of each shot: those of the entry that begins with it, or before it."""
    begins = _starts_asked_for(options, reader)
    return tuple(_entry(options.shots, bisect_right(begins, start) - 1).color(options.color) for start in starts)


def _entry(shots: tuple[ShotOptions, ...], number: int) -> ShotOptions:
    return shots[number] if number >= 0 else ShotOptions(Fraction(0))


def pts_from(reader: FilmReader, seconds: Fraction) -> int:
    """Return the least pts of a frame shown at a time or later; the time may be rounded to milliseconds."""
    return reader.first_pts + math.ceil((seconds - ROUNDED) / reader.time_base)


def pts_of_hint(reader: FilmReader, hint: FilmHint) -> int:
    """Return the greatest pts that the frame of a hint can have."""
    return reader.first_pts + math.floor((hint.time + ROUNDED) / reader.time_base)
