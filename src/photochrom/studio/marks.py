"""``Mark``: a colour that a visitor gives with a click, a stroke or a lasso. Parses marks, and converts them to hints.

A hint applies to a small disc. A mark groups the hints of one gesture, so that they can be moved, recoloured, removed
and undone together.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, cast

import cv2
import numpy as np

from ..colorizer.hints import Hint, color_hex, parse_color
from ..errors import OptionError

Kind = Literal["point", "stroke", "area"]
Place = tuple[float, float]
_KINDS = ("point", "stroke", "area")
_MOST_PLACES = 500  # maximum number of places in a mark that the page sends
_MOST_HINTS = 1000  # maximum number of hints of all marks together, as in a file of hints
_STROKE_HINTS = 48  # maximum number of hints per stroke
_AREA_HINTS = 64  # approximate maximum number of hints per area
_AREA_PLACES = 64 * _AREA_HINTS  # maximum number of places examined in the bounding box of an area
_POINT_RADIUS = 0.01  # as a share of the picture's short side


@dataclass(frozen=True)
class Mark:
    """A colour that a visitor gives, and the point, stroke or area to which it applies."""

    kind: Kind
    color: tuple[int, int, int]
    """sRGB colour, three values from 0 to 255."""
    places: tuple[Place, ...]
    """Position of the point, path of the stroke, or corners of the area, as x and y from 0 to 1."""
    radius: float = _POINT_RADIUS
    """Radius of a point, or half the width of a stroke, as a share of the picture's short side."""
    suggested: bool = False
    """Whether the colour was chosen from the model's suggestions."""
    time: Fraction | None = None
    """Time in a film, in seconds from its beginning; None in a photograph."""

    def hints(self, shape: tuple[int, ...]) -> tuple[Hint, ...]:
        """Convert the mark to hints for a picture of shape ``[H, W]`` or ``[H, W, C]``."""
        if self.kind == "point":
            return (self._hint(self.places[0], self.radius),)
        size = (shape[0], shape[1])
        if self.kind == "stroke":
            return tuple(self._hint(place, self.radius) for place in _places_along(self.places, size, self.radius))
        return tuple(self._hint(place, radius) for place, radius in _discs_inside(self.places, size))

    def _hint(self, place: Place, radius: float) -> Hint:
        return Hint(*place, self.color, min(radius, 0.25), self.suggested)

    def to_json(self) -> dict[str, Any]:
        """Return the mark as JSON for the page."""
        facts: dict[str, Any] = {"kind": self.kind, "color": color_hex(self.color), "radius": self.radius}
        facts |= {"places": [list(place) for place in self.places], "suggested": self.suggested}
        return facts if self.time is None else facts | {"time": float(self.time)}


def hints_of(marks: Iterable[Mark], shape: tuple[int, ...]) -> tuple[Hint, ...]:
    """Return the hints of all marks on a picture of shape ``[H, W, ...]``, in the order of the marks.

    Where several hints share a pixel, the last one counts (``propagate_hints``).

    Raises:
        OptionError: There are more than 1,000 hints.
    """
    hints: list[Hint] = []
    for mark in marks:
        hints += mark.hints(shape)
        if len(hints) > _MOST_HINTS:
            raise OptionError("there are too many colours on this picture", remedy="remove some, or make areas smaller")
    return tuple(hints)


def parse_marks(facts: Any) -> tuple[Mark, ...]:
    """Parse marks sent by the page, a list of objects in the form of ``Mark.to_json``; their times are left out.

    Raises:
        OptionError: ``facts`` is not a list of at most 1000 marks in this form.
    """
    if not isinstance(facts, list) or len(facts) > _MOST_HINTS:
        raise OptionError("the colours are not a list")
    return tuple(map(_parse_mark, facts))


def check_unchanged(before: Iterable[Mark], now: Iterable[Mark]) -> None:
    """Check that the marks that a page shows are still those of the picture; times are not compared.

    Raises:
        OptionError: They were changed in another window. Replacing them would remove the marks of that window.
    """
    if [replace(mark, time=None) for mark in before] != [replace(mark, time=None) for mark in now]:
        raise OptionError("the colours were changed in another window", remedy="look at them, and repeat your change")


def _parse_mark(facts: Any) -> Mark:
    if not isinstance(facts, dict) or facts.get("kind") not in _KINDS:
        raise OptionError("a mark is not a point, a stroke or an area")
    places, color, radius = facts.get("places"), facts.get("color"), facts.get("radius", _POINT_RADIUS)
    if not isinstance(places, list) or not 1 <= len(places) <= _MOST_PLACES:
        raise OptionError("a mark has no places")
    if not isinstance(color, str):
        raise OptionError("a mark has no colour")
    if not _is_number(radius) or not 0 < radius <= 0.25:
        raise OptionError("the radius of a mark is out of range")
    found = tuple(_parse_place(place) for place in places)
    return Mark(cast(Kind, facts["kind"]), parse_color(color), found, radius, facts.get("suggested") is True)


def _parse_place(facts: Any) -> Place:
    if not isinstance(facts, list) or len(facts) != 2 or not all(_is_number(x) and 0 <= x <= 1 for x in facts):
        raise OptionError("a place is not two numbers from 0 to 1")
    return float(facts[0]), float(facts[1])


def _is_number(value: Any) -> bool:
    # math.isfinite fails for integers too large for a float, which JSON may contain.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def points_of(hints: Iterable[Hint], time: Fraction | None = None) -> tuple[Mark, ...]:
    """Return a point mark for each hint, such as those read from a file."""
    return tuple(Mark("point", hint.color, ((hint.x, hint.y),), hint.radius, hint.suggested, time) for hint in hints)


@functools.lru_cache(_MOST_HINTS)  # a click needs the hints of all marks several times
def _places_along(path: Sequence[Place], shape: tuple[int, int], radius: float) -> list[Place]:
    """Return at most ``_STROKE_HINTS`` places along a path, including both its ends; about a radius apart, or more."""
    height, width = shape
    points = np.array(path) * (width, height)  # [N, 2], in pixels
    lengths = np.hypot(*np.diff(points, axis=0).T) if len(points) > 1 else np.zeros(0)
    at = np.concatenate([[0.0], np.cumsum(lengths)])  # [N]
    count = int(min(_STROKE_HINTS, 1 + math.ceil(at[-1] / max(1.0, radius * min(height, width)))))
    wanted = np.linspace(0, at[-1], count)
    x, y = (np.interp(wanted, at, points[:, i]) / side for i, side in ((0, width), (1, height)))
    return list(zip(x.tolist(), y.tolist(), strict=True))


@functools.lru_cache(_MOST_HINTS)
def _discs_inside(corners: Sequence[Place], shape: tuple[int, int]) -> list[tuple[Place, float]]:
    """Return places spread evenly over an area, each with the radius of a disc that lies inside it."""
    height, width = shape
    polygon = (np.array(corners) * (width, height)).astype(np.float32)  # [N, 2], in pixels
    area = abs(float(cv2.contourArea(polygon)))
    (left, top), (right, bottom) = polygon.min(0), polygon.max(0)
    # The bounding box limits the number of places, too, since the area of a lasso that crosses itself may be nearly 0.
    box = float(right - left) * float(bottom - top)
    step = max(1.0, math.sqrt(area / _AREA_HINTS), math.sqrt(box / _AREA_PLACES))
    found = _grid(polygon, step, min(height, width))
    if len(found) > 2 * _AREA_HINTS:
        found = _grid(polygon, step * math.sqrt(len(found) / _AREA_HINTS), min(height, width))
    if not found:  # the area is narrower than the step
        x, y = polygon.mean(0)
        return [((float(x) / width, float(y) / height), _POINT_RADIUS)]
    return [((x / width, y / height), radius) for (x, y), radius in found]


def _grid(polygon: np.ndarray, step: float, short: int) -> list[tuple[Place, float]]:
    """Return points inside a polygon, ``step`` pixels apart, each with a radius as a share of the short side.

    ``polygon`` and ``short``, the picture's short side, are in pixels.
    """
    (left, top), (right, bottom) = polygon.min(0), polygon.max(0)
    found = []
    for y in np.arange(top + step / 2, bottom, step):
        for x in np.arange(left + step / 2, right, step):
            depth = cv2.pointPolygonTest(polygon[:, None], (float(x), float(y)), measureDist=True)
            if depth >= 0:
                found.append(((float(x), float(y)), min(step / 2, max(depth, 1.0)) / short))
    return found
