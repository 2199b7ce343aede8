"""Names alternative colourings by how they differ from the first one: ``warmer``, or ``blue, lower left``.

If the whole picture changes in one direction, the name is that direction. Otherwise the name is the new colour and the
place of the region that changes most visibly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from ..color.spaces import lightness_of_luma

if TYPE_CHECKING:
    from .prediction import Prediction

# Chosen by eye on 31 old photographs with five alternatives each.
_VISIBLE: Final = 4.0  # smallest change in a*b* that counts as visible
_SHARE: Final = 0.25  # share of the picture's strongest change, below which a change is ignored
_STRONG: Final = 0.95  # quantile of all changes that counts as the strongest
_WHOLE: Final = 0.5  # share of the picture that must change for the whole picture to count as changed
_SAME_DIRECTION: Final = 0.75  # least ratio of the mean change's length to the mean length of changes
_PALER: Final = 0.7  # share of the first colouring's chroma, below which an alternative is called paler
_SIDE: Final = 0.38  # a region lies at an edge if its centre is nearer to the edge than this share of the side
_BROAD: Final = 0.75  # a region that extends over more than this share of the side lies at neither edge
_GREY: Final = 8.0  # chroma below which a colour is called grey
_DIRECTIONS: Final = ((20, "pinker"), (115, "warmer"), (195, "greener"), (295, "cooler"), (360, "pinker"))
"""Each direction of change: upper limit of its hue in degrees, and its name."""


def name_alternatives(first: Prediction, others: Sequence[Prediction]) -> list[str]:
    """Name alternatives by how they differ from the first colouring; no two names are the same.

    Args:
        first: Prediction for the first colouring.
        others: Predictions for the alternatives, of the same size.

    Returns:
        One name per alternative, such as ``warmer``, ``blue, lower left`` or ``mostly green``.
    """
    lightness = cv2.resize(lightness_of_luma(first.luma), first.ab.shape[:0:-1], interpolation=cv2.INTER_AREA)
    before = _smooth(first.ab)
    found: list[str] = []
    for other in others:
        names = list(_names(lightness, before, _smooth(other.ab)))
        free = (name for name in names if name not in found)
        found.append(next(free, f"{names[0]} ({len(found) + 1})"))
    return found


def _smooth(ab: np.ndarray) -> np.ndarray:
    planes = [cv2.blur(plane, (3, 3), borderType=cv2.BORDER_REPLICATE) for plane in ab.astype(np.float32)]
    return np.stack(planes)


def _names(lightness: np.ndarray, before: np.ndarray, after: np.ndarray) -> Iterator[str]:
    """Yield names that fit an alternative, the best first; ``before`` and ``after`` are a*b* ``[2, h, w]``."""
    change = after - before
    strength = np.hypot(*change)
    changed = strength > max(_VISIBLE, _SHARE * float(np.quantile(strength, _STRONG)))
    mean = change.mean(axis=(1, 2))
    if changed.mean() > _WHOLE and np.hypot(*mean) > _SAME_DIRECTION * strength.mean():
        hue = _hue(*mean)
        yield next(name for end, name in _DIRECTIONS if hue <= end)
        if np.hypot(*after).mean() < _PALER * np.hypot(*before).mean():
            yield "paler"
    for color, cells in _regions(lightness, before, after, changed):
        place = _place(cells)
        yield f"{color}, {place}" if place else f"mostly {color}"
    yield "nearly the same"


def _regions(
    lightness: np.ndarray, before: np.ndarray, after: np.ndarray, changed: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """Find the regions of adjacent cells whose colour name changes; return their names and masks, bool ``[h, w]``.

    The most visible change comes first. If no colour name changes, the regions are those whose colour changes at all.

    Args:
        lightness: L* of cells, float32 ``[h, w]``.
        before: a*b* of the first colouring, float32 ``[2, h, w]``.
        after: a*b* of the alternative, float32 ``[2, h, w]``.
        changed: Whether the change of each cell is visible, bool ``[h, w]``.
    """
    old, new = (_color_names(lightness, ab) for ab in (before, after))
    weight = np.hypot(*(after - before)) * (np.hypot(*after) + _GREY)
    different = changed & (old != new)
    if not different.any():  # colours are only stronger or weaker, and keep their names
        different = changed
    regions = []
    for color in np.unique(new[different]):
        count, labels = cv2.connectedComponents((different & (new == color)).astype(np.uint8), connectivity=8)
        for number in range(1, count):
            regions.append((str(color), labels == number))
    return sorted(regions, key=lambda region: -weight[region[1]].sum())


def _color_names(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    names = [
        color_name(*values) for values in zip(*(plane.ravel().tolist() for plane in (lightness, *ab)), strict=True)
    ]
    return np.array(names).reshape(lightness.shape)


def _place(region: np.ndarray) -> str:
    """Describe where a region, a mask ``[h, w]``, lies, as in ``lower left``; empty if it spans most of both sides."""
    vertical, is_tall = _edge(region.sum(axis=1), ("top", "bottom"))
    horizontal, is_wide = _edge(region.sum(axis=0), ("left", "right"))
    if vertical and horizontal:
        return f"{'upper' if vertical == 'top' else 'lower'} {horizontal}"
    if is_tall and is_wide and not (vertical or horizontal):
        return ""
    return vertical or horizontal or "centre"


def _edge(counts: np.ndarray, names: tuple[str, str]) -> tuple[str, bool]:
    """Return the edge at which a region lies along one axis (empty if none), and whether it spans most of the axis.

    Args:
        counts: Number of the region's cells in each row, or in each column.
        names: Names of the two ends of the axis.
    """
    is_long = bool((counts > 0).mean() > _BROAD)
    centre = float(np.average((np.arange(len(counts)) + 0.5) / len(counts), weights=counts))
    if is_long or _SIDE <= centre <= 1 - _SIDE:
        return "", is_long
    return names[centre > _SIDE], is_long


def _hue(a: float, b: float) -> float:
    return math.degrees(math.atan2(b, a)) % 360


def color_name(lightness: float, a: float, b: float) -> str:
    """Return the everyday name of a Lab colour, such as ``brown`` or ``beige``; ``lightness`` is 0 to 100."""
    chroma, hue = math.hypot(a, b), _hue(a, b)
    if chroma < _GREY:
        return "grey"
    light, strong = lightness > 60, chroma > 35
    if 20 <= hue < 50:  # the hues of brick, skin and leather
        return "red" if strong else "pink" if light else "brown"
    if 50 <= hue < 82:
        return "orange" if strong and lightness > 45 else "beige" if light else "brown"
    if 82 <= hue < 110:
        return "olive" if not light else "yellow" if chroma > 25 else "beige"
    if hue >= 337 or hue < 20:
        return "pink" if light else "red"
    ends = ((167, "green"), (225, "turquoise"), (295, "blue"), (337, "violet"))
    return next(name for end, name in ends if hue < end)
