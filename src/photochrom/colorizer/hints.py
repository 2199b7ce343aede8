"""Hints: colours that the user knows at places of the picture. What they do to chroma is in ``hint_chroma``.

A file of hints is JSON::

    {"photochrom": "hints", "version": 1,
     "hints": [{"x": 0.42, "y": 0.31, "color": "#7a2b22", "radius": 0.01}]}

The radius may be left out. ``"suggested": true`` marks a colour that a model proposed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from ..errors import OptionError

Found = TypeVar("Found")

_VERSION = 1
_RADIUS = 0.01
_MOST_BYTES = 4_000_000  # of a file, with whatever else stands in it
_MOST = 1000  # that a file may hold: each costs time on every pixel of the thumbnail


@dataclass(frozen=True)
class Hint:
    """One place whose colour is known. What counts of the colour is its hue and chroma; lightness stays the picture's.

    Raises:
        OptionError: a value is out of its range, or of another kind.
    """

    x: float
    """0 (left) to 1 (right) of the upright picture."""
    y: float
    """0 (top) to 1 (bottom)."""
    color: tuple[int, int, int]
    """sRGB, 0 to 255."""
    radius: float = _RADIUS
    """Of the disc that has this colour, in parts of the picture's short side; at most a quarter."""
    suggested: bool = False
    """Whether a model proposed the colour, rather than a person; the picture's label tells them apart."""

    def __post_init__(self) -> None:
        for name, value, high in (("x", self.x, 1.0), ("y", self.y, 1.0), ("radius", self.radius, 0.25)):
            if not (_is_a(Real, value) and 0 <= value <= high):  # neither holds of NaN
                raise OptionError(f"a hint's {name} is {value!r:.60}: give a number from 0 to {high:g}")
        is_triple = isinstance(self.color, tuple) and len(self.color) == 3
        if not (is_triple and all(_is_a(Integral, c) and 0 <= c <= 255 for c in self.color)):
            raise OptionError(f"a hint's colour is {self.color!r:.60}: give a tuple of three numbers from 0 to 255")

    @classmethod
    def parse(cls, text: str) -> Hint:
        """``X,Y,COLOR`` of the command line: ``0.42,0.31,#7a2b22``.

        Raises:
            OptionError: the text is something else.
        """
        parts = text.split(",")
        try:
            x, y = (float(part) for part in parts[:-1])
        except ValueError:
            raise OptionError(f"{text!r:.60} is no hint: write X,Y,COLOR as in 0.42,0.31,#7a2b22") from None
        return cls(x, y, parse_color(parts[-1]))


def _is_a(kind: type, value: object) -> bool:
    """Python counts True and False among the numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)


def parse_color(text: str) -> tuple[int, int, int]:
    """``#7a2b22`` or ``7a2b22`` -> (122, 43, 34).

    Raises:
        OptionError: the text is no colour.
    """
    if not (found := re.fullmatch(r"#?([0-9a-fA-F]{6})", text.strip())):
        raise OptionError(f"{text!r:.60} is no colour: write it as #7a2b22")
    red, green, blue = bytes.fromhex(found[1])
    return red, green, blue


def read_hints(path: str | os.PathLike[str]) -> tuple[Hint, ...]:
    """The hints of a JSON file.

    Raises:
        OptionError: the file cannot be read, or holds something else; the message names it, and which hint is wrong.
    """
    return read_file(path, _from_file)


def read_file(path: str | os.PathLike[str], of_facts: Callable[[Any], Found]) -> Found:
    """What a JSON file of hints holds.

    Args:
        path: of the file.
        of_facts: makes it of the file's content.

    Raises:
        OptionError: the file cannot be read, is no JSON, or ``of_facts`` says so; the message names it.
    """
    name = os.fspath(path)
    try:
        if Path(path).stat().st_size > _MOST_BYTES:
            raise OptionError(f"is larger than a file of hints can be ({_MOST_BYTES / 1e6:g} MB): check that it is one")
        # A byte order mark is what Windows' editors put in front. Integers may have any number of digits: as a float
        # the longest are infinite, and out of range like other wrong numbers.
        return of_facts(json.loads(Path(path).read_text(encoding="utf-8-sig"), parse_int=float))
    except OptionError as exc:
        raise OptionError(f"{name}: {exc}") from exc
    except OSError as exc:
        raise OptionError(f"{name}: the file of hints cannot be read ({exc.strerror}): check the path") from exc
    except RecursionError as exc:
        raise OptionError(f"{name}: is no file of hints (nested too deeply): give one that Photochrom wrote") from exc
    except ValueError as exc:  # not JSON, not UTF-8, or no name for a file
        raise OptionError(f"{name}: is no file of hints ({exc}): give one that Photochrom wrote") from exc


def _from_file(facts: Any) -> tuple[Hint, ...]:
    if isinstance(facts, dict) and facts.get("photochrom") == "film hints":
        raise OptionError("holds the hints of a film: give it to 'photochrom film'")
    if not isinstance(facts, dict) or facts.get("photochrom") != "hints":
        raise OptionError("is no file of hints: give one that Photochrom wrote")
    if facts.get("version") != _VERSION:
        raise OptionError(f"is not of version {_VERSION} of files of hints: update Photochrom, or write the file anew")
    return hints_of_entries(facts.get("hints"))


def hints_of_entries(entries: Any) -> tuple[Hint, ...]:
    """The hints of a file's ``hints``.

    Raises:
        OptionError: these are none.
    """
    if not isinstance(entries, list):
        raise OptionError('has no list of "hints": put them in square brackets')
    if len(entries) > _MOST:
        raise OptionError(f"holds {len(entries)} hints: leave at most {_MOST}")
    return tuple(_from_entry(number, entry) for number, entry in enumerate(entries, 1))


def _from_entry(number: int, entry: Any) -> Hint:
    if not isinstance(entry, dict):
        raise OptionError(f'hint {number} is no object: write it as {{"x": 0.42, "y": 0.31, "color": "#7a2b22"}}')
    if missing := [name for name in ("x", "y", "color") if name not in entry]:
        raise OptionError(f"hint {number} has no {' and no '.join(missing)}: add it")
    color, suggested = entry["color"], entry.get("suggested", False)
    if not isinstance(suggested, bool):
        raise OptionError(f"hint {number}: suggested is {suggested!r:.60}: write true or false")
    if not isinstance(color, str):
        raise OptionError(f"hint {number}: the colour is {color!r:.60}: write it as #7a2b22, in quotes")
    try:
        return Hint(entry["x"], entry["y"], parse_color(color), entry.get("radius", _RADIUS), suggested)
    except OptionError as exc:
        raise OptionError(f"hint {number}: {exc}") from exc


def hints_json(hints: Sequence[Hint]) -> str:
    """The text of a file that ``read_hints`` reads."""
    facts = {"photochrom": "hints", "version": _VERSION, "hints": [entry_of(hint) for hint in hints]}
    return json.dumps(facts, indent=1) + "\n"


def entry_of(hint: Hint) -> dict[str, object]:
    """A hint as a file has it."""
    place = {"x": float(hint.x), "y": float(hint.y)}
    entry = place | {"color": "#" + bytes(hint.color).hex(), "radius": float(hint.radius)}
    return entry | {"suggested": True} if hint.suggested else entry
