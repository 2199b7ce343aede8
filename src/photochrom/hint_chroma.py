"""What hints do to chroma: the planes that a network takes, and exact colours at the hints themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .chroma import rgb_to_lab
from .hints import Hint

_REACH = 0.12  # of the short side: how far a hint's rest is spread
_EDGE = 10.0  # and over what contrast in L*
_FAR = 0.35  # of the short side: how far a hint may change what the network says
_UNLIKE = 25.0  # and over what contrast in L*
_TINY = np.float32(1e-9)


def planes(hints: Sequence[Hint], height: int, width: int) -> np.ndarray:
    """Hints as a network takes them: float32 ``[3, height, width]``, 1 where a colour is known, and its a* and b*.

    Where hints overlap the later one counts.
    """
    known = np.zeros((3, height, width), np.float32)
    for hint in hints:
        inside = _disc(hint, height, width)
        known[0][inside] = 1
        known[1:, inside] = _ab(hint)[:, None]
    return known


def _disc(hint: Hint, height: int, width: int) -> np.ndarray:
    """bool ``[height, width]``: the pixels within a hint's radius, one at least."""
    row, column = _pixel(hint, height, width)
    radius = max(0.5, hint.radius * min(height, width))
    y, x = np.ogrid[:height, :width]
    inside: np.ndarray = (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return inside


def _pixel(hint: Hint, height: int, width: int) -> tuple[int, int]:
    return min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)


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
    places = [(_pixel(hint, *lightness.shape), hint) for hint in hints]
    return np.maximum.reduce([_influence(lightness, place, hint, _FAR, _UNLIKE)[0] for place, hint in places])


def settle(ab: np.ndarray, lightness: np.ndarray, hints: Sequence[Hint]) -> np.ndarray:
    """Chroma that has exactly the hinted colours where they were given.

    A network follows hints by and large. What is left of the difference at each hint is taken away there, and around
    it as far as the picture stays alike. Where several hints reach, the change is a mean of theirs, in which each
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
    change, total, widest = np.zeros_like(ab), np.zeros_like(lightness), np.zeros_like(lightness)
    for place, hint in {_pixel(hint, *lightness.shape): hint for hint in hints}.items():
        influence, nearness = _influence(lightness, place, hint, _REACH, _EDGE)
        weight = np.multiply(nearness, influence, out=nearness)
        rest = _ab(hint) - ab[:, place[0], place[1]]
        for plane, part in zip(change, rest, strict=True):
            plane += part * weight
        total += weight
        np.maximum(widest, influence, out=widest)
    return ab + widest * change / np.maximum(total, _TINY)


def _influence(
    lightness: np.ndarray, place: tuple[int, int], hint: Hint, spread: float, edge: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far a hint reaches, and how near each pixel is to it, in place and in tone.

    Worked out in place, and with no square root but one: a picture may have hundreds of hints.

    Args:
        lightness: L*.
        place: row and column of the hint.
        hint: its radius counts.
        spread: distance, in parts of the short side, that counts as 1.
        edge: contrast in L* that counts as 1.

    Returns:
        float32 ``[H, W]``, 1 where the hint's disc has the tone of its centre, falling with distance from the disc
        and with contrast; float32 ``[H, W]``, above all others at the centre.
    """
    unit = np.float32(spread * min(lightness.shape))
    axes = zip(lightness.shape, place, strict=True)
    down, right = ((np.arange(side, dtype=np.float32) - at) / unit for side, at in axes)
    away = (down * down)[:, None] + right * right
    contrast = (lightness - lightness[place]) / np.float32(edge)
    contrast *= contrast
    influence = np.sqrt(away)
    influence -= np.float32(hint.radius / spread)
    np.maximum(influence, 0, out=influence)
    influence *= influence
    influence += contrast
    influence *= np.float32(-0.5)
    away += contrast
    away += _TINY
    return np.exp(influence, out=influence), np.reciprocal(away, out=away)


def _ab(hint: Hint) -> np.ndarray:
    return rgb_to_lab(np.array(hint.color, np.float32) / 255)[1:]
