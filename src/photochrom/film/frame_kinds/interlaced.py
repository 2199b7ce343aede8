"""``render_fields``: computes the chroma of a frame, separately for each field if the frame is interlaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...color.luma_range import LEFT, Sampling

_FIELDS = ((slice(0, None, 2), (0.25, 0.0)), (slice(1, None, 2), (0.75, 0.0)))
"""Rows of each field, and the siting of its chroma if two rows share a sample (ISO/IEC 13818-2, 6.1.1.8)."""


def render_fields(
    render: Callable[..., Any],
    luma: np.ndarray,
    out: tuple[np.ndarray, np.ndarray],
    *,
    interlaced: bool,
    subsampling: tuple[int, int],
) -> None:
    """Compute the chroma of a frame, separately for each field if the frame is interlaced.

    Args:
        render: Computes chroma; called with luma and the keyword arguments ``sampling`` and ``out`` of
            ``apply_to_luma``.
        luma: uint8 or uint16 ``[H, W]``.
        out: Cb and Cr to write into, of the dtype of ``luma``; H and W are divided by ``subsampling`` and rounded up.
        interlaced: Whether the frame consists of two fields, each of which gets its own chroma.
        subsampling: Rows and columns of luma that share one chroma sample.
    """
    cb, cr = out
    for part, siting in _FIELDS if interlaced else ((slice(None), LEFT),):
        rows = cb[part].shape[0] * subsampling[0]  # a field of odd height has no chroma for its last row of luma
        render(luma[part][:rows], sampling=Sampling(subsampling, siting), out=(cb[part], cr[part]))
