"""Removes colour halos: flat background beside an object gets the colour of cells that show background only.

A cell of the network's grid at the edge of an object shows part of the object and part of the background, but has only
one chroma, which would surround the object with a halo. Therefore each pixel is compared with the flat cells around it,
those in which lightness hardly varies. If enough flat cells have the pixel's lightness and agree on a colour, the pixel
gets that colour. Flat cells are accumulated in a bilateral grid over position and lightness (Chen, Paris and Durand,
Real-time Edge-aware Image Processing with the Bilateral Grid, 2007), so that the cost does not depend on the search
distance.
"""

from __future__ import annotations

import functools
from typing import Final

import cv2
import numpy as np

from .bands import product

# Chosen for the least error beside edges at no cost elsewhere: benchmarks/upsampling.py, docs/experiments.md.
# Lightness is in L*, distances are in cells.
_FLAT: Final = 3.0  # standard deviation of lightness in and around a cell, above which it does not count as flat
_MIXED: Final = 2.0  # the same standard deviation, above which pixels may need another colour than their cell's
_TONE: Final = 2.0  # width of the Gaussian weight of a cell over its difference in lightness from a pixel
_LEVEL: Final = 4.0  # step between two lightness levels of the grid
_NEAR: Final = 1.5  # width of the Gaussian weight of a cell over its distance from a pixel
_FAR: Final = 5.0  # width of a second Gaussian, for pixels without flat cells nearby
_TRUSTED_SHARE: Final = 0.015  # share of flat cells of one lightness, above which their colour is trusted
_DISAGREEMENT: Final = 6.0  # standard deviation of their a*b*, above which their colour is not trusted
_BLEND: Final = 2.0  # difference from both the darkest and the lightest neighbour, above which a pixel is a blend
_NEIGHBORS: Final = np.ones((3, 3), np.uint8)
_MIN_EXPONENT: Final = -15.0  # products of smaller powers would be denormal numbers, which are slow
_TINY: Final = np.float32(1e-9)


def color_of_flat_areas(planes: np.ndarray, guide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimate, for each pixel, the colour of the flat area that it belongs to, and a weight for that colour.

    Args:
        planes: a*b* of cells, float32 ``[2, h, w]``.
        guide: L* of pixels (0..100), float32 ``[H, W]``.

    Returns:
        The colour's a*b* multiplied by its weight, float32 ``[2, H, W]``; and that weight, float32 ``[H, W]``, from 0
        (keep the colour interpolated between cells) to 1 (replace it).
    """
    size = planes.shape[:0:-1]
    mean = cv2.resize(guide, size, interpolation=cv2.INTER_AREA)
    variance = _smooth(cv2.resize(guide * guide, size, interpolation=cv2.INTER_AREA)) - np.square(_smooth(mean))
    np.maximum(variance, 0, out=variance)
    lowest = float(guide.min())
    levels = lowest + _LEVEL * np.arange(2 + int((float(guide.max()) - lowest) / _LEVEL), dtype=np.float32)
    found = _at_pixels(_flat_colors(planes, mean, variance, levels), (guide - np.float32(lowest)) / np.float32(_LEVEL))
    mixed = cv2.resize(variance / (variance + np.float32(_MIXED**2)), guide.shape[::-1], interpolation=cv2.INTER_LINEAR)
    between = np.minimum(cv2.dilate(guide, _NEIGHBORS) - guide, guide - cv2.erode(guide, _NEIGHBORS))
    mixed *= cv2.exp(np.square(between) * np.float32(-0.5 / _BLEND**2))
    found *= mixed
    return found[1:], found[0]


def _smooth(plane: np.ndarray) -> np.ndarray:
    """Smooth a plane ``[h, w]`` with the kernel 1 2 1 in both directions."""
    kernel = np.array([0.25, 0.5, 0.25], np.float32)
    return cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)


def _flat_colors(planes: np.ndarray, mean: np.ndarray, variance: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Average the colours of the flat cells around each cell, separately for each level of lightness.

    Args:
        planes: a*b*, float32 ``[2, h, w]``.
        mean: L* of cells, float32 ``[h, w]``.
        variance: Variance of L* in and around each cell, float32 ``[h, w]``.
        levels: L* of each level, float32 ``[levels]``.

    Returns:
        float32 ``[3, levels, h, w]``: the weight of flat cells of that lightness, 0 to 1; then their mean a* and b*,
        each multiplied by the weight.
    """
    exponent = np.square(levels[:, None, None] - mean) * np.float32(-0.5 / _TONE**2)
    exponent -= variance * np.float32(0.5 / _FLAT**2)
    np.maximum(exponent, _MIN_EXPONENT, out=exponent)
    a, b = planes
    facts = np.stack([np.ones_like(a), a, b, a * a + b * b])[:, None]
    weight, *colors, squares = _blur(facts * np.exp(exponent))  # [levels, h, w] each
    a, b, squares = (plane / np.maximum(weight, _TINY) for plane in (*colors, squares))
    disagreement = np.maximum(squares - a * a - b * b, 0)
    np.square(weight, out=weight)
    weight /= weight + np.float32(_TRUSTED_SHARE**2)
    weight *= np.float32(_DISAGREEMENT**2) / (np.float32(_DISAGREEMENT**2) + disagreement)
    return np.stack([weight, weight * a, weight * b])


def _blur(planes: np.ndarray) -> np.ndarray:
    """Blur planes ``[n, levels, h, w]``, padded with zeros, with the mean of a narrow and a wide Gaussian."""
    height, width = planes.shape[2:]
    near, far = (product(_falloff(height, s), product(planes, _falloff(width, s))) for s in (_NEAR, _FAR))
    near += far
    near *= np.float32(0.5)
    return near


@functools.lru_cache(maxsize=16)
def _falloff(count: int, scale: float) -> np.ndarray:
    """Return Gaussian weights between all pairs of ``count`` cells along a line, float32 ``[count, count]``.

    Args:
        count: Number of cells.
        scale: Standard deviation, in cells.
    """
    away = np.subtract.outer(np.arange(count), np.arange(count))
    falloff: np.ndarray = np.exp(np.maximum(-0.5 * np.square(away / scale), _MIN_EXPONENT)) / (
        (2 * np.pi) ** 0.5 * scale
    )
    return falloff.astype(np.float32)


def _at_pixels(grid: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Interpolate a grid at the position and level of each pixel.

    Args:
        grid: float32 ``[n, levels, h, w]``.
        level: Position of each pixel among the levels, float32 ``[H, W]``, below the last level.

    Returns:
        float32 ``[n, H, W]``.
    """
    padded = np.pad(grid, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")  # so that interpolation never mixes two levels
    rows, columns = padded.shape[2:]
    y, x = (_positions(side, count) for side, count in zip(level.shape, grid.shape[2:], strict=True))
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


def _positions(pixels: int, cells: int) -> np.ndarray:
    """Return the position of each pixel along one side, float32 ``[pixels]``, in cells from the middle of the first.

    Pixels beyond the middle of the first or last cell get its position.
    """
    positions = (np.arange(pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(cells / pixels) - np.float32(0.5)
    return np.clip(positions, 0, cells - 1)
