"""``FilmHint``, a known colour at a place of one frame, and the JSON files that store such hints.

Such a file has the form of a photograph's file of hints, with a time in seconds for each hint::

    {"photochrom": "film hints", "version": 1,
     "hints": [{"time": 12.5, "x": 0.42, "y": 0.31, "color": "#7a2b22"}]}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..colorizer.hints import Hint, entry_of, hints_of_entries, read_file
from ..errors import OptionError
from .times import as_seconds

_VERSION = 1  # version of the file format


@dataclass(frozen=True)
class FilmHint:
    """A known colour at a place of one frame.

    Raises:
        OptionError: The time is not a number of seconds from 0 up.
    """

    time: Fraction
    """Seconds from the film's beginning; the hint is for the frame that is shown at this time."""
    hint: Hint
    """Place and colour of the hint."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", as_seconds("a hint's time", self.time))  # the class is frozen


def read_film_hints(path: str | os.PathLike[str]) -> tuple[FilmHint, ...]:
    """Read a film's hints from a JSON file.

    Raises:
        OptionError: The file cannot be read, or does not hold a film's hints.
    """
    return read_file(path, _from_file)


def _from_file(facts: Any) -> tuple[FilmHint, ...]:
    if isinstance(facts, dict) and facts.get("photochrom") == "hints":
        raise OptionError("holds the hints of a photograph", remedy="give each hint a time")
    if not isinstance(facts, dict) or facts.get("photochrom") != "film hints" or facts.get("version") != _VERSION:
        remedy = f'write "photochrom": "film hints", "version": {_VERSION} in it'
        raise OptionError("does not hold a film's hints", remedy=remedy)
    return film_hints_of_entries(facts.get("hints"))


def film_hints_of_entries(entries: Any) -> tuple[FilmHint, ...]:
    """Convert the parsed JSON list under ``"hints"`` to hints.

    Raises:
        OptionError: ``entries`` is not a list of at most 1000 hints with times, or a hint is invalid.
    """
    hints = hints_of_entries(entries)
    return tuple(
        FilmHint(as_seconds(f"hint {number}: the time", entry.get("time")), hint)
        for number, (entry, hint) in enumerate(zip(entries, hints, strict=True), 1)
    )


def film_hints_json(hints: Iterable[FilmHint]) -> str:
    """Serialise hints as JSON text that ``read_film_hints`` can read."""
    entries = [{"time": float(hint.time)} | entry_of(hint.hint) for hint in hints]
    return json.dumps({"photochrom": "film hints", "version": _VERSION, "hints": entries}, indent=1) + "\n"
