"""Finds blank margins: flat borders around a picture, such as a mount, or the lid of a scanner.

Margins are not part of the scene, so they stay neutral. They would also mislead the network, so the colorizer passes
only the picture inside the margins to the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..color.coding import Coding
from ..color.thumbnail import halved, thumbnail
from .hints import Hint

_SEARCH_SIDE = 512  # longest side, in pixels, of the reduced copy in which margins are found
_FLAT = 6.0  # grey levels by which a margin's pixels may differ from its tone, because of grain and JPEG noise
_CLEAN = 0.98  # share of each row of a margin that must be flat; the rest may be dust
_STEP = 12.0  # grey levels by which the picture must differ from the margin at their common edge ...
_STRAIGHT = 0.5  # ... along at least this share of the edge; a horizon or a silhouette is less straight
_ALIKE = 8.0  # grey levels by which the tones of a margin at different sides may differ
MIN_DEPTH = 0.02  # share of the picture's side; thinner margins do no harm
_MIN_SIDE = 0.25  # share of the whole side that the picture inside the margins must have
_MAX_NESTED = 3  # margins inside margins, such as a print's white border on a scanner's lid


@dataclass(frozen=True)
class Box:
    """A rectangle in a picture; positions are shares of the picture's height and width, 0 to 1."""

    top: float
    left: float
    bottom: float
    right: float

    def pixels(self, height: int, width: int) -> tuple[slice, slice]:
        """Return the rows and columns of the box in a picture of this size."""
        return (
            slice(round(self.top * height), round(self.bottom * height)),
            slice(round(self.left * width), round(self.right * width)),
        )

    def whole(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the whole picture, given height and width of the box."""
        return round(height / (self.bottom - self.top)), round(width / (self.right - self.left))

    def within(self, outer: Box) -> Box:
        """Convert this box from shares of ``outer`` to shares of the whole picture."""
        height, width = outer.bottom - outer.top, outer.right - outer.left
        rows = (outer.top + self.top * height, outer.top + self.bottom * height)
        columns = (outer.left + self.left * width, outer.left + self.right * width)
        return Box(rows[0], columns[0], rows[1], columns[1])

    def misses(self, hints: Sequence[Hint]) -> bool:
        """Return whether any hint lies outside the box; if so, the user wants a margin coloured."""
        return any(not self._contains(hint) for hint in hints)

    def clear_outside(self, plane: np.ndarray, value: int) -> None:
        """Set the pixels of ``plane`` (``[H, W]``) outside the box to ``value``, in place."""
        rows, columns = self.pixels(*plane.shape)
        plane[: rows.start] = plane[rows.stop :] = value
        plane[:, : columns.start] = plane[:, columns.stop :] = value

    def _contains(self, hint: Hint) -> bool:
        return self.left <= hint.x <= self.right and self.top <= hint.y <= self.bottom

    def hints(self, hints: Sequence[Hint], height: float, width: float) -> tuple[Hint, ...]:
        """Return the hints inside the box, moved and scaled so that they are relative to the box.

        Args:
            hints: Hints of the whole picture.
            height: Height of the whole picture, in any unit.
            width: Width of the whole picture, in the same unit.
        """
        rows, columns = self.bottom - self.top, self.right - self.left
        wider = min(height, width) / min(rows * height, columns * width)
        return tuple(
            replace(
                hint,
                x=(hint.x - self.left) / columns,
                y=(hint.y - self.top) / rows,
                radius=min(0.25, hint.radius * wider),
            )
            for hint in hints
            if self._contains(hint)
        )

    def spread(self, planes: np.ndarray, height: int, width: int) -> np.ndarray:
        """Resample planes that cover the box to a grid that covers the whole picture.

        Args:
            planes: float32 ``[..., h, w]``.
            height: Rows of the grid.
            width: Columns of the grid.

        Returns:
            float32 ``[..., height, width]``. Outside the box, the values at its edge are repeated.
        """
        rows = _interpolation(height, planes.shape[-2], self.top, self.bottom)
        columns = _interpolation(width, planes.shape[-1], self.left, self.right)
        spread: np.ndarray = rows @ planes @ columns.T
        return spread


WHOLE = Box(0.0, 0.0, 1.0, 1.0)
"""The box of a picture without margins."""
NOWHERE = Box(0.0, 0.0, 0.0, 0.0)
"""An empty box, for a page or frame without a picture, such as a film leader. ``whole``, ``hints`` and ``spread`` must
not be called on it, since they divide by its sides."""


def _interpolation(count: int, cells: int, low: float, high: float) -> np.ndarray:
    """Return weights that interpolate linearly from cells spanning ``low`` to ``high`` to ``count`` pixels.

    Args:
        count: Number of pixels, which span 0 to 1.
        cells: Number of cells.
        low: Position at which the first cell begins, from 0 to 1.
        high: Position at which the last cell ends.

    Returns:
        float32 ``[count, cells]``; each row sums to 1.
    """
    position = ((np.arange(count) + 0.5) / count - low) / (high - low) * cells - 0.5
    position = position.clip(0, cells - 1)[:, None]
    return np.maximum(0, 1 - np.abs(position - np.arange(cells))).astype(np.float32)


def is_flat(luma: np.ndarray) -> bool:
    """Return whether a picture has only one tone, as a film leader does; ``luma`` is uint8 or uint16 ``[H, W]``."""
    small = _small(luma)
    return bool(np.mean(np.abs(small - np.median(small)) <= _FLAT) >= _CLEAN)


def find_picture(luma: np.ndarray) -> Box | None:
    """Find the picture inside blank margins.

    A margin has one tone, ends at a straight edge, and lies along at least two sides. A flat sky or studio background
    is not a margin, because its edge is not straight.

    Args:
        luma: uint8 or uint16 ``[H, W]``, full range.

    Returns:
        Position of the picture; None if there are no margins, or if less than a quarter of a side would be left.
    """
    small, box = _small(luma), None
    for _ in range(_MAX_NESTED):
        inner = _inside_outermost(small)
        if inner is None:
            break
        box = inner if box is None else inner.within(box)
        small = small[inner.pixels(*small.shape)]
    if box is None or min(box.bottom - box.top, box.right - box.left) < _MIN_SIDE:
        return None
    return box


def _small(luma: np.ndarray) -> np.ndarray:
    """Reduce luma to at most ``_SEARCH_SIDE`` pixels per side, float32, 0 to 255."""
    while max(luma.shape) >= 2 * _SEARCH_SIDE and min(luma.shape) > 1:
        luma = halved(luma)  # several times as fast as the resize that follows
    scale = min(1.0, _SEARCH_SIDE / max(luma.shape))
    height, width = (max(1, round(scale * side)) for side in luma.shape)
    return thumbnail(luma, Coding.of_photograph(luma.dtype), height, width).astype(np.float32)


def _inside_outermost(luma: np.ndarray) -> Box | None:
    """Find the picture inside the outermost margin; None if there is no margin. ``luma`` is float32 ``[h, w]``."""
    height, width = luma.shape
    sides = [luma, luma[::-1], luma.T, luma.T[::-1]]  # turned so that the first row is at the top, bottom, left, right
    tones = [float(np.median(side[:2])) for side in sides]
    depths = [_depth(side, tone) for side, tone in zip(sides, tones, strict=True)]
    top, bottom, left, right = depths
    across = (slice(left, width - right), slice(top, height - bottom))
    kept = [
        depth > 0 and _is_straight(side[:, across[i // 2]], depth, tone)
        for i, (side, depth, tone) in enumerate(zip(sides, depths, tones, strict=True))
    ]
    kept = [
        kept[i] and any(kept[j] and abs(tones[i] - tones[j]) <= _ALIKE for j in range(4) if j != i) for i in range(4)
    ]
    if not any(kept):
        return None
    top, bottom, left, right = (depth if keep else 0 for depth, keep in zip(depths, kept, strict=True))
    return Box(top / height, left / width, 1 - bottom / height, 1 - right / width)


def _depth(side: np.ndarray, tone: float) -> int:
    """Count the rows at the start of ``side`` that have one tone, ``tone``.

    Returns:
        Their number; 0 if they are too few for a margin, or if all rows have that tone.
    """
    least = max(2, math.ceil(MIN_DEPTH * len(side)))
    if not _is_flat_row(side[:least], tone).all():  # the case of most pictures, decided quickly
        return 0
    depth = int(_is_flat_row(side, tone).argmin())  # first row that is not flat; 0 if all are
    return depth if depth >= least else 0


def _is_flat_row(side: np.ndarray, tone: float) -> np.ndarray:
    flat: np.ndarray = np.mean(np.abs(side - tone) <= _FLAT, axis=1) >= _CLEAN
    return flat


def _is_straight(side: np.ndarray, depth: int, tone: float) -> bool:
    """Return whether a margin ends sharply along at least half of its edge.

    Args:
        side: The picture, turned so that the margin is its first rows, without the margins at its left and right.
        depth: Rows of the margin.
        tone: Grey level of the margin.
    """
    first = side[depth : depth + 3]
    if first.size == 0:
        return False
    return bool(np.mean(np.abs(first - tone).max(axis=0) >= _STEP) >= _STRAIGHT)
