"""``Picture``: a picture at display size; ``CachedPrediction``: its predictions; ``Recent``: an LRU cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np

from ..color.bands import at_8_bits
from ..colorizer.colorizer import Colorizer, Prediction
from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions

PREVIEW = 1600  # longest side of the displayed picture, in pixels

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class CachedPrediction:
    """Predictions for one picture, kept between clicks."""

    vividness: float | None
    hints: tuple[Hint, ...]
    plain: Prediction
    """Prediction without hints."""
    prediction: Prediction
    """Prediction with ``hints``."""


def cached_prediction(
    colorizer: Colorizer, thumbnail: np.ndarray, options: ColorOptions, former: CachedPrediction | None = None
) -> CachedPrediction:
    """Predict the colours of a picture, reusing the valid parts of a former prediction.

    Args:
        colorizer: The model, shared by all visitors.
        thumbnail: Luma, uint8 ``[H, W]``, at the size of ``Prediction.luma``.
        options: How to colour it.
        former: Earlier prediction for the same picture.
    """
    plain = former.plain if former and former.vividness == options.vividness else None
    if former and plain and former.hints == options.hints:
        return former
    plain = plain or colorizer.predict(thumbnail, options.with_hints(()))
    prediction = colorizer.predict(thumbnail, options, plain=plain)
    return CachedPrediction(options.vividness, options.hints, plain, prediction)


@dataclass(frozen=True, eq=False)
class Picture:
    """Decoded photograph or frame at display size."""

    luma: np.ndarray
    """Luma, uint8 ``[h, w]``, with a longest side of at most ``PREVIEW`` pixels."""
    thumbnail: np.ndarray
    """Input of the network, uint8 ``[h, w]``; equal to that of the full-size picture, so that the colours are equal."""
    own: np.ndarray | None = None
    """The picture in its own colours, RGB uint8 ``[h, w, 3]``, if the film leaves it unchanged; else None."""
    cached: CachedPrediction | None = None
    """Latest prediction, possibly for earlier choices."""


def small(picture: np.ndarray, longest: int = PREVIEW) -> np.ndarray:
    """Reduce luma ``[H, W]`` or RGB ``[H, W, 3]`` to uint8 with a longest side of at most ``longest`` pixels."""
    scale = longest / max(picture.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return at_8_bits(picture)


class Recent(Generic[Key, Value]):
    """A thread-safe cache of the most recently used values."""

    def __init__(self, most: int) -> None:
        self._most, self._values, self._lock = most, OrderedDict[Key, Value](), threading.Lock()

    def get(self, key: Key) -> Value | None:
        """Return a value; None if it is not cached."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Key, value: Value) -> Value:
        """Cache a value, and return it."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value

    def drop(self, wanted: Callable[[Key], bool]) -> None:
        """Remove the values for whose keys ``wanted`` is true."""
        with self._lock:
            for key in [key for key in self._values if wanted(key)]:
                del self._values[key]
