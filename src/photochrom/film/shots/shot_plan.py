"""``ShotPlan``: where each shot of a film begins and how it is coloured; converts times of shots and hints to pts."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ...colorizer.options import ColorOptions
from ..hints import FilmHint
from ..options import FilmOptions
from ..reader import FilmReader
from ..times import ROUNDED


@dataclass(frozen=True)
class ShotPlan:
    """Where the shots of a film begin, and how each of them is coloured."""

    starts: tuple[int, ...]
    """Least pts of each shot, in order; the first shot also includes all earlier frames. If several shots have the same
    pts, all but the last of them are empty."""
    colors: tuple[ColorOptions, ...]
    """Options of each shot, without hints."""
    left_out: frozenset[int] = frozenset()
    """Numbers, from 0, of the shots to leave unchanged."""

    def number(self, pts: int) -> int:
        """Return the number, from 0, of the shot that contains the frame with this pts."""
        return max(0, bisect_right(self.starts, pts) - 1)

    def options_at(self, pts: int) -> ColorOptions:
        """Return the options, without hints, of the shot that contains the frame with this pts."""
        return self.colors[self.number(pts)]

    def is_left_out(self, pts: int) -> bool:
        """Return whether the shot that contains the frame with this pts is left unchanged."""
        return self.number(pts) in self.left_out

    def starts_of_hinted_shots(self, reader: FilmReader, hints: Sequence[FilmHint]) -> Iterator[int]:
        """Yield the pts of the first frame of each shot that has hints, in order.

        Raises:
            FilmError: The film cannot be read up to one of these shots.
        """
        for number in sorted({self.number(pts_of_hint(reader, hint)) for hint in hints}):
            yield reader.first_pts if number == 0 else reader.pts_at(reader.seconds(self.starts[number]))

    def appearance(self, reader: FilmReader, hints: Sequence[FilmHint]) -> list[str]:
        """Return one text per shot that records its options and hints.

        If a shot has the same text in another run, its options and hints are the same.
        """
        own: list[list[str]] = [[] for _ in self.starts]
        for hint in hints:
            own[self.number(pts_of_hint(reader, hint))].append(repr(hint))
        return [
            f"{color.vividness}, {color.strength}, {number in self.left_out}, {sorted(own[number])}"
            for number, color in enumerate(self.colors)
        ]


def starts_in_options(options: FilmOptions, reader: FilmReader) -> list[int]:
    """Return the least pts of each shot in the options, in order; it is the same for shots that begin in one frame."""
    return [pts_from(reader, shot.start) for shot in options.shots]


def entries_of(starts: Sequence[int], options: FilmOptions, reader: FilmReader) -> list[int]:
    """Return, for each shot of a film, the index of its entry in ``FilmOptions.shots``.

    It is the last entry that begins at or before the shot, or the first entry if all begin later.

    Args:
        starts: Least pts of each shot.
        options: Options of the film; they list at least one shot.
        reader: The film.
    """
    of_entries = starts_in_options(options, reader)
    return [max(0, bisect_right(of_entries, start) - 1) for start in starts]


def colors_of(starts: Sequence[int], options: FilmOptions, reader: FilmReader) -> tuple[ColorOptions, ...]:
    """Return the colour options of each shot in a film.

    Args:
        starts: Least pts of each shot.
        options: Options of the film. The options for a shot are those of its entry (``entries_of``) in
            ``FilmOptions.shots``, or the film's own if no shots are listed.
        reader: The film.
    """
    if not options.shots:
        return (options.color,) * len(starts)
    return tuple(options.shots[number].color(options.color) for number in entries_of(starts, options, reader))


def pts_from(reader: FilmReader, seconds: Fraction) -> int:
    """Return the least pts at or after a time in seconds from the first frame, less the tolerance ``ROUNDED``."""
    return reader.first_pts + math.ceil((seconds - ROUNDED) / reader.time_base)


def pts_of_hint(reader: FilmReader, hint: FilmHint) -> int:
    """Return the greatest pts that the frame of a hint can have."""
    return reader.first_pts + math.floor((hint.time + ROUNDED) / reader.time_base)
