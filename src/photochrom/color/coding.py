"""``Coding``: the code values of Y'CbCr planes: bits, range and neutral chroma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spaces import BT601, Matrix


@dataclass(frozen=True)
class Coding:
    """Meaning of the code values in Y'CbCr planes. The default is that of JPEG."""

    bits: int = 8
    """Bits per sample, 8 to 16; samples of more than 8 bits are stored as uint16."""
    full_range: bool = True
    """Whether the full range of code values is used; otherwise, at 8 bits, luma is 16 to 235 and chroma 16 to 240."""
    matrix: Matrix = BT601
    """Weights of R', G' and B' in the luma."""

    @property
    def highest(self) -> int:
        """Highest code value of a sample."""
        return (1 << self.bits) - 1

    @property
    def black(self) -> int:
        """Code value of black luma."""
        return 0 if self.full_range else 16 << (self.bits - 8)

    @property
    def luma_span(self) -> int:
        """Difference between the code values of white and black luma."""
        return self.highest if self.full_range else 219 << (self.bits - 8)

    @property
    def chroma_span(self) -> int:
        """Difference between the code values of the highest and lowest chroma (0.5 and -0.5)."""
        return self.highest if self.full_range else 224 << (self.bits - 8)

    @property
    def neutral(self) -> int:
        """Code value of neutral chroma: 128 at 8 bits."""
        return 1 << (self.bits - 1)

    @classmethod
    def of_photograph(cls, dtype: npt.DTypeLike) -> Coding:
        """Return the coding of photographs: full range, BT.601, for uint8 or uint16."""
        return cls(8 * np.dtype(dtype).itemsize)


def centre(dtype: npt.DTypeLike) -> int:
    """Return the code value of neutral chroma at full range: 128 for uint8, 32768 for uint16."""
    return 1 << (8 * np.dtype(dtype).itemsize - 1)
