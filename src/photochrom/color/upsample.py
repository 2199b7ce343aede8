"""Small chroma carried to full size along the edges of the luma.

Two steps of guided upsampling, after the fast guided filter (He and Sun 2015): from the network's grid to the
thumbnail it looked at, and from there to the full picture. Both take chroma to be a linear function of luma in each
small neighbourhood, and add to an ordinary interpolation what the luma's finer detail then says of the chroma's. The
filter's own form, which smooths, lost to plain interpolation; ``benchmarks/upsampling.py`` has the figures.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .bands import strips
from .coding import Coding
from .gamut import in_gamut

_EDGE_L = 8.0  # contrast in L* at which chroma follows an edge; what lies below is texture and grain
_EDGE_Y = 0.03  # the same in luma, 0..1, at the thumbnail's scale


def to_thumbnail(planes: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """The network's small chroma at the thumbnail's size, following the thumbnail's edges.

    Bicubic, plus what the guide has beyond its own bicubic copy times the local gain of chroma over guide.

    Args:
        planes: float32 ``[2, h, w]``, a*b*.
        guide: float32 ``[H, W]``, L* (0..100).

    Returns:
        float32 ``[2, H, W]``.
    """
    small = cv2.resize(guide, planes.shape[:0:-1], interpolation=cv2.INTER_AREA)
    detail = guide - _resize(small, guide, cv2.INTER_CUBIC)
    return np.stack(
        [
            _resize(plane, guide, cv2.INTER_CUBIC) + _resize(gain, guide, cv2.INTER_LINEAR) * detail
            for plane, gain in zip(planes, _gains(planes, small, _EDGE_L), strict=True)
        ]
    )


def linear_coefficients(luma: np.ndarray, cbcr: np.ndarray) -> np.ndarray:
    """Gain and offset of Cb, then of Cr, at each pixel of the thumbnail: ``gain * luma + offset`` is its chroma.

    Args:
        luma: float32 ``[h, w]``, 0..1.
        cbcr: float32 ``[2, h, w]``.

    Returns:
        float32 ``[4, h, w]``: gain of Cb, offset of Cb, gain of Cr, offset of Cr.
    """
    gains = _gains(cbcr, luma, _EDGE_Y)
    return np.stack([c for gain, plane in zip(gains, cbcr, strict=True) for c in (gain, plane - gain * luma)])


def _gains(planes: np.ndarray, guide: np.ndarray, edge: float) -> list[np.ndarray]:
    """Slope of each plane over the guide in each 3 by 3 neighbourhood; contrasts under ``edge`` count little."""
    mean = _mean(guide)
    variance = _mean(guide * guide) - mean * mean + edge * edge
    return [(_mean(guide * plane) - mean * _mean(plane)) / variance for plane in planes]


def _mean(plane: np.ndarray) -> np.ndarray:
    return cv2.boxFilter(plane, -1, (3, 3), borderType=cv2.BORDER_REFLECT)


def _resize(plane: np.ndarray, like: np.ndarray, interpolation: int) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(plane), like.shape[::-1], interpolation=interpolation)


def apply_to_luma(
    coefficients: np.ndarray,
    luma: np.ndarray,
    *,
    strength: float,
    subsampling: tuple[int, int],
    coding: Coding | None = None,
    out: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Full-size chroma from a thumbnail's coefficients and the full-size luma, brought into gamut.

    Args:
        coefficients: float32 ``[4, h, w]``, see ``linear_coefficients``.
        luma: uint8 or uint16 ``[H, W]``.
        strength: factor of the chroma.
        subsampling: how many rows, and how many columns, of luma share one chroma sample: 1 or 2 each.
        coding: of the luma and the chroma; None for a photograph's.
        out: planes to write into, which may have any strides.

    Returns:
        Cb and Cr, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype. In gamut at every luma that shares
        the chroma.
    """
    coding = coding or Coding.of_photograph(luma.dtype)
    rows, columns = subsampling
    height, width = -(-luma.shape[0] // rows), -(-luma.shape[1] // columns)
    wide = [
        cv2.resize(c, (width, c.shape[0]), interpolation=cv2.INTER_LINEAR)
        for c in _between_integers(np.float32(strength) * coefficients, coding)
    ]
    lines = coefficients.shape[1]
    position = np.clip((np.arange(height) + 0.5) * (lines / height) - 0.5, 0, lines - 1)  # of each row among the lines
    planes = out or (np.empty((height, width), luma.dtype), np.empty((height, width), luma.dtype))
    for start, stop in strips(height, width):
        mean, darkest, brightest = _luma_range(luma[start * rows : stop * rows], subsampling)
        first, last = int(position[start]), min(int(position[stop - 1]) + 2, lines)
        part = _weights(position[start:stop] - first, last - first)
        y = mean.astype(np.float32)
        cb, cr = (part @ gain[first:last] for gain in wide[:2])
        for chroma, offset in zip((cb, cr), wide[2:], strict=True):
            chroma *= y
            chroma += part @ offset[first:last]
        for plane, values in zip(planes, _quantised(cb, cr, darkest, brightest, coding), strict=True):
            plane[start:stop] = values
    return planes


def _between_integers(coefficients: np.ndarray, coding: Coding) -> np.ndarray:
    """The coefficients from integers of luma to those of chroma, less the neutral: gains of Cb and Cr, then offsets."""
    gains = coefficients[0::2] * np.float32(coding.chroma_span / coding.luma_span)
    offsets = coefficients[1::2] * np.float32(coding.chroma_span) - gains * np.float32(coding.black)
    return np.concatenate([gains, offsets])


def _quantised(
    cb: np.ndarray, cr: np.ndarray, darkest: np.ndarray, brightest: np.ndarray, coding: Coding
) -> list[np.ndarray]:
    """Chroma as integers, in gamut at every luma from ``darkest`` to ``brightest``.

    Few colours of a picture are out of gamut. So all are rounded first, and a cheap test finds those that may be: by
    every matrix, no channel is farther from the luma than twice the chroma.

    Args:
        cb, cr: float32 ``[h, w]``, in steps of those integers, around 0.
        darkest, brightest: integers ``[h, w]``.
        coding: of the integers.
    """
    add: Any = cv2.add  # its stubs know no sum with a number
    depth = cv2.CV_8U if coding.bits == 8 else cv2.CV_16U
    rounded = [add(plane, coding.neutral, dtype=depth) for plane in (cb, cr)]
    reach = _room(darkest, brightest, coding) >> 1
    far = (np.maximum(*rounded) > coding.neutral + reach) | (np.minimum(*rounded) < coding.neutral - reach)
    places = np.flatnonzero(far)
    if places.size:
        where = places if places.size < far.size // 4 else slice(None)
        exact = [plane.ravel()[where] for plane in (cb, cr)]
        low, high = (_in_steps_of_chroma(plane.ravel()[where], coding) for plane in (darkest, brightest))
        factor = in_gamut(exact[0], exact[1], low, high, coding.matrix, white=coding.chroma_span)
        for plane, values in zip(rounded, exact, strict=True):
            plane.ravel()[where] = np.clip(values * factor + (coding.neutral + 0.5), 0, coding.highest)
    return rounded


def _room(darkest: np.ndarray, brightest: np.ndarray, coding: Coding) -> np.ndarray:
    """How far the luma is from black or from white, whichever is nearer: integers."""
    black, white = coding.black, coding.black + coding.luma_span
    return np.minimum(np.clip(darkest, black, white) - black, white - np.clip(brightest, black, white))


def _luma_range(luma: np.ndarray, subsampling: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and greatest luma, of its own dtype, of the pixels that share one chroma sample."""
    if subsampling == (1, 1):
        return luma, luma, luma
    odd = [(0, side % step) for side, step in zip(luma.shape, subsampling, strict=True)]
    even = np.pad(luma, odd, mode="edge") if any(more for _, more in odd) else luma
    least = greatest = even
    rows, columns = subsampling
    if rows == 2:
        above, below = even[0::2], even[1::2]
        least, greatest = cv2.min(above, below), cv2.max(above, below)
    if columns == 2:
        least = np.minimum(*_halves(least)).astype(luma.dtype)
        greatest = np.maximum(*_halves(greatest)).astype(luma.dtype)
    mean = cv2.resize(even, (even.shape[1] // columns, even.shape[0] // rows), interpolation=cv2.INTER_AREA)
    return mean, least, greatest


def _halves(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The even and the odd columns, in either order: several times as fast as slices with a step."""
    bits = 8 * plane.dtype.itemsize
    pairs = np.ascontiguousarray(plane).view(np.dtype(f"u{2 * plane.dtype.itemsize}"))
    return pairs & ((1 << bits) - 1), pairs >> bits


def _in_steps_of_chroma(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Integers of a luma plane -> float32, 0 to ``chroma_span``; a film may go beyond, where no colour fits."""
    y = np.clip(luma, coding.black, coding.black + coding.luma_span).astype(np.float32)
    y -= np.float32(coding.black)
    y *= np.float32(coding.chroma_span / coding.luma_span)
    return y


def _weights(position: np.ndarray, lines: int) -> np.ndarray:
    """Of ``lines`` lines in each row that lies among them there, linearly: float32 ``[rows, lines]``."""
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(lines))).astype(np.float32)
