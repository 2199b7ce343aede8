"""The vividness dial: what a user's vividness means for the network, for ``coherence``, and for the chroma.

Training imports these definitions from here, because this module needs no PyTorch.
"""

from __future__ import annotations

from typing import Final

DIAL_LAMBDA: Final = 0.85
"""Share of the uniform distribution in the class weights that the dial applies (Zhang et al. 2016); the same for all
models, whatever class weights they were trained with."""

# Vividness sets two numbers of the network linearly. Both lines were found by a search on held-out photographs
# (docs/experiments.md): the logarithm of the temperature (near one half it is the 0.38 of Zhang et al. 2016), and the
# gain of the mean's chroma. The gain only affects programs that use the network's a*b* output directly.
LOG_TEMPERATURE: Final = -0.5
LOG_TEMPERATURE_SLOPE: Final = -0.93
NETWORK_GAIN_SLOPE: Final = 0.5

# The user's vividness where cells agree (``coherence``); chosen at equal colourfulness, see docs/experiments.md. Up to
# one half it raises the network's vividness and the gain. From there on cells lean to vivid colours instead, which errs
# less: an object whose cells expect one hue becomes vivid as a whole, and any other stays pale.
_TURN: Final = 0.5
_OF_NETWORK: Final = 0.7
_GAIN: Final = 1.77
_LEAN: Final = 0.002
_LEAN_SLOPE: Final = 0.006


def network_vividness(vividness: float) -> float:
    """Convert the user's vividness to the network's, which is lower.

    ``coherence`` needs less sharpening by the network, which removes the less likely colours before cells can agree on
    one; ``chroma_gain`` compensates.
    """
    return _OF_NETWORK * min(vividness, _TURN)


def lean(vividness: float) -> float:
    """Return how strongly cells that agree prefer vivid colours; see ``coherence.coherent``."""
    return _LEAN + _LEAN_SLOPE * max(0.0, vividness - _TURN)


def chroma_gain(vividness: float) -> float:
    """Return the factor applied to the chroma of mean colours, since a mean lies nearer to grey than its colours."""
    return _GAIN ** min(vividness, _TURN)
