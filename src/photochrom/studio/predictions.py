"""What the network said of one visitor's picture, kept between clicks: it is not asked twice for the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..colorizer.colorizer import Colorizer, Prediction
from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions


@dataclass(frozen=True, eq=False)
class Answer:
    """Of the network, about one picture. It belongs to a session, and no two visitors ever meet in one."""

    vividness: float | None
    hints: tuple[Hint, ...]
    plain: Prediction
    """Without hints."""
    prediction: Prediction
    """With them."""


def answer(colorizer: Colorizer, thumbnail: np.ndarray, options: ColorOptions, former: Answer | None = None) -> Answer:
    """What the network says of a picture; of the former answer about it, what still holds is taken over.

    Args:
        colorizer: for all visitors.
        thumbnail: luma, uint8, as ``Prediction.luma`` is one.
        options: how it is to be coloured.
        former: about this very picture.
    """
    plain = former.plain if former and former.vividness == options.vividness else None
    if former and plain and former.hints == options.hints:
        return former
    plain = plain or colorizer.predict(thumbnail, options.with_hints(()))
    prediction = colorizer.predict(thumbnail, options, plain=plain)
    return Answer(options.vividness, options.hints, plain, prediction)
