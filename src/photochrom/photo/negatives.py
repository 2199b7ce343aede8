"""Recognises photographs that look like negatives, which would get wrong colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..color.polarity import statistics
from ..colorizer.options import ColorOptions

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer
    from ..colorizer.prediction import Prediction

LOOKS_NEGATIVE: Final = "looks like a negative, and was coloured as a positive: if it is one, use negative=True"
# Weights of ``statistics``, fitted by benchmarks/negatives.py. Light from above adds nothing to the correlation with
# height, so its weight is 0.
_WEIGHTS: Final = (-8.2, 8.4, 0.0, 2.2, 1.9, 0.54, 0.36)
_CONFIDENCE_WEIGHT: Final = 25.1  # weight of ``confidence_difference``
_CHROMA_WEIGHT: Final = 0.09  # weight of ``chroma_difference``
_NEGATIVE: Final = -2.8  # score below which a photograph is negative: 21 % of negatives, 0.5 % of positives
_MAX_CLIPPED: Final = 0.4  # share of clipped pixels; more are found in black frames and drawings, unlike those fitted
_MAX_CHROMA: Final = 15.0  # largest difference in chroma that counts, in units of a*b*
_MAY_BE_NEGATIVE: Final = 0.25  # score by statistics alone, above which no second run is needed (2/3 of positives)


def looks_negative(colorizer: Colorizer, prediction: Prediction, options: ColorOptions) -> bool:
    """Return whether a photograph looks like a negative, by its statistics and by how its inversion is predicted.

    The result is False if the model does not predict its confidence, without which this cannot be known.

    Args:
        colorizer: The model, which is run on the inverted photograph if the statistics are not conclusive.
        prediction: Result of ``Colorizer.predict`` for the photograph.
        options: Options of the prediction, without hints.

    Raises:
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    values = statistics(prediction.luma)
    if prediction.confidence is None or not may_be_negative(values):
        return False
    inverted = colorizer.predict(255 - prediction.luma, options)
    return is_negative(values, confidence_difference(prediction, inverted), chroma_difference(prediction, inverted))


def confidence_difference(prediction: Prediction, inverted: Prediction) -> float:
    """Return the mean confidence of a picture's prediction minus that of its inversion's; both must have one."""
    assert prediction.confidence is not None
    assert inverted.confidence is not None
    return float(prediction.confidence.mean() - inverted.confidence.mean())


def chroma_difference(prediction: Prediction, inverted: Prediction) -> float:
    """Return the mean chroma of a picture's prediction minus that of its inversion's prediction, in a*b*."""
    return float(np.hypot(*prediction.ab).mean() - np.hypot(*inverted.ab).mean())


def may_be_negative(values: np.ndarray) -> bool:
    """Return whether a picture may be a negative, given its ``statistics`` alone."""
    return abs(values[1]) <= _MAX_CLIPPED and float(np.dot(_WEIGHTS, values)) <= _MAY_BE_NEGATIVE


def is_negative(values: np.ndarray, confidence: float, chroma: float) -> bool:
    """Return whether a picture is a negative, given its ``statistics`` and its differences in confidence and chroma."""
    chroma = min(max(chroma, -_MAX_CHROMA), _MAX_CHROMA)
    return float(np.dot(_WEIGHTS, values)) + _CONFIDENCE_WEIGHT * confidence + _CHROMA_WEIGHT * chroma < _NEGATIVE
