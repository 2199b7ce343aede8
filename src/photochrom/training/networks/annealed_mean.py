"""The annealed mean, which decodes a distribution of colours to one colour; the vividness controls how boldly."""

from __future__ import annotations

import torch
from torch import Tensor

from ...colorizer.vividness import LOG_TEMPERATURE, LOG_TEMPERATURE_SLOPE, NETWORK_GAIN_SLOPE


def anneal(unbiased_logits: Tensor, log_class_weights: Tensor, vividness: Tensor | float) -> Tensor:
    """Return the probabilities of the bins after a softmax temperature (Zhang et al. 2016), in the logits' shape.

    The higher the vividness, the lower the temperature, and the more of the class weights' bias towards rare colours is
    added to the logits. The predicted colour is the mean of the bins' colours, weighted by these probabilities.

    Args:
        unbiased_logits: Logits without class rebalancing, ``[N, bins, ...]``.
        log_class_weights: Logarithm of the class weight of each bin (``ColorBins.class_weights``); must broadcast with
            the logits.
        vividness: The network's vividness, 0 (cautious) to 1 (bold); a tensor must broadcast with the logits.
    """
    sharpness = torch.exp(-LOG_TEMPERATURE - LOG_TEMPERATURE_SLOPE * torch.as_tensor(vividness))
    return ((unbiased_logits + vividness * log_class_weights) * sharpness).softmax(1)


def network_gain(vividness: Tensor | float) -> Tensor | float:
    """Return the factor that raises the chroma of the annealed mean, since a mean is greyer than the colours in it.

    Args:
        vividness: The network's vividness, 0 to 1.
    """
    return 1 + NETWORK_GAIN_SLOPE * vividness
