"""``Hint``: a known colour at a place of the picture; reads and writes hints as text and as JSON files.

``hint_propagation`` applies them. A file of hints looks like this::

    {"photochrom": "hints", "version": 1,
     "hints": [{"x": 0.42, "y": 0.31, "color": "#7a2b22", "radius": 0.01}]}

The radius may be left out. ``"suggested": true`` marks a colour that a model proposed, and ``"page": 2`` a hint for the
second page of a multi-page TIFF.
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
from ..json_text import parse_json

Parsed = TypeVar("Parsed")

_VERSION = 1
_OUR_FILE = "give one that Photochrom wrote"
_RADIUS = 0.01
_MAX_BYTES = 4_000_000  # size of the largest file that is read
_MAX_HINTS = 1000  # per file, since the cost of applying hints grows with their number times the thumbnail's pixels


@dataclass(frozen=True)
class Hint:
    """A known colour at a place of the picture. Only its hue and chroma are used; lightness comes from the picture.

    Raises:
        OptionError: A value is out of range or of the wrong type.
    """

    x: float
    """Horizontal position, 0 (left) to 1 (right) of the upright picture."""
    y: float
    """Vertical position, 0 (top) to 1 (bottom)."""
    color: tuple[int, int, int]
    """sRGB, 0 to 255 each."""
    radius: float = _RADIUS
    """Radius of the disc that has this colour, as a share of the picture's short side, 0 to 0.25."""
    suggested: bool = False
    """Whether a model proposed the colour. The picture's label counts such hints separately."""
    page: int | None = None
    """Page of a multi-page TIFF, from 1; None for a picture that has no pages."""

    def __post_init__(self) -> None:
        for name, value, high in (("x", self.x, 1.0), ("y", self.y, 1.0), ("radius", self.radius, 0.25)):
            if not (_is_a(Real, value) and 0 <= value <= high):  # refuses NaN, too
                raise OptionError(f"a hint's {name} is {value!r:.60}", remedy=f"give a number from 0 to {high:g}")
        if self.page is not None and not (_is_a(Integral, self.page) and self.page >= 1):
            raise OptionError(f"a hint's page is {self.page!r:.60}", remedy="give a whole number from 1 on")
        is_triple = isinstance(self.color, tuple) and len(self.color) == 3
        if not (is_triple and all(_is_a(Integral, c) and 0 <= c <= 255 for c in self.color)):
            raise OptionError(
                f"a hint's colour is {self.color!r:.60}", remedy="give a tuple of three numbers from 0 to 255"
            )

    @property
    def hex(self) -> str:
        """The colour as ``#rrggbb``."""
        return color_hex(self.color)

    def pixel(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return row and column of the hint in a picture of this shape, ``[H, W, ...]``."""
        return pixel_at(self.x, self.y, shape)

    @classmethod
    def parse(cls, text: str, *, size: tuple[int, int] | None = None) -> Hint:
        """Parse a hint written ``X,Y,COLOR``: ``0.42,0.31,#7a2b22``, ``42%,31%,maroon`` or ``812px,440px,#732``.

        The page number of a multi-page TIFF may come first: ``2:42%,31%,maroon``.

        Args:
            text: The hint.
            size: Width and height of the upright picture, needed for positions in pixels.

        Raises:
            OptionError: The text is not of this form, a value is out of range, or a position is in pixels and there is
                no ``size``.
        """
        page = page_of(text)
        parts = (text if page is None else text.partition(":")[2]).split(",", 2)
        try:
            x, y = (_share(part, side) for part, side in zip(parts[:-1], size or (None, None), strict=True))
        except OptionError:  # it is a ValueError, too, and its message is better
            raise
        except ValueError:
            raise OptionError(
                f"{text!r:.60} is not a hint", remedy="write X,Y,COLOR as in 0.42,0.31,#7a2b22 or 42%,31%,maroon"
            ) from None
        return cls(x, y, parse_color(parts[-1]), page=page)


def credit(model: str, hints: Sequence[Hint], stills: int = 0) -> str:
    """Return the label's text on where colours come from: ``tiny 1.0, sha256 0123, with 1 colour given by hand``.

    Args:
        model: Label of the model (``Colorizer.label``).
        hints: Hints that were applied; suggested hints are counted separately.
        stills: Number of coloured frames of a film that were applied.
    """
    suggested = sum(hint.suggested for hint in hints)
    given = len(hints) - suggested
    counts = ((given, "given by hand"), (suggested, "suggested by the model"))
    sources = [f"{count} {'colour' if count == 1 else 'colours'} {source}" for count, source in counts if count]
    sources += ["colours of a still" if stills == 1 else f"colours of {stills} stills"] if stills else []
    return f"{model}, with {' and '.join(sources)}" if sources else model


def page_of(hint: str) -> int | None:
    """Return the page number at the start of a hint's text, or None if there is none."""
    found = re.match(r"\s*(\d{1,6}):", hint)
    return int(found[1]) if found else None


def _share(text: str, side: int | None) -> float:
    """Convert a position along one side (``0.42``, ``42%`` or ``812px``) to a share of the side.

    Args:
        text: The position.
        side: Length of the side in pixels; None if unknown.

    Raises:
        OptionError: The position is in pixels, and ``side`` is unknown or shorter.
        ValueError: The text is not a position.
    """
    text = text.strip()
    if text.endswith("%"):
        return float(text[:-1]) / 100
    if not text.endswith("px"):
        return float(text)
    if side is None:
        raise OptionError(f"{text!r:.60} is in pixels, but the picture's size is unknown", remedy="give a percentage")
    share = (float(text[:-2]) + 0.5) / side  # the middle of the pixel
    if not 0 <= share <= 1:
        raise OptionError(
            f"{text!r:.60} is outside the picture, which has {side} pixels on that side",
            remedy="give a place inside it",
        )
    return share


def _is_a(kind: type, value: object) -> bool:
    """Return whether a value is of the numeric type ``kind``; True and False never are."""
    return isinstance(value, kind) and not isinstance(value, bool)


def pixel_at(x: float, y: float, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the row and column of a place, given as shares of width and height, in a picture ``[H, W, ...]``."""
    height, width = shape[:2]
    return min(int(y * height), height - 1), min(int(x * width), width - 1)


def color_hex(color: tuple[int, int, int]) -> str:
    """Write an sRGB colour as ``#rrggbb``."""
    return "#" + bytes(color).hex()


def parse_color(text: str) -> tuple[int, int, int]:
    """Parse a colour written ``#7a2b22``, ``7a2b22``, ``#732``, or as a CSS name such as ``maroon``.

    Raises:
        OptionError: The text is not a colour.
    """
    text = text.strip()
    if found := re.fullmatch(r"#([0-9a-fA-F])([0-9a-fA-F])([0-9a-fA-F])", text):
        text = "".join(2 * digit for digit in found.groups())
    elif not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        return _css_color(text)
    red, green, blue = bytes.fromhex(text.removeprefix("#"))
    return red, green, blue


def _css_color(name: str) -> tuple[int, int, int]:
    """Return the sRGB colour of a CSS name, or raise ``OptionError``."""
    from PIL.ImageColor import colormap, getrgb

    if name.lower() not in colormap:
        raise OptionError(f"{name!r:.60} is not a colour", remedy="write it as #7a2b22 or by a CSS name such as maroon")
    red, green, blue, *_ = getrgb(name)  # colormap holds text until a name is first read, numbers afterwards
    return red, green, blue


def read_hints(path: str | os.PathLike[str]) -> tuple[Hint, ...]:
    """Read the hints of a photograph from a JSON file.

    Raises:
        OptionError: The file cannot be read, is not a file of hints, or contains an invalid hint.
    """
    return read_file(path, _from_file)


def read_file(path: str | os.PathLike[str], parse: Callable[[Any], Parsed], *, what: str = "file of hints") -> Parsed:
    """Read and parse a JSON file of hints, of a photograph or of a film.

    Args:
        path: The file.
        parse: Function that converts the JSON value to the result, or raises ``OptionError``.
        what: Kind of file, for error messages.

    Raises:
        OptionError: The file cannot be read, is not JSON, or ``parse`` refuses it; the message names the file.
    """
    try:
        if Path(path).stat().st_size > _MAX_BYTES:
            raise OptionError(
                f"is larger than a {what} can be ({_MAX_BYTES / 1e6:g} MB)", remedy=f"check that it is a {what}"
            )
        # utf-8-sig: editors on Windows write a byte order mark. parse_int: Python cannot read integers of thousands of
        # digits; as a float, such a number is infinite, and then out of range.
        return parse(parse_json(Path(path).read_text(encoding="utf-8-sig"), parse_int=float))
    except OptionError as exc:
        raise OptionError(exc.problem, path=path, remedy=exc.remedy) from exc
    except OSError as exc:
        raise OptionError(f"the {what} cannot be read ({exc.strerror})", path=path, remedy="check the path") from exc
    except ValueError as exc:  # not JSON, not UTF-8, or a path with a NUL character
        raise OptionError(f"is not a {what} ({exc})", path=path, remedy=_OUR_FILE) from exc


def _from_file(facts: Any) -> tuple[Hint, ...]:
    if isinstance(facts, dict) and facts.get("photochrom") == "film hints":
        raise OptionError("holds the hints of a film", remedy="give it to 'photochrom film' or read_film_hints")
    if not isinstance(facts, dict) or facts.get("photochrom") != "hints":
        raise OptionError("is not a file of hints", remedy=_OUR_FILE)
    if facts.get("version") != _VERSION:
        raise OptionError(
            f"is not a file of hints of version {_VERSION}", remedy="update Photochrom, or write the file again"
        )
    return hints_of_entries(facts.get("hints"))


def hints_of_entries(entries: Any) -> tuple[Hint, ...]:
    """Parse the list under ``"hints"`` in a file.

    Raises:
        OptionError: ``entries`` is not a list of at most 1000 hints, or one of the hints is invalid.
    """
    if not isinstance(entries, list):
        raise OptionError('has no list of "hints"', remedy="put them in square brackets")
    if len(entries) > _MAX_HINTS:
        raise OptionError(f"holds {len(entries)} hints", remedy=f"leave at most {_MAX_HINTS}")
    return tuple(_from_entry(number, entry) for number, entry in enumerate(entries, 1))


def _from_entry(number: int, entry: Any) -> Hint:
    if not isinstance(entry, dict):
        raise OptionError(
            f"hint {number} is not an object", remedy='write it as {"x": 0.42, "y": 0.31, "color": "#7a2b22"}'
        )
    if missing := [name for name in ("x", "y", "color") if name not in entry]:
        raise OptionError(f"hint {number} has no {' and no '.join(missing)}", remedy="add it")
    color, suggested = entry["color"], entry.get("suggested", False)
    if not isinstance(suggested, bool):
        raise OptionError(f"hint {number}: suggested is {suggested!r:.60}", remedy="write true or false")
    if not isinstance(color, str):
        raise OptionError(f"hint {number}: the colour is {color!r:.60}", remedy="write it as #7a2b22, in quotes")
    try:
        page = entry.get("page")
        page = int(page) if isinstance(page, float) and page.is_integer() else page  # parse_int=float
        return Hint(entry["x"], entry["y"], parse_color(color), entry.get("radius", _RADIUS), suggested, page)
    except OptionError as exc:
        raise OptionError(f"hint {number}: {exc.problem}", remedy=exc.remedy) from exc


def hints_json(hints: Sequence[Hint]) -> str:
    """Serialise hints as JSON text, as ``read_hints`` reads it from a file."""
    facts = {"photochrom": "hints", "version": _VERSION, "hints": [entry_of(hint) for hint in hints]}
    return json.dumps(facts, indent=1) + "\n"


def entry_of(hint: Hint) -> dict[str, object]:
    """Convert a hint to its JSON object."""
    place = {"x": float(hint.x), "y": float(hint.y)}
    entry = place | {"color": hint.hex, "radius": float(hint.radius)}
    entry |= {"suggested": True} if hint.suggested else {}
    return entry | ({} if hint.page is None else {"page": hint.page})
