"""From a distribution of colours to one colour: what the vividness dial sets."""

from __future__ import annotations

import torch
from torch import Tensor

# What vividness sets, on straight lines from 0 to 1, found by search on held-out photographs (LOG.md): the logarithm
# of the temperature (0.38, as Zhang et al. 2016 have it, near one half) and how much the mean's chroma is raised.
COLD, COLDER = -0.5, -0.93
RAISE = 0.5


def anneal(untilted: Tensor, tilt: Tensor, vividness: Tensor | float, dim: int = 1) -> Tensor:
    """Logits of colours as frequent as they are -> the probabilities whose mean is taken.

    Args:
        untilted: logits, the bins along ``dim``.
        tilt: logarithm of the rarity of each bin (``ColorBins.rarity``), of a shape that fits.
        vividness: 0 (cautious) to 1 (bold).
        dim: where the bins are.
    """
    sharpness = torch.exp(-COLD - COLDER * torch.as_tensor(vividness))
    return ((untilted + vividness * tilt) * sharpness).softmax(dim)


def raised(vividness: Tensor | float) -> Tensor | float:
    """By what the mean of those probabilities is multiplied: it lies nearer to grey than what it is the mean of."""
    return 1 + RAISE * vividness
