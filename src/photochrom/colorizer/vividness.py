"""The vividness dial: converts the user's vividness to the network's, and scales the chroma of mean colours.

Training imports them from here, since this module needs no PyTorch.
"""

from __future__ import annotations

from typing import Final

DIAL_LAMBDA: Final = 0.85
"""Share of the uniform distribution in the class weights that the dial applies (Zhang et al. 2016); the same for all
models, whatever class weights they were trained with."""

# Vividness sets two numbers of the network linearly. Their lines were found by search on held-out photographs
# (docs/experiments.md): the logarithm of the temperature (near one half it is the 0.38 of Zhang et al. 2016), and the
# gain of the mean's chroma. The gain only affects programs that use the network's a*b* output directly.
LOG_TEMPERATURE: Final = -0.5
LOG_TEMPERATURE_SLOPE: Final = -0.93
NETWORK_GAIN_SLOPE: Final = 0.5

# Network's vividness for a user's 1, with ``coherence``; found on outside photographs at equal colourfulness.
_OF_NETWORK: Final = 0.7
_GAIN: Final = 1.77


def network_vividness(vividness: float) -> float:
    """Convert the user's vividness to the network's, which is lower.

    ``coherence`` needs less sharpening by the network, which removes the less likely colours before cells can agree on
    one; ``chroma_gain`` compensates.
    """
    return _OF_NETWORK * vividness


def chroma_gain(vividness: float) -> float:
    """Return the factor applied to the chroma of mean colours, since a mean lies nearer to grey than its colours."""
    return _GAIN**vividness
