"""Numbers of the vividness dial: what the network is asked for, and how pale mean colours are brought to life.

Training imports them from here, since this module needs no PyTorch.
"""

from __future__ import annotations

from typing import Final

DIAL_LAMBDA: Final = 0.85
"""Share of the uniform distribution in the class weights that the dial brings in: one number for all models, whatever
class weights they were trained with."""

# Vividness moves two numbers of the network along straight lines, found by search on held-out photographs
# (docs/experiments.md): the logarithm of the temperature (near one half it is the 0.38 of Zhang et al. 2016), and the
# gain of the mean's chroma. The latter only concerns programs that take a*b* from the network as they are.
LOG_TEMPERATURE: Final = -0.5
LOG_TEMPERATURE_SLOPE: Final = -0.93
NETWORK_GAIN_SLOPE: Final = 0.5

# Vividness as the user sees it, where cells agree (``coherence``); found on outside photographs at equal colourfulness.
_OF_NETWORK: Final = 0.7
_GAIN: Final = 1.77


def network_vividness(vividness: float) -> float:
    """Return the vividness that the network is asked for, less than the user's.

    Cells that agree need less of the network's own sharpening, which overrules the less likely colours before they can
    be heard; ``chroma_gain`` makes up for it.
    """
    return _OF_NETWORK * vividness


def chroma_gain(vividness: float) -> float:
    """Return the factor for the chroma of mean colours, which lie nearer to grey than the colours they are means of."""
    return _GAIN**vividness
