"""``Sampling``: which pixels share a chroma sample; computes the luma at each sample, and its range over the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

CENTER: Final = (0.5, 0.5)
"""Chroma siting of JPEG: in the middle of the pixels that share a sample. See ``Sampling.siting``."""
LEFT: Final = (0.5, 0.0)
"""Chroma siting of films (MPEG-2, H.264, H.265): on the left column, half-way between the rows."""
_WIDENING: Final = 0.5  # fraction by which an estimated range is widened; found with benchmarks/clipping.py
_NEIGHBORS: Final = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Sampling:
    """Which pixels of a luma plane share a chroma sample, and where the sample lies among them."""

    subsampling: tuple[int, int] = (1, 1)
    """Rows and columns of luma that share one chroma sample, 1 or 2 each."""
    siting: tuple[float, float] = CENTER
    """Row (0 to 1) and column (0 or 0.5) of a chroma sample, in pixels from the first pixel that shares it. Ignored
    along an axis that is not subsampled."""
    reduced: bool = False
    """Whether the luma is a copy at half the picture's height and width. ``subsampling`` must then be (1, 1), and the
    range of luma at which a sample must be in gamut is estimated from the samples around it."""

    def shape(self, luma: np.ndarray) -> tuple[int, int]:
        """Return height and width of the chroma of a luma plane ``[H, W]``."""
        (height, width), (rows, columns) = luma.shape, self.subsampling
        return -(-height // rows), -(-width // columns)

    @property
    def place(self) -> tuple[float, float]:
        """Row and column of a chroma sample among the pixels that share it, 0 to 1."""
        row, column = (
            (place + 0.5) / step if step > 1 else 0.5 for place, step in zip(self.siting, self.subsampling, strict=True)
        )
        return row, column

    def luma_range(self, luma: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute, for some rows of chroma, the luma at each sample, and the range of luma over its pixels.

        Args:
            luma: The whole plane, ``[H, W]``.
            start: First row of chroma.
            stop: Row of chroma after the last one.

        Returns:
            Luma at each sample, then lowest and highest luma of its pixels: one value per sample, of the luma's dtype.
        """
        if self.reduced:
            return estimated_luma_range(luma, start, stop)
        rows, columns = self.subsampling
        luma = luma[start * rows : stop * rows]
        if self.subsampling == (1, 1):
            return luma, luma, luma
        odd = [(0, side % step) for side, step in zip(luma.shape, self.subsampling, strict=True)]
        even = np.pad(luma, odd, mode="edge") if any(more for _, more in odd) else luma
        least = greatest = even
        if rows == 2:
            above, below = even[0::2], even[1::2]
            least, greatest = cv2.min(above, below), cv2.max(above, below)
        if columns == 2:
            least = np.minimum(*_halves(least)).astype(luma.dtype)
            greatest = np.maximum(*_halves(greatest)).astype(luma.dtype)
        return _luma_at_samples(even, self.subsampling, self.siting), least, greatest


FULL: Final = Sampling()
"""One sample for each pixel."""


def _luma_at_samples(luma: np.ndarray, subsampling: tuple[int, int], siting: tuple[float, float]) -> np.ndarray:
    """Interpolate luma at the position of each chroma sample; ``luma`` must have even sides along subsampled axes."""
    (rows, columns), (row, column) = subsampling, siting
    size = luma.shape[1] // columns, luma.shape[0] // rows
    if (row == 0.5 or rows == 1) and (column == 0.5 or columns == 1):
        return cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    if rows == 2 and row != 0.5:
        luma = cv2.addWeighted(luma[0::2], 1 - row, luma[1::2], row, 0)
    if columns == 1 or column == 0.5:
        return cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    # At the left of two pixels, the filter 1 2 1 is the mean of the two pairs that contain that pixel.
    right = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    left = right.copy()
    if size[0] > 1:
        left[:, 1:] = cv2.resize(luma[:, 1:-1], (size[0] - 1, size[1]), interpolation=cv2.INTER_AREA)
    return cv2.addWeighted(left, 0.5, right, 0.5, 0)


def estimated_luma_range(luma: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the result of ``Sampling.luma_range``, given a copy of the luma at half the picture's height and width.

    Each pixel of the copy is a sample. Its range covers the sample and its eight neighbours, because decoders
    interpolate chroma between them. Each end is then moved away from the sample's own luma by half of their distance,
    because the copy averages out grain.

    Args:
        luma: The copy, ``[h, w]``.
        start: First row.
        stop: Row after the last one.
    """
    first, last = max(0, start - 1), min(stop + 1, luma.shape[0])
    around, inner = luma[first:last], slice(start - first, stop - first)
    own = luma[start:stop]
    least, greatest = cv2.erode(around, _NEIGHBORS)[inner], cv2.dilate(around, _NEIGHBORS)[inner]
    weighted: Any = cv2.addWeighted
    return (
        own,
        weighted(least, 1 + _WIDENING, own, -_WIDENING, 0),
        weighted(greatest, 1 + _WIDENING, own, -_WIDENING, 0),
    )


def _halves(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split a plane into its even and odd columns, several times as fast as slices with a step.

    Which of the two comes first depends on the byte order of the machine.
    """
    bits = 8 * plane.dtype.itemsize
    pairs = np.ascontiguousarray(plane).view(np.dtype(f"u{2 * plane.dtype.itemsize}"))
    return pairs & ((1 << bits) - 1), pairs >> bits
