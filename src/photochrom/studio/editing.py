"""The state of an edit, of a photograph or a film: the picture shown, the choices, undo and redo."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np

from ..colorizer.colorizer import Colorizer, Prediction
from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions

PREVIEW = 1400  # longest side of the picture that is shown, in pixels

Choices = TypeVar("Choices")


class Source:
    """Copy of an uploaded file, removed when the last session that refers to it is gone."""

    def __init__(self, upload: Path, work: Path) -> None:
        folder = Path(tempfile.mkdtemp(dir=work))
        self.path = folder / upload.name
        self.discard = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            shutil.copyfile(upload, self.path)
        except BaseException:  # the disk may be full, and half a copy would keep it so
            self.discard()
            raise


@dataclass(frozen=True, eq=False)
class Picture:
    """Decoded photograph or frame at display size. The file is read again for the full-size result."""

    source: Source
    luma: np.ndarray
    """Luma, uint8 ``[H, W]``, its longest side at most ``PREVIEW`` pixels."""
    thumbnail: np.ndarray
    """Input of the network, uint8 ``[H, W]``, the same as for the full-size picture, so that the colours are too."""


@dataclass(frozen=True, eq=False)
class CachedPrediction:
    """Predictions for one picture, kept between clicks. It belongs to one session and is never shared."""

    vividness: float | None
    hints: tuple[Hint, ...]
    plain: Prediction
    """Prediction without hints."""
    prediction: Prediction
    """Prediction with ``hints``."""


def cached_prediction(
    colorizer: Colorizer, thumbnail: np.ndarray, options: ColorOptions, former: CachedPrediction | None = None
) -> CachedPrediction:
    """Predict the colours of a picture, reusing whatever is still valid of a former prediction.

    Args:
        colorizer: Shared by all visitors.
        thumbnail: Luma, uint8 ``[H, W]``, at the size of ``Prediction.luma``.
        options: Options for colouring it.
        former: Earlier prediction for the same picture.
    """
    plain = former.plain if former and former.vividness == options.vividness else None
    if former and plain and former.hints == options.hints:
        return former
    plain = plain or colorizer.predict(thumbnail, options.with_hints(()))
    prediction = colorizer.predict(thumbnail, options, plain=plain)
    return CachedPrediction(options.vividness, options.hints, plain, prediction)


@dataclass(frozen=True, eq=False, kw_only=True)
class EditState(Generic[Choices]):
    """Immutable state of a visitor's work. Every change returns a new state, so none is ever half changed."""

    picture: Picture
    choices: Choices
    """Frozen dataclass; undo and redo step through these."""
    cached: CachedPrediction
    """Latest prediction, perhaps for earlier choices: see ``with_prediction``."""
    past: tuple[Choices, ...] = ()
    future: tuple[Choices, ...] = ()
    place: tuple[float, float] | None = None
    """Position of the cross, x and y from 0 to 1."""
    dial: str = ""
    """Name of the dial that the last change turned, if it turned one."""

    @property
    def options(self) -> ColorOptions:
        """Options for colouring the picture."""
        raise NotImplementedError

    def with_prediction(self, colorizer: Colorizer) -> Self:
        """Return the state with a prediction for the current choices."""
        found = cached_prediction(colorizer, self.picture.thumbnail, self.options, self.cached)
        return self if found is self.cached else replace(self, cached=found)

    def choose(self, **changes: object) -> Self:
        """Return the state with changed choices; the change can be undone."""
        choices = replace(self.choices, **changes)  # type: ignore[type-var]
        if choices == self.choices:
            return self
        return replace(self, choices=choices, past=(*self.past, self.choices), future=(), dial="")

    def turn(self, dial: str, value: float) -> Self:
        """Return the state with a dial turned. Successive turns of one dial are undone as one step."""
        turned = self.choose(**{dial: value})
        past = self.past if dial == self.dial else turned.past
        return replace(turned, past=past, dial=dial) if turned is not self else self

    def undo(self) -> Self:
        """Return the state before the last change, or this one if there is none."""
        if not self.past:
            return self
        *past, choices = self.past
        return replace(self, choices=choices, past=tuple(past), future=(self.choices, *self.future), dial="")

    def redo(self) -> Self:
        """Return the state with the last undone change made again."""
        if not self.future:
            return self
        choices, *future = self.future
        return replace(self, choices=choices, past=(*self.past, self.choices), future=tuple(future), dial="")

    def at(self, x: float, y: float) -> Self:
        """Return the state with the cross at another place."""
        return replace(self, place=(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)))
