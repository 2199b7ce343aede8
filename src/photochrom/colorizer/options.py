"""What a user may ask of a picture. The command line, the API and the studio build the same object."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import OptionError
from .hints import Hint

DEFAULT_QUALITY = 96
"""Of lossy outputs. From 96 on, the JPEG encoder computes its transform exactly, below it by a faster approximation."""


@dataclass(frozen=True)
class ColorOptions:
    """How a picture is to be coloured.

    Raises:
        OptionError: a value is out of its range.
    """

    vividness: float | None = None
    """0 (the mean of all plausible colours, cautious) to 1 (the likeliest colour, bold).
    None: the model's own default. Models without a distribution have no such dial."""

    strength: float = 1.0
    """Chroma is multiplied by this: 0 leaves the picture grey, 1 is what the model says, at most 2."""

    hints: tuple[Hint, ...] = ()
    """Colours that are known at places of the picture; see ``photochrom.hints``."""

    def __post_init__(self) -> None:
        if self.vividness is not None:
            _check_range("vividness", self.vividness, 0.0, 1.0)
        _check_range("strength", self.strength, 0.0, 2.0)

    def with_hints(self, hints: tuple[Hint, ...]) -> ColorOptions:
        """The same with other hints."""
        return replace(self, hints=hints)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    try:
        fits = math.isfinite(value) and low <= value <= high
    except TypeError:
        fits = False
    if not fits:
        raise OptionError(f"{name} is {value!r}: give a number from {low:g} to {high:g}")
