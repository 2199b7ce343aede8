"""Simulated hints: a user who knows a few colours of the picture, or none (Zhang et al. 2017, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .decoder import AB_SCALE

_STOP = 1 / 8  # chance that a hint is the last: their number is geometric
_PATCHES = (1, 1, 1, 2, 3)  # sides of a hint, cells


def simulate_hints(chroma: Tensor, seeds: Sequence[Sequence[int]], hintless: float) -> Tensor:
    """Hints as the decoder takes them, for pictures whose true a*b* are known.

    Args:
        chroma: float32 ``[N, 2, h, w]``, at stride 8.
        seeds: one of each picture: decides how many hints it has, and where.
        hintless: share of the pictures that get none.

    Returns:
        float32 ``[N, 3, h, w]``: mask, then a* and b* over ``AB_SCALE``; a patch has the mean of its colours.
    """
    hints = chroma.new_zeros(len(chroma), 3, *chroma.shape[2:])
    height, width = chroma.shape[2:]
    for picture, planes, seed in zip(chroma, hints, seeds, strict=True):
        rng = np.random.default_rng(seed)
        if rng.random() < hintless:
            continue
        for _ in range(rng.geometric(_STOP)):
            side = int(rng.choice(_PATCHES))
            top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
            cells = (slice(top, top + side), slice(left, left + side))
            planes[0, *cells] = 1
            planes[1:, *cells] = picture[:, *cells].mean((1, 2), keepdim=True) / AB_SCALE
    return hints
