"""Tells photographs that look like negatives, which would be coloured as if their shadows were lights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ..color.polarity import statistics
from ..colorizer.options import ColorOptions

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer, Prediction

LOOKS_NEGATIVE: Final = "looks like a negative, and was coloured as a positive: if it is one, use negative=True"
# Fitted by benchmarks/negatives.py, for: confidence less that of the inverted picture; brightness; share of clipped
# lights less that of clipped shadows; light from above.
_WEIGHTS: Final = (25.6, -12.7, 3.4, 0.3)
_NEGATIVE: Final = -2.0  # by the same benchmark, 20 % of negatives are below it, and 2 % of positives
_WORTH_ASKING: Final = -0.5  # score by statistics alone, above which four in five are: the network is not run again


def looks_negative(colorizer: Colorizer, prediction: Prediction) -> bool:
    """Tell whether a photograph looks like a negative: the network is surer of its inversion.

    Args:
        colorizer: The model.
        prediction: Its prediction for the photograph, without hints.
    """
    facts = statistics(prediction.luma)[:3]
    if prediction.confidence is None or not worth_asking(facts):
        return False
    inverted = _confidence_of_inverse(colorizer, prediction)
    return inverted is not None and is_negative(facts, float(prediction.confidence.mean() - inverted.mean()))


def _confidence_of_inverse(colorizer: Colorizer, prediction: Prediction) -> np.ndarray | None:
    """Run the network on the inverted thumbnail; only margins need the whole path, and nothing needs its colours."""
    inverted = 255 - prediction.luma
    if prediction.picture is not None:
        return colorizer.predict(inverted, ColorOptions()).confidence
    outputs = colorizer.engine.run(colorizer.inputs(inverted, ColorOptions()))
    return outputs["confidence"][0, 0] if "confidence" in outputs else None


def worth_asking(facts: np.ndarray) -> bool:
    """Tell by the first three ``statistics`` whether the network should look at the inverted picture, too."""
    return float(np.dot(_WEIGHTS[1:], facts)) <= _WORTH_ASKING


def is_negative(facts: np.ndarray, surer: float) -> bool:
    """Tell by these statistics, and by the confidence less that of the inverted picture, if it is a negative."""
    return surer < 0 and float(np.dot(_WEIGHTS, (surer, *facts))) < _NEGATIVE
