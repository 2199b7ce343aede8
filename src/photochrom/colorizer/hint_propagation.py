"""What hints do to chroma: the planes that a network takes, and exact colours at the hints themselves."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from ..color.spaces import rgb_to_lab
from .hints import Hint

_REACH = 0.12  # of the short side: how far a hint's rest is spread
_EDGE = 10.0  # and over what contrast in L*
_FAR = 0.35  # of the short side: how far a hint may change what the network says
_UNLIKE = 25.0  # and over what contrast in L*
_SPENT = 6.0  # times its reach: there exp(-0.5 * 6 * 6), 1.5e-8 of a hint's rest is left
_TINY = np.float32(1e-9)


def planes(hints: Sequence[Hint], height: int, width: int) -> np.ndarray:
    """Hints as a network takes them: float32 ``[3, height, width]``, 1 where a colour is known, and its a* and b*.

    Where hints overlap the later one counts.
    """
    known = np.zeros((3, height, width), np.float32)
    for hint, ab in zip(hints, _ab(hints), strict=True):
        row, column = _pixel(hint, height, width)
        radius = max(0.5, hint.radius * min(height, width))
        top, left = max(0, row - int(radius)), max(0, column - int(radius))
        window = known[:, top : row + int(radius) + 1, left : column + int(radius) + 1]
        y, x = np.ogrid[top - row : top - row + window.shape[1], left - column : left - column + window.shape[2]]
        window[:, y * y + x * x <= radius**2] = np.array([[1], [ab[0]], [ab[1]]], np.float32)
    return known


def _pixel(hint: Hint, height: int, width: int) -> tuple[int, int]:
    return min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)


def _ab(hints: Sequence[Hint]) -> np.ndarray:
    """float32 ``[hints, 2]``."""
    if not hints:
        return np.zeros((0, 2), np.float32)
    return rgb_to_lab(np.array([hint.color for hint in hints], np.float32) / 255)[:, 1:]


def reach(lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """How far each pixel is any hint's business: 1 at the hints, falling with distance and with contrast.

    A network lets one hint change colours all over the picture. What lies far from all hints, and is unlike them, is to
    stay what it was.

    Args:
        lightness: float32 ``[H, W]``, L*.
        hints: at least one.

    Returns:
        float32 ``[H, W]``, 0 to 1.
    """
    tone = lightness * np.float32(0.5**0.5 / _UNLIKE)
    most, here = np.full_like(tone, -np.inf), np.empty_like(tone)
    for hint in hints:
        place = _pixel(hint, *tone.shape)
        np.square(np.subtract(tone, tone[place], out=here), out=here)
        np.subtract(_distances(tone.shape, _FAR, hint, place)[0], here, out=here)
        np.maximum(most, here, out=most)
    return np.exp(most, out=most)


def settle(ab: np.ndarray, lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """Chroma that has exactly the hinted colours where they were given.

    A network follows hints by and large. What is left of the difference at each hint is taken away there, and around
    it as far as the picture stays alike: all of it where the hint's disc has the tone of its centre, less and less with
    distance from the disc and with contrast. Where several hints reach, the change is a mean of theirs, in which each
    counts alone at its own place (Shepard 1968): all are met, however close, and no pixel changes by more than the
    hint that changes most. Of hints on one pixel the last counts. With this even a network that takes no hints can
    be corrected.

    Args:
        ab: float32 ``[2, H, W]``, a*b*.
        lightness: float32 ``[H, W]``, L* of the same pixels.
        hints: where which colour is known.

    Returns:
        float32 ``[2, H, W]``.
    """
    if not hints:
        return ab
    tone = lightness * np.float32(0.5**0.5 / _EDGE)
    change, total, most = np.zeros_like(ab), np.zeros_like(tone), np.full_like(tone, -np.inf)
    colors = {_pixel(hint, *tone.shape): (hint, color) for hint, color in zip(hints, _ab(hints), strict=True)}
    for place, (hint, color) in colors.items():
        near = _around(place, (_SPENT * _REACH + hint.radius) * min(tone.shape))
        influence, away = (plane[near] for plane in _distances(tone.shape, _REACH, hint, place))
        contrast = np.square(tone[near] - tone[place])
        weight = influence - contrast
        np.maximum(most[near], weight, out=most[near])
        np.exp(weight, out=weight)
        weight /= np.add(contrast, away, out=contrast)
        total[near] += weight
        for plane, rest in zip(change, color - ab[:, *place], strict=True):
            cv2.scaleAdd(weight, float(rest), plane[near], plane[near])
    return ab + np.exp(most) * change / np.maximum(total, _TINY)


def _around(place: tuple[int, int], radius: float) -> tuple[slice, slice]:
    row, column = (slice(max(0, int(at - radius)), int(at + radius) + 2) for at in place)
    return row, column


def _distances(
    shape: tuple[int, ...], spread: float, hint: Hint, place: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """What distance alone makes of a hint.

    Args:
        shape: height and width of the picture.
        spread: distance, in parts of the short side, that counts as 1.
        hint: its radius counts.
        place: its row and column.

    Returns:
        Two of float32 ``[height, width]``, not to be written to: the logarithm of how far the hint reaches, minus half
        the square of the distance from its disc; and half the square of that from its centre, where it is next to 0.
    """
    height, width = shape
    unit, radius = spread * min(shape), hint.radius / spread
    if hint.radius != Hint.radius:
        return _falloff(np.arange(height) - place[0], np.arange(width) - place[1], unit, radius)
    top, left = height - 1 - place[0], width - 1 - place[1]
    window = slice(top, top + height), slice(left, left + width)
    influence, away = _usual_falloff(height, width, unit, radius)
    return influence[window], away[window]


@functools.lru_cache(maxsize=8)
def _usual_falloff(height: int, width: int, unit: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """For a hint in the middle of a picture twice as high and wide, of which any other's is a part.

    A picture may have hundreds of hints, nearly all of one radius.
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
