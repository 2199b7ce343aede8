"""The annealed mean, which decodes a distribution of colours to one colour; the vividness controls how boldly."""

from __future__ import annotations

import torch
from torch import Tensor

from ...colorizer.vividness import LOG_TEMPERATURE, LOG_TEMPERATURE_SLOPE, NETWORK_GAIN_SLOPE


def anneal(unbiased_logits: Tensor, log_class_weights: Tensor, vividness: Tensor | float, dim: int = 1) -> Tensor:
    """Return the annealed probabilities of the bins, whose mean is the predicted colour (Zhang et al. 2016).

    Args:
        unbiased_logits: Logits without class rebalancing, with the bins along ``dim``.
        log_class_weights: Logarithm of the class weight of each bin (``ColorBins.class_weights``); must broadcast with
            the logits.
        vividness: 0 (cautious) to 1 (bold).
        dim: Dimension of the bins.
    """
    sharpness = torch.exp(-LOG_TEMPERATURE - LOG_TEMPERATURE_SLOPE * torch.as_tensor(vividness))
    return ((unbiased_logits + vividness * log_class_weights) * sharpness).softmax(dim)


def network_gain(vividness: Tensor | float) -> Tensor | float:
    """Return the factor that raises the chroma of the annealed mean, since a mean is greyer than the colours in it."""
    return 1 + NETWORK_GAIN_SLOPE * vividness
