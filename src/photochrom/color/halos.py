"""Removes colour halos: plain background beside an object takes the colour of cells that hold background only.

A cell of the network's grid at the edge of an object covers part of the object and part of the background. It has one
chroma for both, which would surround the object with a halo. So each pixel is compared with the even cells around it,
whose lightness hardly varies. If enough of them have the pixel's lightness and agree on a colour, the pixel takes that
colour. Even cells are accumulated in a bilateral grid over position and lightness (Chen, Paris and Durand, Real-time
Edge-aware Image Processing with the Bilateral Grid, 2007), so that the cost does not depend on the search distance.
"""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np

from .bands import product

# Chosen for the least error beside edges at no cost elsewhere: benchmarks/upsampling.py, docs/experiments.md.
# Lightness is in L*, distances are in cells.
_EVEN: Final = 3.0  # standard deviation of lightness in and around a cell; cells above it are not even
_MIXED: Final = 2.0  # the same; pixels of cells above it may need another colour than the cell's
_SAME: Final = 2.0  # difference in lightness over which a cell's weight for a pixel falls off
_LEVEL: Final = 4.0  # distance between two levels of the grid
_NEAR: Final = 1.5  # distance over which a cell's weight falls off
_FAR: Final = 5.0  # the same for a second, wider falloff, for pixels without even cells near by
_ENOUGH: Final = 0.015  # share of even cells with one lightness above which they are trusted
_AGREED: Final = 6.0  # standard deviation of their a*b* above which they are not
_BETWEEN: Final = 2.0  # distance from both the darkest and the lightest neighbour, above which a pixel is a blend
_AROUND: Final = np.ones((3, 3), np.uint8)
_FARTHEST: Final = -15.0  # smallest exponent; products of smaller powers would be denormal, and slow
_LEAST: Final = np.float32(1e-9)


def color_of_even_areas(planes: np.ndarray, guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the colour of the even area that each pixel belongs to.

    Args:
        planes: a*b* of cells, float32 ``[2, h, w]``.
        guide: L* of pixels (0..100), float32 ``[H, W]``.

    Returns:
        a*b* times its weight, float32 ``[2, H, W]``; and the weight, float32 ``[H, W]``, from 0 (keep the colour
        interpolated between cells) to 1 (replace it).
    """
    size = planes.shape[:0:-1]
    mean = cv2.resize(guide, size, interpolation=cv2.INTER_AREA)
    variance = _around(cv2.resize(guide * guide, size, interpolation=cv2.INTER_AREA)) - np.square(_around(mean))
    np.maximum(variance, 0, out=variance)
    lowest = float(guide.min())
    levels = lowest + _LEVEL * np.arange(2 + int((float(guide.max()) - lowest) / _LEVEL), dtype=np.float32)
    found = _at_pixels(_even_colors(planes, mean, variance, levels), (guide - np.float32(lowest)) / np.float32(_LEVEL))
    mixed = cv2.resize(variance / (variance + np.float32(_MIXED**2)), guide.shape[::-1], interpolation=cv2.INTER_LINEAR)
    between = np.minimum(cv2.dilate(guide, _AROUND) - guide, guide - cv2.erode(guide, _AROUND))
    mixed *= cv2.exp(np.square(between) * np.float32(-0.5 / _BETWEEN**2))
    found *= mixed
    return found[1:], found[0]


def _around(plane: np.ndarray) -> np.ndarray:
    """Average a plane over each cell and its neighbours, which have half the weight."""
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    return cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)


def _even_colors(planes: np.ndarray, mean: np.ndarray, variance: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Average the even cells around each cell, for each level of lightness.

    Args:
        planes: a*b*, float32 ``[2, h, w]``.
        mean: L* of cells, float32 ``[h, w]``.
        variance: Variance of L* in and around each cell, float32 ``[h, w]``.
        levels: L*, float32 ``[levels]``.

    Returns:
        The trust in even cells of that lightness, 0 to 1, and their mean a* and b* times it, float32 ``[3, levels, h,
        w]``.
    """
    exponent = np.square(levels[:, None, None] - mean) * np.float32(-0.5 / _SAME**2)
    exponent -= variance * np.float32(0.5 / _EVEN**2)
    np.maximum(exponent, _FARTHEST, out=exponent)
    a, b = planes
    facts = np.stack([np.ones_like(a), a, b, a * a + b * b])[:, None]
    weight, *colors, squares = _nearby(facts * np.exp(exponent))  # [levels, h, w] each
    a, b, squares = (plane / np.maximum(weight, _LEAST) for plane in (*colors, squares))
    disagreement = np.maximum(squares - a * a - b * b, 0)
    np.square(weight, out=weight)
    weight /= weight + np.float32(_ENOUGH**2)
    weight *= np.float32(_AGREED**2) / (np.float32(_AGREED**2) + disagreement)
    return np.stack([weight, weight * a, weight * b])


def _nearby(planes: np.ndarray) -> np.ndarray:
    """Average planes ``[n, levels, h, w]`` over the cells around each cell, at two scales; padded with zeros."""
    height, width = planes.shape[2:]
    near, far = (product(_falloff(height, s), product(planes, _falloff(width, s))) for s in (_NEAR, _FAR))
    near += far
    near *= np.float32(0.5)
    return near


@functools.lru_cache(maxsize=16)
def _falloff(count: int, scale: float) -> np.ndarray:
    """Return the weights that the cells of one row have for each other, float32 ``[count, count]``."""
    away = np.subtract.outer(np.arange(count), np.arange(count))
    falloff: np.ndarray = np.exp(np.maximum(-0.5 * np.square(away / scale), _FARTHEST)) / ((2 * np.pi) ** 0.5 * scale)
    return falloff.astype(np.float32)


def _at_pixels(grid: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Interpolate a grid by place and level.

    Args:
        grid: float32 ``[n, levels, h, w]``.
        level: Position of each pixel among the levels, float32 ``[H, W]``, below the last level.

    Returns:
        float32 ``[n, H, W]``.
    """
    padded = np.pad(grid, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")  # rows that no other level reaches
    rows, columns = padded.shape[2:]
    y, x = (_places(side, count) for side, count in zip(level.shape, grid.shape[2:], strict=True))
    below = np.floor(level)
    share, row, column = level - below, below, np.tile(x, (len(y), 1))
    row *= np.float32(rows)
    row += (y + 1)[:, None]
    above = row + np.float32(rows)
    found, higher = np.empty((len(grid), *level.shape), np.float32), np.empty_like(level)
    for plane, into in zip(padded.reshape(len(grid), -1, columns), found, strict=True):
        for place, out in ((row, into), (above, higher)):
            cv2.remap(plane, column, place, cv2.INTER_LINEAR, dst=out, borderMode=cv2.BORDER_REPLICATE)
        higher -= into
        higher *= share
        into += higher
    return found


def _places(pixels: int, cells: int) -> np.ndarray:
    """Return the positions of a row's pixels in units of cells, float32 ``[pixels]``."""
    places = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / pixels) - np.float32(0.5)
    return np.clip(places, 0, cells - 1)
