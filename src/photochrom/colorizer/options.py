"""Options for colouring, shared by the command line, the Python API and the studio."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..errors import OptionError
from .hints import Hint

DEFAULT_QUALITY = 96
"""Default quality of lossy outputs. Below 96, the JPEG encoder replaces its exact transform by a faster
approximation."""
MAX_DETAIL = 2.0
"""Maximum of ``ColorOptions.detail``. The memory for coherent decoding grows with its fourth power."""


@dataclass(frozen=True)
class ColorOptions:
    """Options that determine the colours of a picture.

    Raises:
        OptionError: A value is out of its range.
    """

    vividness: float | None = None
    """From 0 (cautious: the mean of all plausible colours) to 1 (bold: the likeliest colour); None for the model's
    default. Only models that predict a distribution support it."""

    strength: float = 1.0
    """Factor applied to the chroma, 0 to 2: 0 gives grey, 1 the model's colours."""

    hints: tuple[Hint, ...] = ()
    """Known colours at places of the picture."""

    detail: float = 1.0
    """Size of a second thumbnail that the network sees, relative to the usual one: 1 (no second one) to 2. The colours
    are decoded from the mean of both predictions, so that small things more often get a colour of their own. The
    network takes up to five times as long."""

    def __post_init__(self) -> None:
        if self.vividness is not None:
            _check_range("vividness", self.vividness, 0.0, 1.0)
        _check_range("strength", self.strength, 0.0, 2.0)
        _check_range("detail", self.detail, 1.0, MAX_DETAIL)
        if not (isinstance(self.hints, tuple | list) and all(isinstance(hint, Hint) for hint in self.hints)):
            raise OptionError(f"hints is {self.hints!r:.60}", remedy="give a tuple of Hint")
        object.__setattr__(self, "hints", tuple(self.hints))

    def with_hints(self, hints: tuple[Hint, ...]) -> ColorOptions:
        """Return a copy with other hints."""
        return replace(self, hints=hints)


def _check_range(name: str, value: float, low: float, high: float) -> None:
    try:
        fits = not isinstance(value, bool) and math.isfinite(value) and low <= value <= high
    except TypeError:
        fits = False
    if not fits:
        raise OptionError(f"{name} is {value!r}", remedy=f"give a number from {low:g} to {high:g}")
