"""Simulates the hints of users who know some colours of a picture, or none (Zhang et al. 2017, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..networks.decoder import AB_SCALE

_STOP = 1 / 8  # probability that a hint is the last; their number is geometrically distributed
_PATCHES = (1, 1, 1, 2, 3)  # sides of a hint's patch, in cells


def simulate_hints(chroma: Tensor, seeds: Sequence[Sequence[int]], hintless: float) -> Tensor:
    """Simulate hints from the true a*b* of pictures, in the form that the decoder takes.

    Args:
        chroma: float32 ``[N, 2, h, w]``, at stride 8, on the CPU.
        seeds: One seed per picture, for the number and places of its hints.
        hintless: Probability that a picture has no hints.

    Returns:
        float32 ``[N, 3, h, w]``: a mask that is 1 in the patches of hints, then a* and b* divided by ``AB_SCALE``; each
        patch has the mean of its true colours, and all three are 0 elsewhere.
    """
    hints = np.zeros((len(chroma), 3, *chroma.shape[2:]), np.float32)
    for picture, planes, seed in zip(chroma.numpy(), hints, seeds, strict=True):
        rng = np.random.default_rng(seed)
        count = 0 if rng.random() < hintless else rng.geometric(_STOP)
        sides = rng.choice(_PATCHES, count)
        tops, lefts = (rng.integers(0, side - sides + 1) for side in chroma.shape[2:])
        for top, left, bottom, right in zip(tops, lefts, tops + sides, lefts + sides, strict=True):
            cells = (slice(top, bottom), slice(left, right))
            planes[0, *cells] = 1
            planes[1:, *cells] = picture[:, *cells].mean((1, 2), keepdims=True) / AB_SCALE
    return torch.from_numpy(hints)
