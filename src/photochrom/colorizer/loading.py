"""``loaded``: loads a model when it is first needed, so that errors found before that are reported at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .colorizer import Colorizer


def loaded(colorizer: Colorizer | Callable[[], Colorizer] | None) -> Colorizer:
    """Return a model, which is loaded if it is given as a function that does so; None stands for the default model.

    Raises:
        ModelError, EngineError: The model cannot be loaded.
    """
    if colorizer is None:
        from .colorizer import Colorizer

        return Colorizer()
    return colorizer() if callable(colorizer) else colorizer
