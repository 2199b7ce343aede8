"""``Coding`` describes how Y'CbCr planes are coded as integers: bits, range, matrix and neutral chroma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spaces import BT601, Matrix


@dataclass(frozen=True)
class Coding:
    """How Y'CbCr samples are coded as integers (code values). The default is JPEG's coding."""

    bits: int = 8
    """Bits per sample, 8 to 16; samples of more than 8 bits are stored as uint16."""
    full_range: bool = True
    """Whether all code values are used; if not (limited range), luma is 16 to 235 and chroma 16 to 240 at 8 bits."""
    matrix: Matrix = BT601
    """Weights of R', G' and B' in the luma."""

    @property
    def highest(self) -> int:
        """Highest code value of a sample."""
        return (1 << self.bits) - 1

    @property
    def black(self) -> int:
        """Luma of black, as a code value."""
        return 0 if self.full_range else 16 << (self.bits - 8)

    @property
    def luma_span(self) -> int:
        """Luma of white minus luma of black, in code values."""
        return self.highest if self.full_range else 219 << (self.bits - 8)

    @property
    def chroma_span(self) -> int:
        """Highest chroma (0.5) minus lowest chroma (-0.5), in code values."""
        return self.highest if self.full_range else 224 << (self.bits - 8)

    @property
    def neutral(self) -> int:
        """Chroma of grey, as a code value: 128 at 8 bits, 32768 at 16."""
        return 1 << (self.bits - 1)

    @classmethod
    def of_photograph(cls, dtype: npt.DTypeLike) -> Coding:
        """Return the coding of a photograph's planes of this dtype (uint8 or uint16): full range, BT.601."""
        return cls(8 * np.dtype(dtype).itemsize)
