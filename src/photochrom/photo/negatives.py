"""``looks_negative``: whether a photograph looks like a negative, which would be coloured wrongly."""

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
_CONFIDENCE_WEIGHT: Final = 25.1  # weight of ``confidence_difference``
_CHROMA_WEIGHT: Final = 0.09  # weight of ``chroma_difference``
_NEGATIVE: Final = -2.4  # in that benchmark, 23 % of negatives and 0.5 % of positives are below it
_MAX_CLIPPED: Final = 0.4  # share of pixels; above it are black frames and drawings, which the fit does not cover
_MAX_CHROMA: Final = 15.0  # a*b*, likewise
_MAY_BE_NEGATIVE: Final = 0.25  # score by statistics alone; the two thirds of positives above it need no second run


def looks_negative(colorizer: Colorizer, prediction: Prediction, options: ColorOptions) -> bool:
    """Return whether a photograph looks like a negative: the network is surer of its inversion, and colours that more.

    Args:
        colorizer: The model.
        prediction: Its prediction for the photograph.
        options: Options of the prediction, without hints.
    """
    facts = statistics(prediction.luma)
    if prediction.confidence is None or not may_be_negative(facts):
        return False
    inverted = colorizer.predict(255 - prediction.luma, options)
    return is_negative(facts, confidence_difference(prediction, inverted), chroma_difference(prediction, inverted))


def confidence_difference(prediction: Prediction, inverted: Prediction) -> float:
    """Return the network's mean confidence for a picture minus that for its inversion."""
    if prediction.confidence is None or inverted.confidence is None:
        return 0.0
    return float(prediction.confidence.mean() - inverted.confidence.mean())


def chroma_difference(prediction: Prediction, inverted: Prediction) -> float:
    """Return the mean chroma of a picture's prediction minus that of its inversion's."""
    return float(np.hypot(*prediction.ab).mean() - np.hypot(*inverted.ab).mean())


def may_be_negative(facts: np.ndarray) -> bool:
    """Return whether ``statistics`` justify running the network on the inverted picture."""
    return abs(facts[1]) <= _MAX_CLIPPED and float(np.dot(_WEIGHTS, facts)) <= _MAY_BE_NEGATIVE


def is_negative(facts: np.ndarray, confidence: float, chroma: float) -> bool:
    """Classify a photograph by ``statistics`` and the differences in confidence and in chroma."""
    chroma = min(max(chroma, -_MAX_CHROMA), _MAX_CHROMA)
    return float(np.dot(_WEIGHTS, facts)) + _CONFIDENCE_WEIGHT * confidence + _CHROMA_WEIGHT * chroma < _NEGATIVE
