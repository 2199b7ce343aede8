"""Applies hints: as input planes of the network, and as a correction that spreads the exact colour of each hint."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from ..color.spaces import rgb_to_lab
from .hints import Hint

# Distances are shares of the picture's short side, contrasts are in L*. Chosen on held-out photographs with random
# hints; docs/experiments.md has the figures.
_SPREAD = 0.12  # width of the Gaussian by which the correction falls off with distance
_EDGE = 10.0  # width of the Gaussian by which the correction falls off with contrast
_FAR = 0.35  # width of the Gaussian that limits the network's own reaction to a hint, over distance
_UNLIKE = 25.0  # the same over contrast
_CUTOFF = 6.0  # in units of the spread: farther away, less than exp(-0.5 * 6 * 6) = 1.5e-8 of a correction is left
_TINY = np.float32(1e-9)


def hint_planes(hints: Sequence[Hint], height: int, width: int) -> np.ndarray:
    """Draw hints as input planes of the network: a mask of known pixels, then their a* and b*.

    Where hints overlap, the later one wins.

    Returns:
        float32 ``[3, height, width]``; zero where no colour is known.
    """
    known = np.zeros((3, height, width), np.float32)
    for hint, ab in zip(hints, _ab(hints), strict=True):
        row, column = hint.pixel((height, width))
        radius = max(0.5, hint.radius * min(height, width))
        top, left = max(0, row - int(radius)), max(0, column - int(radius))
        window = known[:, top : row + int(radius) + 1, left : column + int(radius) + 1]
        y, x = np.ogrid[top - row : top - row + window.shape[1], left - column : left - column + window.shape[2]]
        window[:, y * y + x * x <= radius**2] = np.array([[1], [ab[0]], [ab[1]]], np.float32)
    return known


def _ab(hints: Sequence[Hint]) -> np.ndarray:
    """Return the a*b* of each hint's colour, float32 ``[hints, 2]``."""
    if not hints:
        return np.zeros((0, 2), np.float32)
    return rgb_to_lab(np.array([hint.color for hint in hints], np.float32) / 255)[:, 1:]


def hint_influence(lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """Compute the influence of the hints on each pixel: 1 at a hint, less with distance and with contrast.

    A network may react to one hint by changing colours all over the picture. Multiplied by the influence, that reaction
    is limited to pixels near the hint and of similar lightness.

    Args:
        lightness: L*, float32 ``[H, W]``.
        hints: At least one.

    Returns:
        float32 ``[H, W]``, 0 to 1; where hints overlap, the largest influence of any of them.
    """
    tone = lightness * np.float32(0.5**0.5 / _UNLIKE)  # scaled so that squared differences are exponents of a Gaussian
    log_strongest, log_influence = np.full_like(tone, -np.inf), np.empty_like(tone)
    for hint in hints:
        pixel = hint.pixel(tone.shape)
        contrast = np.square(np.subtract(tone, tone[pixel], out=log_influence), out=log_influence)
        np.subtract(_falloff_at(tone.shape, _FAR, hint, pixel)[0], contrast, out=log_influence)
        np.maximum(log_strongest, log_influence, out=log_strongest)
    return np.exp(log_strongest, out=log_strongest)


def propagate_hints(ab: np.ndarray, lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """Correct chroma so that the pixel of each hint has exactly the hinted colour.

    A network follows hints only approximately. The remaining difference at each hint is added to its surroundings: in
    full at pixels of the hint's disc that have the lightness of its centre, and less with distance from the disc and
    with contrast. Where several hints overlap, their corrections are averaged, weighted by inverse distance (Shepard
    1968). Therefore each hint's pixel gets its colour exactly, however close the hints are, and no pixel changes by
    more than the largest correction. If two hints fall on one pixel, the later one wins. If the model has no input for
    hints, this correction alone applies them.

    Args:
        ab: a*b*, float32 ``[2, H, W]``.
        lightness: L* of the same pixels, float32 ``[H, W]``.
        hints: Known colours; without any, ``ab`` is returned unchanged.

    Returns:
        a*b*, float32 ``[2, H, W]``.
    """
    if not hints:
        return ab
    tone = lightness * np.float32(0.5**0.5 / _EDGE)  # scaled as in ``hint_influence``
    change, total, log_strongest = np.zeros_like(ab), np.zeros_like(tone), np.full_like(tone, -np.inf)
    at_pixels = {hint.pixel(tone.shape): (hint, color) for hint, color in zip(hints, _ab(hints), strict=True)}
    for pixel, (hint, color) in at_pixels.items():
        window = _window(pixel, (_CUTOFF * _SPREAD + hint.radius) * min(tone.shape))
        log_falloff, half_square = (plane[window] for plane in _falloff_at(tone.shape, _SPREAD, hint, pixel))
        contrast = np.square(tone[window] - tone[pixel])
        log_influence = log_falloff - contrast
        np.maximum(log_strongest[window], log_influence, out=log_strongest[window])
        weight = np.exp(log_influence, out=log_influence)
        weight /= np.add(contrast, half_square, out=contrast)
        total[window] += weight
        for plane, rest in zip(change, color - ab[:, *pixel], strict=True):
            cv2.scaleAdd(weight, float(rest), plane[window], plane[window])
    return ab + np.exp(log_strongest) * change / np.maximum(total, _TINY)


def _window(pixel: tuple[int, int], radius: float) -> tuple[slice, slice]:
    row, column = (slice(max(0, int(at - radius)), int(at + radius) + 2) for at in pixel)
    return row, column


def _falloff_at(
    shape: tuple[int, ...], spread: float, hint: Hint, pixel: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Compute how the influence of a hint falls off with distance.

    Args:
        shape: Height and width of the picture.
        spread: Unit of distance, as a share of the picture's short side.
        hint: The hint, of which only the radius is used.
        pixel: Row and column of the hint.

    Returns:
        Two arrays, float32 ``[height, width]``, which must not be changed. First, the logarithm of the influence: minus
        half the squared distance from the hint's disc. Second, half the squared distance from the hint's centre, plus a
        tiny number so that it can be a divisor.
    """
    (height, width), (row, column) = shape, pixel
    window = slice(height - 1 - row, 2 * height - 1 - row), slice(width - 1 - column, 2 * width - 1 - column)
    log_falloff, half_square = _falloff(height, width, spread * min(shape), hint.radius / spread)
    return log_falloff[window], half_square[window]


@functools.lru_cache(maxsize=8)  # a picture may have hundreds of hints, nearly all of them with the same radius
def _falloff(height: int, width: int, unit: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute ``_falloff_at`` at all offsets from a hint that can occur in a picture.

    Args:
        height: Height of the picture.
        width: Width of the picture.
        unit: Unit of distance, in pixels.
        radius: Radius of the hint's disc, in units.

    Returns:
        The two arrays of ``_falloff_at``, float32 ``[2 * height - 1, 2 * width - 1]``, which must not be changed.
    """
    down, right = (np.arange(1 - side, side).astype(np.float32) / np.float32(unit) for side in (height, width))
    square = (down * down)[:, None] + right * right
    log_falloff = np.sqrt(square)
    log_falloff -= np.float32(radius)
    np.maximum(log_falloff, 0, out=log_falloff)  # distance from the disc
    log_falloff *= log_falloff
    log_falloff *= np.float32(-0.5)
    square += _TINY
    square *= np.float32(0.5)
    return log_falloff, square
