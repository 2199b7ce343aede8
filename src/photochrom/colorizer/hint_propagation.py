"""Applies hints: as input planes of the network, and as a correction that spreads exact colours from each hint."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from ..color.spaces import rgb_to_lab
from .hints import Hint

# Distances are shares of the picture's short side, contrasts are in L*. Chosen on held-out photographs with random
# hints; docs/experiments.md has the figures.
_SPREAD = 0.12  # distance over which the correction falls off
_EDGE = 10.0  # contrast over which it falls off
_FAR = 0.35  # distance over which the network's own reaction to a hint falls off
_UNLIKE = 25.0  # contrast over which it falls off
_CUTOFF = 6.0  # times the spread: beyond it, less than exp(-0.5 * 6 * 6) = 1.5e-8 of a correction is left
_TINY = np.float32(1e-9)


def hint_planes(hints: Sequence[Hint], height: int, width: int) -> np.ndarray:
    """Draw hints as the network's input: a mask of known pixels, then their a* and b*.

    Where hints overlap, the later one wins.

    Returns:
        float32 ``[3, height, width]``; zero where nothing is known.
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
    """Convert the hints' colours to a*b*: float32 ``[hints, 2]``."""
    if not hints:
        return np.zeros((0, 2), np.float32)
    return rgb_to_lab(np.array([hint.color for hint in hints], np.float32) / 255)[:, 1:]


def hint_influence(lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """Return the weight of the hints at each pixel: 1 at a hint, less with distance and with contrast to it.

    A network may react to one hint by changing colours all over the picture. The weight confines its reaction to pixels
    near the hint and of similar lightness.

    Args:
        lightness: L*, float32 ``[H, W]``.
        hints: At least one.

    Returns:
        float32 ``[H, W]``, 0 to 1; the largest weight of any hint.
    """
    tone = lightness * np.float32(0.5**0.5 / _UNLIKE)
    most, here = np.full_like(tone, -np.inf), np.empty_like(tone)
    for hint in hints:
        pixel = hint.pixel(tone.shape)
        np.square(np.subtract(tone, tone[pixel], out=here), out=here)
        np.subtract(_falloff_at(tone.shape, _FAR, hint, pixel)[0], here, out=here)
        np.maximum(most, here, out=most)
    return np.exp(most, out=most)


def propagate_hints(ab: np.ndarray, lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """Correct chroma so that each hint's pixel has exactly the hinted colour.

    A network follows hints only approximately. The remaining difference at each hint is added to its surroundings: in
    full at pixels of the hint's disc that have the lightness of its centre, and less with distance from the disc and
    with contrast. Where several hints meet, the correction is the mean of theirs, weighted by inverse distance (Shepard
    1968). So every hint is met exactly, however close the hints are, and no pixel changes by more than the largest
    correction. If two hints fall on one pixel, the later one wins. Models without a hint input follow hints by this
    correction alone.

    Args:
        ab: a*b*, float32 ``[2, H, W]``.
        lightness: L* of the same pixels, float32 ``[H, W]``.
        hints: Known colours; without any, ``ab`` is returned unchanged.

    Returns:
        a*b*, float32 ``[2, H, W]``.
    """
    if not hints:
        return ab
    tone = lightness * np.float32(0.5**0.5 / _EDGE)
    change, total, most = np.zeros_like(ab), np.zeros_like(tone), np.full_like(tone, -np.inf)
    at_pixels = {hint.pixel(tone.shape): (hint, color) for hint, color in zip(hints, _ab(hints), strict=True)}
    for pixel, (hint, color) in at_pixels.items():
        near = _window(pixel, (_CUTOFF * _SPREAD + hint.radius) * min(tone.shape))
        influence, away = (plane[near] for plane in _falloff_at(tone.shape, _SPREAD, hint, pixel))
        contrast = np.square(tone[near] - tone[pixel])
        weight = influence - contrast
        np.maximum(most[near], weight, out=most[near])
        np.exp(weight, out=weight)
        weight /= np.add(contrast, away, out=contrast)
        total[near] += weight
        for plane, rest in zip(change, color - ab[:, *pixel], strict=True):
            cv2.scaleAdd(weight, float(rest), plane[near], plane[near])
    return ab + np.exp(most) * change / np.maximum(total, _TINY)


def _window(pixel: tuple[int, int], radius: float) -> tuple[slice, slice]:
    row, column = (slice(max(0, int(at - radius)), int(at + radius) + 2) for at in pixel)
    return row, column


def _falloff_at(
    shape: tuple[int, ...], spread: float, hint: Hint, pixel: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the falloff of a hint's influence with distance.

    Args:
        shape: Height and width of the picture.
        spread: Distance that counts as 1, as a share of the short side.
        hint: The hint, of which only the radius is used.
        pixel: Row and column of the hint.

    Returns:
        Two read-only float32 ``[height, width]``. First, the logarithm of the influence: minus half the square of the
        distance from the hint's disc. Second, half the square of the distance from the hint's centre, plus a tiny
        number so that it is a valid divisor.
    """
    height, width = shape
    unit, radius = spread * min(shape), hint.radius / spread
    if hint.radius != Hint.radius:
        return _falloff(np.arange(height) - pixel[0], np.arange(width) - pixel[1], unit, radius)
    top, left = height - 1 - pixel[0], width - 1 - pixel[1]
    window = slice(top, top + height), slice(left, left + width)
    influence, away = _default_falloff(height, width, unit, radius)
    return influence[window], away[window]


@functools.lru_cache(maxsize=8)
def _default_falloff(height: int, width: int, unit: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the falloff around the centre of a picture twice the size; a window of it serves any hint position.

    It is cached, since a picture may have hundreds of hints, nearly all of them with the default radius.
    """
    return _falloff(np.arange(1 - height, height), np.arange(1 - width, width), unit, radius)


def _falloff(down: np.ndarray, right: np.ndarray, unit: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    down, right = (axis.astype(np.float32) / np.float32(unit) for axis in (down, right))
    away = (down * down)[:, None] + right * right
    beyond = np.sqrt(away)
    beyond -= np.float32(radius)
    np.maximum(beyond, 0, out=beyond)
    beyond *= beyond
    beyond *= np.float32(-0.5)
    away += _TINY
    away *= np.float32(0.5)
    return beyond, away
