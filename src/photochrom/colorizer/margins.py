"""Finds plain margins: the flat border that a scanner's lid or a mount leaves around a picture.

A margin is not part of the scene, so it stays neutral. It would also mislead the network, so the colorizer first finds
the picture inside the margins, and passes only that to the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..color.coding import Coding
from ..color.thumbnail import halved, thumbnail
from .hints import Hint

_LOOKED_AT = 512  # longest side of the copy in which margins are looked for, pixels
_FLAT = 6.0  # grey levels by which a margin's pixels may differ from its tone, for grain and JPEG noise
_CLEAN = 0.98  # share of a margin's row that must be flat; the rest may be dust
_STEP = 12.0  # grey levels by which the picture must differ from the margin next to its edge,
_STRAIGHT = 0.5  # along this share of the edge. A horizon or a silhouette is not so straight.
_ALIKE = 8.0  # grey levels by which the tones of one margin's sides may differ
_THIN = 0.02  # share of the picture's side; thinner margins do no harm
_LEAST = 0.25  # share of the picture's side that must be left
_NESTED = 3  # most margins inside margins, such as a print's white border on a scanner's lid


@dataclass(frozen=True)
class Box:
    """A rectangle in a picture, in shares of the picture's height and width."""

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
        """Return height and width of the whole picture, given those of the box."""
        return round(height / (self.bottom - self.top)), round(width / (self.right - self.left))

    def within(self, outer: Box) -> Box:
        """Convert this box from shares of ``outer`` to shares of the whole picture."""
        height, width = outer.bottom - outer.top, outer.right - outer.left
        rows = (outer.top + self.top * height, outer.top + self.bottom * height)
        columns = (outer.left + self.left * width, outer.left + self.right * width)
        return Box(rows[0], columns[0], rows[1], columns[1])

    def misses(self, hints: Sequence[Hint]) -> bool:
        """Return whether any hint lies outside the box, which means that the user wants a margin coloured."""
        return any(not self._holds(hint) for hint in hints)

    def clear_outside(self, plane: np.ndarray, value: int) -> None:
        """Set the pixels outside the box to a value, in place; ``plane`` is ``[H, W]``."""
        rows, columns = self.pixels(*plane.shape)
        plane[: rows.start] = plane[rows.stop :] = value
        plane[:, : columns.start] = plane[:, columns.stop :] = value

    def _holds(self, hint: Hint) -> bool:
        return self.left <= hint.x <= self.right and self.top <= hint.y <= self.bottom

    def hints(self, hints: Sequence[Hint], height: int, width: int) -> tuple[Hint, ...]:
        """Return the hints that lie in the box, with positions and radii relative to the box."""
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
            if self._holds(hint)
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


NOWHERE = Box(0.0, 0.0, 0.0, 0.0)
"""An empty box, for a frame or page that is all margin, such as a film leader."""


def _interpolation(count: int, cells: int, low: float, high: float) -> np.ndarray:
    """Return weights that interpolate linearly from cells spanning ``low`` to ``high`` to ``count`` pixels.

    Args:
        count: Number of pixels, which span 0 to 1.
        cells: Number of cells.
        low: Where the cells begin.
        high: Where the cells end.

    Returns:
        float32 ``[count, cells]``; each row sums to 1.
    """
    place = ((np.arange(count) + 0.5) / count - low) / (high - low) * cells - 0.5
    place = place.clip(0, cells - 1)[:, None]
    return np.maximum(0, 1 - np.abs(place - np.arange(cells))).astype(np.float32)


def is_flat(luma: np.ndarray) -> bool:
    """Return whether a picture has a single tone, like a film leader; ``luma`` is uint8 or uint16 ``[H, W]``."""
    small = _small(luma)
    return bool(np.mean(np.abs(small - np.median(small)) <= _FLAT) >= _CLEAN)


def find_picture(luma: np.ndarray) -> Box | None:
    """Find the picture inside plain margins.

    A margin has one tone, ends at a straight edge, and lies along at least two sides. The edge of a flat sky or studio
    background is not straight.

    Args:
        luma: uint8 or uint16 ``[H, W]``.

    Returns:
        Position of the picture; None if there are no margins.
    """
    small, box = _small(luma), None
    for _ in range(_NESTED):
        inner = _inside(small)
        if inner is None:
            break
        box = inner if box is None else inner.within(box)
        small = small[inner.pixels(*small.shape)]
    if box is None or min(box.bottom - box.top, box.right - box.left) < _LEAST:
        return None
    return box


def _small(luma: np.ndarray) -> np.ndarray:
    """Return a copy of at most ``_LOOKED_AT`` pixels a side, float32, 0 to 255."""
    while max(luma.shape) >= 2 * _LOOKED_AT and min(luma.shape) > 1:
        luma = halved(luma)  # several times as fast as the resize that follows
    scale = min(1.0, _LOOKED_AT / max(luma.shape))
    height, width = (max(1, round(scale * side)) for side in luma.shape)
    return thumbnail(luma, Coding.of_photograph(luma.dtype), height, width).astype(np.float32)


def _inside(luma: np.ndarray) -> Box | None:
    """Find the picture inside the outermost margin; None if there is none. ``luma`` is float32 ``[h, w]``."""
    height, width = luma.shape
    sides = [luma, luma[::-1], luma.T, luma.T[::-1]]  # rows of each run inwards from the top, bottom, left and right
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
    """Count the flat rows at the beginning; 0 if there are too few, or if all rows are flat."""
    least = max(2, math.ceil(_THIN * len(side)))
    if not _is_flat_row(side[:least], tone).all():  # most pictures end here
        return 0
    depth = int(_is_flat_row(side, tone).argmin())  # first row that is not flat; 0 if all are
    return depth if depth >= least else 0


def _is_flat_row(side: np.ndarray, tone: float) -> np.ndarray:
    flat: np.ndarray = np.mean(np.abs(side - tone) <= _FLAT, axis=1) >= _CLEAN
    return flat


def _is_straight(side: np.ndarray, depth: int, tone: float) -> bool:
    """Return whether the margin ends sharply along most of its edge; ``side`` excludes the other margins."""
    first = side[depth : depth + 3]
    if first.size == 0:
        return False
    return bool(np.mean(np.abs(first - tone).max(axis=0) >= _STEP) >= _STRAIGHT)
