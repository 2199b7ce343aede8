"""Small chroma carried to full size along the edges of the luma.

Two steps of guided upsampling, after the fast guided filter (He and Sun 2015): from the network's grid to the
thumbnail it looked at, and from there to the full picture. Both take chroma to be a linear function of luma in each
small neighbourhood, and add to an ordinary interpolation what the luma's finer detail then says of the chroma's. The
filter's own form, which smooths, lost to plain interpolation; ``benchmarks/upsampling.py`` has the figures.
"""

from __future__ import annotations

import cv2
import numpy as np

from .chroma import Coding, in_gamut, strips

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
            _resize(plane, guide, cv2.INTER_CUBIC)
            + _resize(_gain(plane, small, _EDGE_L), guide, cv2.INTER_LINEAR) * detail
            for plane in planes
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
    gains = [_gain(plane, luma, _EDGE_Y) for plane in cbcr]
    return np.stack([c for gain, plane in zip(gains, cbcr, strict=True) for c in (gain, plane - gain * luma)])


def _gain(plane: np.ndarray, guide: np.ndarray, edge: float) -> np.ndarray:
    """Slope of a plane over its guide in each 3 by 3 neighbourhood; contrasts under ``edge`` count little."""
    mean, plane_mean = _mean(guide), _mean(plane)
    variance = _mean(guide * guide) - mean * mean
    return (_mean(guide * plane) - mean * plane_mean) / (variance + edge * edge)


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
        cv2.resize(np.float32(strength) * c, (width, c.shape[0]), interpolation=cv2.INTER_LINEAR) for c in coefficients
    ]
    cb_plane, cr_plane = out or (np.empty((height, width), luma.dtype), np.empty((height, width), luma.dtype))
    for start, stop in strips(height, width):
        mean, darkest, brightest = _luma_range(luma[start * rows : stop * rows], subsampling, coding)
        lines, weights = _row_weights(start, stop, height, coefficients.shape[1])
        cb_gain, cb_offset, cr_gain, cr_offset = (weights @ plane[lines] for plane in wide)
        cb, cr = cb_gain * mean + cb_offset, cr_gain * mean + cr_offset
        factor = in_gamut(cb, cr, darkest, brightest, coding.matrix)
        for plane, chroma in ((cb_plane, cb), (cr_plane, cr)):
            _quantise(chroma * factor, plane[start:stop], coding)
    return cb_plane, cr_plane


def _quantise(chroma: np.ndarray, plane: np.ndarray, coding: Coding) -> None:
    chroma *= coding.chroma_span
    chroma += coding.neutral + 0.5
    np.copyto(plane, np.clip(chroma, 0, coding.highest, out=chroma), casting="unsafe")


def _luma_range(
    luma: np.ndarray, subsampling: tuple[int, int], coding: Coding
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, least and greatest luma (float32, 0..1) of the pixels that share one chroma sample."""
    if subsampling == (1, 1):
        y = _normalised(luma, coding)
        return y, y, y
    odd = [(0, side % step) for side, step in zip(luma.shape, subsampling, strict=True)]
    even = np.pad(luma, odd, mode="edge") if any(more for _, more in odd) else luma
    least = greatest = even
    rows, columns = subsampling
    if rows == 2:
        above, below = even[0::2], even[1::2]
        least, greatest = np.minimum(above, below), np.maximum(above, below)
    if columns == 2:
        least, greatest = np.minimum(*_halves(least)), np.maximum(*_halves(greatest))
    mean = cv2.resize(even, (even.shape[1] // columns, even.shape[0] // rows), interpolation=cv2.INTER_AREA)
    return _normalised(mean, coding), _normalised(least, coding), _normalised(greatest, coding)


def _halves(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The even and the odd columns, in either order: several times as fast as slices with a step."""
    bits = 8 * plane.dtype.itemsize
    pairs = np.ascontiguousarray(plane).view(np.dtype(f"u{2 * plane.dtype.itemsize}"))
    return pairs & ((1 << bits) - 1), pairs >> bits


def _normalised(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Integers of a luma plane -> float32, 0..1; a film may go beyond black and white, where no colour fits."""
    if not coding.full_range:
        luma = np.clip(luma, coding.black, coding.black + coding.luma_span)
    y = luma.astype(np.float32)
    if coding.black:
        y -= np.float32(coding.black)
    y *= np.float32(1 / coding.luma_span)
    return y


def _row_weights(start: int, stop: int, height: int, lines: int) -> tuple[slice, np.ndarray]:
    """Linear interpolation of ``lines`` thumbnail rows to rows ``start`` .. ``stop`` of ``height``, as a matrix."""
    position = np.clip((np.arange(start, stop) + 0.5) * (lines / height) - 0.5, 0, lines - 1)
    first, last = int(position[0]), min(int(position[-1]) + 1, lines - 1)
    weights = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(first, last + 1)))
    return slice(first, last + 1), weights.astype(np.float32)
