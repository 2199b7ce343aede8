"""Hints of a film: colours that are known on one frame, carried through its shot.

A file of them is that of a photograph's, with the time of each in seconds::

    {"photochrom": "film hints", "version": 1,
     "hints": [{"time": 12.5, "x": 0.42, "y": 0.31, "color": "#7a2b22"}]}

A coloured still of a frame stands for as many hints as it has squares on a coarse grid.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..colorizer.hints import Hint, entry_of, hints_of_entries, read_file
from ..errors import FilmError, OptionError
from .options import ROUNDED, time_text
from .propagation import Path as Way

if TYPE_CHECKING:
    from .frames import Painter, Seen

_VERSION = 1  # of files of hints
_STEP = 3  # frames between two places of a hint that are looked for
_LOST = 0.3  # trust in the flow below which a hint is no longer followed
_ASTRAY = 2.0  # pixels of the small luma by which the way there and back may miss
_REMEMBERED = 7200  # frames of a shot that are held: hints are followed back through so many
_SQUARES = 8  # of a still, along its short side


@dataclass(frozen=True)
class FilmHint:
    """A colour that is known at a place of one frame.

    Raises:
        OptionError: the time is negative or not a number.
    """

    time: Fraction
    """Seconds from the film's beginning; the frame that is shown then counts."""
    hint: Hint

    def __post_init__(self) -> None:
        if self.time < 0:
            raise OptionError(f"a hint's time is {float(self.time):g}: give seconds from the film's beginning")


def read_film_hints(path: str | os.PathLike[str]) -> tuple[FilmHint, ...]:
    """The hints of a JSON file.

    Raises:
        OptionError: the file cannot be read, or holds something else.
    """
    return read_file(path, _from_file)


def _from_file(facts: Any) -> tuple[FilmHint, ...]:
    if isinstance(facts, dict) and facts.get("photochrom") == "hints":
        raise OptionError("holds the hints of a photograph: a film's have a time each")
    if not isinstance(facts, dict) or facts.get("photochrom") != "film hints" or facts.get("version") != _VERSION:
        raise OptionError(f'is no file of a film\'s hints: it needs "photochrom": "film hints", "version": {_VERSION}')
    hints = hints_of_entries(facts.get("hints"))
    return tuple(
        FilmHint(_time(entry, number), hint)
        for number, (entry, hint) in enumerate(zip(facts["hints"], hints, strict=True), 1)
    )


def film_hints_json(hints: Iterable[FilmHint]) -> str:
    """The text of a file that ``read_film_hints`` reads."""
    entries = [{"time": float(hint.time)} | entry_of(hint.hint) for hint in hints]
    return json.dumps({"photochrom": "film hints", "version": _VERSION, "hints": entries}, indent=1) + "\n"


def _time(entry: dict[str, object], number: int) -> Fraction:
    time = entry.get("time")
    if isinstance(time, bool) or not isinstance(time, int | float) or not math.isfinite(time):
        raise OptionError(f"hint {number}: the time is {time!r:.60}: give seconds, as a number")
    return Fraction(time).limit_denominator(1_000_000)


def hints_of_still(time: Fraction, path: str | os.PathLike[str]) -> tuple[FilmHint, ...]:
    """The colours of a coloured still of the frame at ``time``, as hints.

    Raises:
        OptionError: the file cannot be read as a picture.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as stored:
            image = ImageOps.exif_transpose(stored)
            width, height = image.size
            scale = _SQUARES / min(width, height)
            columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
            small = np.asarray(image.convert("RGB").resize((columns, rows), Image.Resampling.BOX))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:  # Pillow's, of broken files
        reason = getattr(exc, "strerror", None) or exc
        raise OptionError(f"{os.fspath(path)}: the still cannot be read ({reason}): check the path") from exc
    return tuple(
        FilmHint(time, Hint((x + 0.5) / columns, (y + 0.5) / rows, tuple(int(c) for c in small[y, x])))  # type: ignore[arg-type]
        for y in range(rows)
        for x in range(columns)
    )


def follow(painter: Painter, hints: Sequence[FilmHint]) -> dict[int, list[Hint]]:
    """Where the hints are on the other frames of their shots, by the frames' pts.

    The film is read once up to the last shot that has hints.

    Raises:
        FilmError: the film has no frame at a hint's time.
    """
    if not hints:
        return {}
    reel = painter.reel
    left = sorted(hints, key=lambda hint: hint.time)
    known: dict[int, list[Hint]] = {}
    for shot, behind, goes_on in _remembered(painter.seen(reel.frames())):
        end = reel.seconds(shot[-1].pts) + 1 / reel.rate if behind is None else reel.seconds(behind)
        here = [hint for hint in left if hint.time + ROUNDED < end]
        left = left[len(here) :]
        _follow_on(shot, known.get(shot[0].pts, []), known)  # what an earlier part of the shot has brought there
        _follow_in(shot, [reel.seconds(frame.pts) for frame in shot], here, known)
        if not left and not (goes_on and known.get(shot[-1].pts)):
            return known
    raise FilmError(f"{reel.path} has no frame at {time_text(left[0].time)}, where a hint is")


@dataclass(frozen=True)
class _Remembered:
    pts: int
    small: np.ndarray


def _remembered(seen: Iterable[tuple[Seen, bool]]) -> Iterator[tuple[list[_Remembered], int | None, bool]]:
    """The frames of each shot, the pts of the frame behind them, if there is one, and whether the shot goes on there.

    A very long shot comes in parts, each of which begins with the last frame of the one before.
    """
    shot: list[_Remembered] = []
    for frame, start in seen:
        if shot and (start or len(shot) > _REMEMBERED):
            yield shot, frame.pts, not start
            shot = [] if start else shot[-1:]
        shot.append(_Remembered(frame.pts, frame.small))
    if shot:
        yield shot, None, False


def _follow_in(
    shot: Sequence[_Remembered], times: Sequence[Fraction], hints: Sequence[FilmHint], known: dict[int, list[Hint]]
) -> None:
    for time, group in itertools.groupby(hints, key=lambda hint: hint.time):
        at = max(0, bisect_right(times, time + ROUNDED) - 1)  # the frame that is still shown
        places = [hint.hint for hint in group]
        known.setdefault(shot[at].pts, []).extend(places)
        _follow_on(shot[at:], places, known)
        _follow_on(shot[at::-1], places, known)


def _follow_on(frames: Sequence[_Remembered], hints: list[Hint], known: dict[int, list[Hint]]) -> None:
    """Note where hints on the first frame are on those that come next, as far as they can be followed."""
    last = 0
    for number in range(1, len(frames)):
        if not hints:
            return
        if number - last == _STEP:
            hints = _moved(frames[last].small, frames[number].small, hints)
            last = number
        known.setdefault(frames[number].pts, []).extend(hints)


def _moved(source: np.ndarray, target: np.ndarray, hints: Sequence[Hint]) -> list[Hint]:
    """The hints of the source frame where they are on the target frame; those that are covered there are dropped."""
    there, back = Way(target, source), Way(source, target)  # each has a place for every pixel of its second frame
    height, width = source.shape
    moved = []
    for hint in hints:
        y, x = hint.pixel(source.shape)
        new = there.places[y, x]
        column, row = (round(float(v)) for v in new)
        if not (0 <= column < width and 0 <= row < height) or there.trust[y, x] < _LOST:
            continue
        if np.hypot(*(back.places[row, column] - (x, y))) > _ASTRAY:
            continue
        step = new - (x, y)
        moved.append(replace(hint, x=_within(hint.x + step[0] / width), y=_within(hint.y + step[1] / height)))
    return moved


def _within(share: float) -> float:
    return float(min(max(share, 0.0), 1.0))
