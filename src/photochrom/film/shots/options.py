"""``ShotOptions``: options for single shots, and the JSON and CSV files that list a film's shots.

A file lists all shots of a film in order; ``null`` and empty cells mean the film's own options::

    {"photochrom": "film shots", "version": 1, "shots": [
     {"start": 12.5, "end": 17.25, "frames": 114, "vividness": null, "strength": 0.8,
      "hints": [{"time": 13.0, "x": 0.42, "y": 0.31, "color": "#7a2b22"}]}]}

As CSV, a hint is written ``0:00:13.000@0.42,0.31,#7a2b22``; its radius may follow, and the word ``suggested``. Several
hints are separated by spaces. Each shot lasts from its ``start`` to the start of the next shot; ``end`` and ``frames``
are written for information, and not read.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...colorizer.hints import Hint, entry_of, read_file
from ...colorizer.options import ColorOptions
from ...errors import OptionError
from ..hints import FilmHint, film_hints_of_entries
from ..times import ROUNDED, as_seconds, parse_time, time_text

if TYPE_CHECKING:
    from .detection import Shot

_VERSION = 1  # version of the file format
_COLUMNS = ("number", "start", "end", "frames", "vividness", "strength", "hints")
_DIALS = ("vividness", "strength")
_SUGGESTED = "suggested"  # last part of a hint in CSV whose colour a model proposed


@dataclass(frozen=True)
class ShotOptions:
    """How to colour one shot of a film.

    Raises:
        OptionError: A value is invalid or out of its range.
    """

    start: Fraction
    """Seconds from the film's beginning at which the shot begins."""
    vividness: float | None = None
    """Vividness, 0 to 1 (see ``ColorOptions``); None for that of the film."""
    strength: float | None = None
    """Factor applied to the chroma, 0 to 2; None for that of the film."""
    hints: tuple[FilmHint, ...] = ()
    """Hints for frames of this shot."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", as_seconds("a shot's start", self.start))  # the class is frozen
        self.color(ColorOptions())  # raises OptionError if a value is out of range

    def color(self, film: ColorOptions) -> ColorOptions:
        """Return the film's options with this shot's vividness and strength, where the shot has its own."""
        return replace(film, **{name: own for name in _DIALS if (own := getattr(self, name)) is not None})


def read_shots(path: str | os.PathLike[str]) -> tuple[ShotOptions, ...]:
    """Read the shots of a film from a JSON file, or from a CSV file with the suffix ``.csv``.

    Raises:
        OptionError: The file cannot be read, or is not a valid list of shots; the message names the entry.
    """
    if Path(path).suffix.lower() != ".csv":
        return read_file(path, _of_json, what="list of shots")
    try:
        return _checked(_of_csv(Path(path).read_text(encoding="utf-8-sig")))
    except OSError as exc:
        raise OptionError(f"the list cannot be read ({exc.strerror})", path=path, remedy="check the path") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise OptionError(f"is not a list of shots ({exc})", path=path, remedy="save it as CSV in UTF-8") from exc
    except OptionError as exc:
        raise OptionError(exc.problem, path=path, remedy=exc.remedy) from exc


def with_settings(shots: Iterable[Shot], options: Sequence[ShotOptions]) -> Iterator[tuple[Shot, ShotOptions]]:
    """Pair each detected shot with its entry in a list, the last one that begins at or before it; see ``entries_of``.

    If the list is empty, shots are paired with default options.
    """
    for shot in shots:
        own = options[_number_at(options, shot.start) - 1] if options else ShotOptions(shot.start)
        yield shot, replace(own, start=shot.start)


def shots_json(shots: Iterable[tuple[Shot, ShotOptions]]) -> str:
    """Serialise shots and their options as JSON text that ``read_shots`` can read."""
    entries = [
        {
            "start": _number(shot.start), "end": _number(shot.end), "frames": shot.frames,
            "vividness": own.vividness, "strength": own.strength,
            "hints": [{"time": _number(hint.time)} | entry_of(hint.hint) for hint in own.hints],
        }
        for shot, own in shots
    ]  # fmt: skip
    lines = ",\n".join(f" {json.dumps(entry)}" for entry in entries)
    return f'{{"photochrom": "film shots", "version": {_VERSION}, "shots": [\n{lines}\n]}}\n'


def shots_csv(shots: Iterable[tuple[Shot, ShotOptions]]) -> str:
    """Serialise shots and their options as CSV that ``read_shots`` can read."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for number, (shot, own) in enumerate(shots, 1):
        dials = ("" if value is None else value for value in (own.vividness, own.strength))
        hints = " ".join(map(_hint_text, own.hints))
        writer.writerow((number, time_text(shot.start), time_text(shot.end), shot.frames, *dials, hints))
    return text.getvalue()


def _hint_text(hint: FilmHint) -> str:
    own = hint.hint
    text = f"{time_text(hint.time)}@{own.x:g},{own.y:g},{own.hex}"
    text += "" if own.radius == Hint.radius else f",{own.radius:g}"
    return text + (f",{_SUGGESTED}" if own.suggested else "")


def _number(seconds: Fraction) -> float:
    return round(float(seconds), 6)


def _of_json(facts: Any) -> tuple[ShotOptions, ...]:
    if not isinstance(facts, dict) or facts.get("photochrom") != "film shots" or facts.get("version") != _VERSION:
        remedy = f'write "photochrom": "film shots", "version": {_VERSION} in it'
        raise OptionError("does not hold a film's shots", remedy=remedy)
    if not isinstance(entries := facts.get("shots"), list) or not all(isinstance(entry, dict) for entry in entries):
        raise OptionError('has no list of "shots"', remedy="put them in square brackets, each in braces")
    _check_names(name for entry in entries for name in entry)
    return _checked(
        _shot(number, {**entry, "hints": film_hints_of_entries(entry.get("hints") or [])})
        for number, entry in enumerate(entries, 1)
    )


def _of_csv(text: str) -> Iterator[ShotOptions]:
    """Parse the rows of a CSV file, whose cells may be separated by commas, semicolons or tabs.

    Raises:
        OptionError: There is no column ``start``, or a name or cell is invalid.
    """
    delimiter = max(",;\t", key=text.partition("\n")[0].count)  # spreadsheets choose it by the user's language
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    if "start" not in (rows.fieldnames or ()):
        raise OptionError("has no column named start", remedy=f"the first line is {','.join(_COLUMNS)}")
    _check_names(rows.fieldnames or ())
    filled = (row for row in rows if any(row.values()))  # spreadsheets keep emptied rows
    for number, row in enumerate(filled, 1):
        if None in row:  # csv's key for surplus cells
            raise OptionError(
                f"shot {number} has more cells than there are columns", remedy='write 0.5, or "0,5" in quotation marks'
            )
        dials = {name: _dial(number, name, row[name]) for name in _DIALS if row.get(name)}
        try:
            start = parse_time(row["start"] or "")  # None if the row is too short
            hints = tuple(_hint(part) for part in (row.get("hints") or "").split())
        except OptionError as exc:
            raise OptionError(f"shot {number}: {exc.problem}", remedy=exc.remedy) from exc
        yield _shot(number, {"start": start, "hints": hints, **dials})


def _dial(number: int, name: str, cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        remedy = "give a number such as 0.8, or leave the cell empty"
        raise OptionError(f"shot {number}: {name} is {cell!r:.60}", remedy=remedy) from None


def _check_names(names: Iterable[object]) -> None:
    """Raise an error for names that are probably misspelled; other unknown names of columns or entries are allowed."""
    for name in names:
        if not isinstance(name, str) or name in _COLUMNS or name == "":
            continue
        if near := difflib.get_close_matches(name.strip().casefold(), _COLUMNS, n=1, cutoff=0.8):
            raise OptionError(f"has {name!r:.60}, which would not be read", remedy=f"write {near[0]}, or another name")


def _hint(text: str) -> FilmHint:
    time, at, place = text.partition("@")
    parts = place.split(",")
    is_suggested = parts[-1] == _SUGGESTED
    radius = parts[3 : len(parts) - is_suggested]
    if not at or len(radius) > 1:
        raise OptionError(f"{text!r:.60} is not a hint", remedy="write TIME@X,Y,COLOR, or TIME@X,Y,COLOR,RADIUS")
    hint = replace(Hint.parse(",".join(parts[:3])), suggested=is_suggested)
    return FilmHint(parse_time(time), replace(hint, radius=_radius(radius[0])) if radius else hint)


def _radius(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"a hint's radius is {text!r:.60}", remedy="give a number from 0 to 0.25") from None


def _shot(number: int, entry: dict[str, Any]) -> ShotOptions:
    if "start" not in entry:
        raise OptionError(f"shot {number} has no start", remedy="add it, in seconds")
    try:
        return ShotOptions(entry["start"], entry.get("vividness"), entry.get("strength"), tuple(entry["hints"]))
    except OptionError as exc:
        raise OptionError(f"shot {number}: {exc.problem}", remedy=exc.remedy) from exc


def _checked(shots: Iterable[ShotOptions]) -> tuple[ShotOptions, ...]:
    found = tuple(shots)
    if not found:
        raise OptionError("holds no shot", remedy="list the film's shots first")
    check_shots(found)
    return found


def check_shots(shots: Sequence[ShotOptions]) -> None:
    """Check that shots are in order, and that each hint lies in the shot under which it is listed.

    Raises:
        OptionError: Shots are not in order, or a hint lies in another shot.
    """
    for number, (one, other) in enumerate(itertools.pairwise(shots), 2):
        if other.start <= one.start:
            raise OptionError(
                f"shot {number} begins at {float(other.start):g} s, not after the one before ({float(one.start):g} s)",
                remedy="put the shots in order",
            )
    for number, shot in enumerate(shots, 1):
        for hint in shot.hints:
            if (actual := _number_at(shots, hint.time)) != number:
                raise OptionError(
                    f"shot {number} has a hint at {float(hint.time):g} s, which lies in shot {actual}",
                    remedy="list it there, or change its time",
                )


def _number_at(shots: Sequence[ShotOptions], time: Fraction) -> int:
    """Return the number, from 1, of the shot that contains a time; the first shot includes all earlier times."""
    return max(1, bisect_right(shots, time + 2 * ROUNDED, key=lambda shot: shot.start))
