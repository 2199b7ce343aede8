"""Converts the user's vividness to parameters of the network and of ``coherence``, and to a gain of the chroma.

Training imports these definitions, too; they are here because this module needs no PyTorch.
"""

from __future__ import annotations

from typing import Final

DIAL_LAMBDA: Final = 0.85
"""Lambda of Zhang et al. (2016): the share of the uniform distribution in the class weights of a finished network.
Vividness controls the influence of these weights. The share is the same for all models; heads trained with another one
are converted."""

# The network's vividness sets two of its parameters, as linear functions that were found by a search on held-out
# photographs (docs/experiments.md): the logarithm of the softmax temperature (at one half, the temperature is the 0.38
# of Zhang et al. 2016), and the gain of the mean's chroma. Photochrom itself ignores that gain, since it does not use
# the network's a*b* output where there are probabilities.
LOG_TEMPERATURE: Final = -0.5
LOG_TEMPERATURE_SLOPE: Final = -0.93
NETWORK_GAIN_SLOPE: Final = 0.5

# Effect of the user's vividness where colours are made coherent; chosen at equal colourfulness (docs/experiments.md).
# Up to one half, it raises the network's vividness and the gain. Beyond, ``coherence`` prefers vivid colours instead,
# which has smaller errors: an object whose cells expect one hue becomes vivid as a whole, and other objects stay pale.
_TURN: Final = 0.5
_NETWORK_SHARE: Final = 0.7
_GAIN: Final = 2.0
_BIAS: Final = 0.002
_BIAS_SLOPE: Final = 0.006


def network_vividness(vividness: float) -> float:
    """Convert the user's vividness to the network's, which is lower; ``chroma_gain`` compensates for that."""
    # The higher the network's vividness, the sharper its distributions: less likely colours would disappear before
    # cells can agree on one of them.
    return _NETWORK_SHARE * min(vividness, _TURN)


def vivid_bias(vividness: float) -> float:
    """Return the parameter ``vivid_bias`` of ``coherence.coherent``."""
    return _BIAS + _BIAS_SLOPE * max(0.0, vividness - _TURN)


def chroma_gain(vividness: float) -> float:
    """Return the factor applied to the chroma of mean colours, which are greyer than the colours they average."""
    return _GAIN ** min(vividness, _TURN)
