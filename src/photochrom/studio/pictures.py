"""``Picture``: a picture at display size, with its cached predictions; ``Recent``: a cache of recently used values."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ..colorizer.colorizer import Colorizer
from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions
from ..colorizer.prediction import Prediction

PREVIEW = 1600  # longest side of the displayed picture, in pixels

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class CachedPrediction:
    """Two predictions for one picture: one without hints, which is reused when hints change, and one with hints."""

    vividness: float | None
    """Vividness of both predictions."""
    hints: tuple[Hint, ...]
    """Hints of ``prediction``."""
    plain: Prediction
    """Prediction without hints."""
    prediction: Prediction
    """Prediction with the hints."""


def cached_prediction(
    colorizer: Colorizer, thumbnail: np.ndarray, options: ColorOptions, former: CachedPrediction | None = None
) -> CachedPrediction:
    """Predict the colours of a picture, and reuse a former prediction as far as the options are the same.

    Args:
        colorizer: The model, shared by all visitors.
        thumbnail: Luma of the picture, uint8 ``[h, w]``, from ``Colorizer.thumbnail`` or ``scan_thumbnail``.
        options: Options for colouring the picture.
        former: Earlier predictions for the same picture.

    Raises:
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    plain = former.plain if former and former.vividness == options.vividness else None
    if former and plain and former.hints == options.hints:
        return former
    plain = plain or colorizer.predict(thumbnail, options.with_hints(()))
    prediction = colorizer.predict(thumbnail, options, plain=plain)
    return CachedPrediction(options.vividness, options.hints, plain, prediction)


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded photograph or film frame at display size."""

    luma: np.ndarray
    """Luma, uint8 ``[h, w]``, with a longest side of at most ``PREVIEW`` pixels."""
    thumbnail: np.ndarray
    """Thumbnail for ``Colorizer.predict``, uint8 ``[h, w]``, made at full size, so that both get the same colours."""
    own: np.ndarray | None = None
    """Frame in its own colours, RGB, uint8 ``[h, w, 3]``, if it belongs to a shot in colour; otherwise None."""
    cached: CachedPrediction | None = None
    """Latest predictions, possibly for earlier choices; None before the first."""


class Recent(Generic[Key, Value]):
    """A thread-safe cache that keeps at most ``most`` values, those used last."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[Key, Value](), threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value of a key; None if it is not cached."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Key, value: Value) -> Value:
        """Cache a value under a key, and return the value."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value

    def drop(self, condition: Callable[[Key], bool]) -> None:
        """Remove the values whose keys satisfy a condition."""
        with self._lock:
            for key in [key for key in self._values if condition(key)]:
                del self._values[key]
