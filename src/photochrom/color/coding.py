"""How the integers of Y'CbCr planes stand for colours: bits, range, neutral chroma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spaces import BT601, Matrix


@dataclass(frozen=True)
class Coding:
    """How the integers of Y'CbCr planes stand for colours."""

    bits: int = 8
    full_range: bool = True
    """Luma from 0 to the highest integer; else from 16 to 235 and chroma from 16 to 240, at 8 bits."""
    matrix: Matrix = BT601

    @property
    def highest(self) -> int:
        """The highest integer that a plane can hold."""
        return (1 << self.bits) - 1

    @property
    def black(self) -> int:
        """Luma of black."""
        return 0 if self.full_range else 16 << (self.bits - 8)

    @property
    def luma_span(self) -> int:
        """White's luma less black's."""
        return self.highest if self.full_range else 219 << (self.bits - 8)

    @property
    def chroma_span(self) -> int:
        """What a chroma of 1 (from -0.5 to 0.5) is in integers."""
        return self.highest if self.full_range else 224 << (self.bits - 8)

    @property
    def neutral(self) -> int:
        """Cb and Cr of no colour: 128 at 8 bits."""
        return 1 << (self.bits - 1)

    @classmethod
    def of_photograph(cls, dtype: npt.DTypeLike) -> Coding:
        """JPEG's, at 8 or 16 bits."""
        return cls(8 * np.dtype(dtype).itemsize)


def centre(dtype: npt.DTypeLike) -> int:
    """The value of Cb and Cr that means no colour: 128 for uint8, 32768 for uint16."""
    return 1 << (8 * np.dtype(dtype).itemsize - 1)
