"""Upsamples chroma so that its edges follow those of the luma.

There are two steps: from the network's grid to the thumbnail, and from the thumbnail to the full picture. Like the fast
guided filter (He and Sun 2015), both assume that chroma is a linear function of luma in each small neighbourhood. They
interpolate the chroma and add the detail that this function predicts from the luma. The original filter also smooths,
and was worse than bicubic interpolation (``benchmarks/upsampling.py``).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .bands import in_parallel, product, shares
from .coding import Coding
from .gamut import gamut_factor
from .halos import color_of_flat_areas
from .luma_range import FULL, Sampling

_EDGE_L = 8.0  # contrast in L* above which chroma follows an edge; weaker contrast is texture and grain
_EDGE_Y = 0.03  # the same contrast in luma, 0..1, at the size of the thumbnail
_STRIP_SAMPLES = 1 << 17  # samples of chroma that are rounded and brought into gamut at once
_ROWS = 20  # rows of chroma computed at once, before rounding; sums over other rows would be rounded differently
_RESIZED_AT_ONCE = 6  # lines of coefficients resized to the picture's width at once, for several strips


def to_thumbnail(planes: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """Upsample the network's chroma to the size of the thumbnail, along edges and without halos in flat areas.

    Args:
        planes: a*b*, float32 ``[2, h, w]``.
        guide: L* of the thumbnail (0..100), float32 ``[H, W]``.

    Returns:
        a*b*, float32 ``[2, H, W]``.
    """
    ab, share = color_of_flat_areas(planes, guide)
    ab += (1 - share) * along_edges(planes, guide)
    return ab


def along_edges(planes: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """Upsample chroma along the edges of the thumbnail.

    The result is the bicubically interpolated chroma plus the detail of lightness times the local slope of chroma over
    lightness. Detail is the difference between lightness and its copy reduced to the grid and interpolated back.

    Args:
        planes: a*b*, float32 ``[2, h, w]``.
        guide: L* of the thumbnail (0..100), float32 ``[H, W]``.

    Returns:
        a*b*, float32 ``[2, H, W]``.
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
    """Fit chroma as a linear function of luma around each pixel of a thumbnail.

    Args:
        luma: float32 ``[h, w]``, 0..1.
        cbcr: float32 ``[2, h, w]``, -0.5..0.5.

    Returns:
        Gain and offset of Cb, then of Cr, float32 ``[4, h, w]``; ``gain * luma + offset`` gives back ``cbcr``.
    """
    gains = _gains(cbcr, luma, _EDGE_Y)
    return np.stack([c for gain, plane in zip(gains, cbcr, strict=True) for c in (gain, plane - gain * luma)])


def _gains(planes: np.ndarray, guide: np.ndarray, edge: float) -> list[np.ndarray]:
    """Compute each plane's slope over the guide in 3 by 3 neighbourhoods; low contrast of the guide damps the slope.

    Args:
        planes: float32 ``[n, h, w]``.
        guide: float32 ``[h, w]``.
        edge: Standard deviation of the guide at which the slope is halved.
    """
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
    sampling: Sampling = FULL,
    coding: Coding | None = None,
    out: tuple[np.ndarray, np.ndarray] | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute chroma from the thumbnail's coefficients and the picture's luma, and bring it into gamut.

    Args:
        coefficients: Result of ``linear_coefficients``, float32 ``[4, h, w]``.
        luma: uint8 or uint16 ``[H, W]``.
        strength: Factor applied to the chroma.
        sampling: Which pixels of luma share a chroma sample, and where it lies among them.
        coding: How luma and chroma are coded; None for a photograph's coding.
        out: Planes to write into, with any strides; None for new ones.
        threads: Number of threads that share the rows.

    Returns:
        Cb and Cr as code values, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype. Each sample is in gamut
        at the luma of every pixel that shares it, or at the estimated range if the luma is reduced.
    """
    coding = coding or Coding.of_photograph(luma.dtype)
    height, width = sampling.shape(luma)
    # New planes are one array, for which the system may use huge pages.
    planes = out or tuple(np.empty((2, height, width), luma.dtype))
    row, column = sampling.place
    scaled = _in_code_values(np.float32(strength) * coefficients, coding)
    scaled = _sampled_further_left(scaled, (0.5 - column) * scaled.shape[2] / width)
    lines = np.ascontiguousarray(scaled.transpose(1, 0, 2))  # [h, 4, w]
    # Position of each row of chroma among the lines of the coefficients.
    position = np.clip((np.arange(height) + row) * (len(lines) / height) - 0.5, 0, len(lines) - 1)
    step = _ROWS * max(1, _STRIP_SAMPLES // (_ROWS * width))

    def color(rows: slice) -> None:
        buffers: list[np.ndarray] = []
        wide_lines = _WideLines(lines, width)
        for start in range(rows.start, rows.stop, step):
            stop = min(start + step, rows.stop)
            # Each row of chroma is a weighted sum of the two nearest lines.
            first, last = int(position[start]), min(int(position[stop - 1]) + 2, len(lines))
            mean, darkest, brightest = sampling.luma_range(luma, start, stop)
            cb, cr = _chroma(position[start:stop] - first, wide_lines.between(first, last), mean, buffers)
            for plane, values in zip(planes, _quantized(cb, cr, darkest, brightest, coding), strict=True):
                plane[start:stop] = values

    list(in_parallel(color, shares(height, threads, _ROWS)))
    return planes[0], planes[1]


class _WideLines:
    """Lines of coefficients at the picture's width; a few at a time are resized, since each strip needs few of them.

    Args:
        lines: The lines, float32 ``[h, 4, w]``.
        width: Width of the chroma.
    """

    def __init__(self, lines: np.ndarray, width: int) -> None:
        self._lines, self._width = lines, width
        self._resized = range(0)  # indices of the lines in ``_wide``
        self._wide: np.ndarray = np.empty(0, np.float32)

    def between(self, first: int, last: int) -> np.ndarray:
        """Return lines as float32 ``[4, last - first, width]``; ``first`` and ``last`` must not decrease."""
        if last > self._resized.stop:
            self._resized = range(first, max(last, min(first + _RESIZED_AT_ONCE, len(self._lines))))
            stacked = self._lines[first : self._resized.stop].reshape(-1, self._lines.shape[2])
            self._wide = cv2.resize(stacked, (self._width, len(stacked))).reshape(-1, 4, self._width)  # linear
        start = self._resized.start
        return self._wide[first - start : last - start].transpose(1, 0, 2)


def _chroma(position: np.ndarray, coefficients: np.ndarray, luma: np.ndarray, buffers: list[np.ndarray]) -> np.ndarray:
    """Compute the chroma of a strip, before rounding and gamut mapping.

    Args:
        position: Position of each row among the lines of the coefficients, float64 ``[rows]``, increasing.
        coefficients: Gains of Cb and Cr, then their offsets, in code values: float32 ``[4, lines, w]``.
        luma: Code values ``[rows, w]``.
        buffers: Arrays reused from strip to strip, which stay in the processor's cache; empty for the first strip.

    Returns:
        Cb and Cr, float32 ``[2, rows, w]``, in code values, around 0. They belong to ``buffers``.
    """
    rows, width = luma.shape
    if not buffers or buffers[0].shape[1:] != luma.shape:
        buffers[:] = np.empty((2, rows, width), np.float32), np.empty((3, min(rows, _ROWS), width), np.float32)
    chroma, work = buffers
    weights = _weights(position, coefficients.shape[1])
    for top in range(0, rows, _ROWS):  # few rows need few lines of coefficients, so the products are small
        part = slice(top, min(top + _ROWS, rows))
        near = slice(int(position[top]), int(position[part.stop - 1]) + 2)
        y, *gains = work[:, : part.stop - top]
        np.copyto(y, luma[part])
        product(weights[part, near], coefficients[:2, near], out=work[1:, : part.stop - top])
        product(weights[part, near], coefficients[2:, near], out=chroma[:, part])
        for plane, gain in zip(chroma, gains, strict=True):
            cv2.accumulateProduct(gain, y, plane[part])
    return chroma


def _sampled_further_left(planes: np.ndarray, share: float) -> np.ndarray:
    """Interpolate planes ``[n, h, w]`` linearly at positions that lie ``share`` of a sample (at most 1) to the left."""
    if share == 0:
        return planes
    before = np.concatenate([planes[..., :1], planes[..., :-1]], axis=2)
    sampled: np.ndarray = planes + np.float32(min(share, 1)) * (before - planes)
    return sampled


def _in_code_values(coefficients: np.ndarray, coding: Coding) -> np.ndarray:
    """Convert the result of ``linear_coefficients`` to the code values of ``coding``, with chroma around 0.

    Returns:
        Gains of Cb and Cr, then their offsets, float32 ``[4, h, w]``.
    """
    gains = coefficients[0::2] * np.float32(coding.chroma_span / coding.luma_span)
    offsets = coefficients[1::2] * np.float32(coding.chroma_span) - gains * np.float32(coding.black)
    return np.concatenate([gains, offsets])


def _quantized(
    cb: np.ndarray, cr: np.ndarray, darkest: np.ndarray, brightest: np.ndarray, coding: Coding
) -> list[np.ndarray]:
    """Round chroma to code values that are in gamut at every luma from ``darkest`` to ``brightest``.

    Args:
        cb: float32 ``[h, w]``, in code values, around 0.
        cr: Like ``cb``.
        darkest: Lowest luma of the pixels that share the sample, in code values, ``[h, w]``.
        brightest: Highest luma of those pixels.
        coding: How luma and chroma are coded.

    Returns:
        Cb and Cr, uint8 or uint16 ``[h, w]``.
    """
    # Few samples are out of gamut. Therefore all are rounded first, and a cheap test then finds candidates: with every
    # matrix, no channel differs from the luma by more than twice the chroma.
    rounded = [_rounded(plane, coding) for plane in (cb, cr)]
    far = np.greater(_distance(rounded[0], rounded[1], coding), _room(darkest, brightest, coding) >> 1)
    places = np.flatnonzero(far)
    exact = [plane.take(places) for plane in (cb, cr)]
    low, high = (_on_chroma_scale(plane.take(places), coding) for plane in (darkest, brightest))
    factor = gamut_factor(exact[0], exact[1], low, high, coding.matrix, white=coding.chroma_span)
    for plane, values in zip(rounded, exact, strict=True):
        values *= factor
        values += coding.neutral + 0.5
        plane.ravel()[places] = np.clip(values, 0, coding.highest, out=values).astype(plane.dtype)
    return rounded


def _rounded(plane: np.ndarray, coding: Coding) -> np.ndarray:
    """Round chroma, float32 ``[h, w]`` around 0, to code values."""
    if coding.bits > 8:
        add: Any = cv2.add  # the type stubs lack sums with a number
        wide: np.ndarray = add(plane, coding.neutral, dtype=cv2.CV_16U)
        return wide
    if plane.min() < -coding.neutral:  # the result would be below 0, and OpenCV would take its absolute value
        plane = np.clip(plane, -coding.neutral, coding.neutral)
    return cv2.convertScaleAbs(plane, alpha=1, beta=coding.neutral).reshape(plane.shape)


def _distance(cb: np.ndarray, cr: np.ndarray, coding: Coding) -> np.ndarray:
    """Return the larger of the distances of Cb and Cr from neutral, in code values; it may be too large by one."""
    mirrored = np.bitwise_xor(np.minimum(cb, cr), 2 * coding.neutral - 1)
    farther = np.maximum(np.maximum(cb, cr), mirrored, out=mirrored)
    return np.subtract(farther, coding.neutral - 1, out=farther)


def _room(darkest: np.ndarray, brightest: np.ndarray, coding: Coding) -> np.ndarray:
    """Return the distance of ``darkest`` from black or of ``brightest`` from white, whichever is less, in code values.

    At limited range, luma beyond black or white counts as black or white.
    """
    black, white = coding.black, coding.black + coding.luma_span
    above, below = np.clip(darkest, black, white) - black, white - np.clip(brightest, black, white)
    return np.minimum(above, below, out=above)


def _on_chroma_scale(luma: np.ndarray, coding: Coding) -> np.ndarray:
    """Rescale luma so that black is 0 and white is ``coding.chroma_span``, float32; values beyond them are clipped."""
    y = luma.astype(np.float32)
    if coding.full_range:
        return y
    y = np.clip(y, coding.black, coding.black + coding.luma_span, out=y) - np.float32(coding.black)
    return y * np.float32(coding.chroma_span / coding.luma_span)


def _weights(position: np.ndarray, lines: int) -> np.ndarray:
    """Return the weights that interpolate linearly between lines at the given positions, float32 ``[rows, lines]``."""
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(lines))).astype(np.float32)
