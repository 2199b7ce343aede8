"""Detects photographs that look like negatives, which would be coloured wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..color.polarity import statistics
from ..colorizer.options import ColorOptions

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer, Prediction

LOOKS_NEGATIVE: Final = "looks like a negative, and was coloured as a positive: if it is one, use negative=True"
# Fitted by benchmarks/negatives.py to ``statistics``; light from above adds nothing to the correlation with height.
_WEIGHTS: Final = (-8.2, 8.4, 0.0, 2.2, 1.9, 0.54, 0.36)
_SURER: Final = 25.1  # weight of ``surer``: mean confidence minus that of the inverted picture
_LIVELIER: Final = 0.09  # weight of ``livelier``: mean chroma in a*b* minus that of the inverted picture
_NEGATIVE: Final = -2.4  # in that benchmark, 23 % of negatives and 0.5 % of positives are below it
_MOST_CLIPPED: Final = 0.4  # share of pixels; above it are black frames and drawings, which the fit does not cover
_MOST_LIVELY: Final = 15.0  # a*b*, likewise
_WORTH_ASKING: Final = 0.25  # score by statistics alone; the two thirds of positives above it need no second run


def looks_negative(colorizer: Colorizer, prediction: Prediction, options: ColorOptions) -> bool:
    """Return whether a photograph looks like a negative: the network is surer of its inversion, and colours that more.

    Args:
        colorizer: The model.
        prediction: Its prediction for the photograph.
        options: Options of the prediction, without hints.
    """
    facts = statistics(prediction.luma)
    if prediction.confidence is None or not worth_asking(facts):
        return False
    inverted = colorizer.predict(255 - prediction.luma, options)
    return is_negative(facts, surer(prediction, inverted), livelier(prediction, inverted))


def surer(prediction: Prediction, inverted: Prediction) -> float:
    """Return the network's mean confidence for a picture minus that for its inversion."""
    if prediction.confidence is None or inverted.confidence is None:
        return 0.0
    return float(prediction.confidence.mean() - inverted.confidence.mean())


def livelier(prediction: Prediction, inverted: Prediction) -> float:
    """Return the mean chroma of a picture's prediction minus that of its inversion's."""
    return float(np.hypot(*prediction.ab).mean() - np.hypot(*inverted.ab).mean())


def worth_asking(facts: np.ndarray) -> bool:
    """Return whether ``statistics`` justify running the network on the inverted picture."""
    return abs(facts[1]) <= _MOST_CLIPPED and float(np.dot(_WEIGHTS, facts)) <= _WORTH_ASKING


def is_negative(facts: np.ndarray, surer: float, livelier: float) -> bool:
    """Classify a photograph by ``statistics`` and the results of ``surer`` and ``livelier``."""
    livelier = min(max(livelier, -_MOST_LIVELY), _MOST_LIVELY)
    return float(np.dot(_WEIGHTS, facts)) + _SURER * surer + _LIVELIER * livelier < _NEGATIVE
