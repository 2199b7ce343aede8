"""What a visitor works on, a photograph or a film: what of it is shown, what was chosen for it, and the way back."""

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

PREVIEW = 1400  # longest side of what is shown, pixels

Choices = TypeVar("Choices")


class Source:
    """A copy of an uploaded file, which goes when nobody works on it any more."""

    def __init__(self, upload: Path, work: Path) -> None:
        folder = Path(tempfile.mkdtemp(dir=work))
        self.path = folder / upload.name
        self.discard = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        try:
            shutil.copyfile(upload, self.path)
        except BaseException:  # the disk may be full: half a copy would make it no emptier
            self.discard()
            raise


@dataclass(frozen=True, eq=False)
class Picture:
    """A photograph or a frame, decoded once: what is needed to show it. Its file is read again for the full size."""

    source: Source
    luma: np.ndarray
    """uint8 ``[h, w]``, at most ``PREVIEW`` pixels long."""
    thumbnail: np.ndarray
    """uint8: what the network looks at. Coloured from it, the small picture has the full size's very colours."""


@dataclass(frozen=True, eq=False)
class CachedPrediction:
    """Of the network, about one picture. It belongs to a session, and no two visitors ever meet in one."""

    vividness: float | None
    hints: tuple[Hint, ...]
    plain: Prediction
    """Without hints."""
    prediction: Prediction
    """With them."""


def cached_prediction(
    colorizer: Colorizer, thumbnail: np.ndarray, options: ColorOptions, former: CachedPrediction | None = None
) -> CachedPrediction:
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
    return CachedPrediction(options.vividness, options.hints, plain, prediction)


@dataclass(frozen=True, eq=False, kw_only=True)
class EditState(Generic[Choices]):
    """One visitor's work. Each change gives a new one, so that nothing is ever half changed."""

    picture: Picture
    choices: Choices
    """A dataclass; undo and redo go through these."""
    cached: CachedPrediction
    """Of the network; perhaps to former choices: see ``answered``."""
    past: tuple[Choices, ...] = ()
    future: tuple[Choices, ...] = ()
    place: tuple[float, float] | None = None
    """x and y, from 0 to 1, of the cross."""
    dial: str = ""
    """Which one the last change turned."""

    @property
    def options(self) -> ColorOptions:
        """How the picture is to be coloured."""
        raise NotImplementedError

    def with_prediction(self, colorizer: Colorizer) -> Self:
        """With what the network says of the picture as it is to be coloured now."""
        found = cached_prediction(colorizer, self.picture.thumbnail, self.options, self.cached)
        return self if found is self.cached else replace(self, cached=found)

    def choose(self, **changes: object) -> Self:
        """With other choices, the former of which can be gone back to."""
        choices = replace(self.choices, **changes)  # type: ignore[type-var]
        if choices == self.choices:
            return self
        return replace(self, choices=choices, past=(*self.past, self.choices), future=(), dial="")

    def turn(self, dial: str, value: float) -> Self:
        """With ``vividness`` or ``strength`` turned; to turn one on and on is one step to be undone."""
        turned = self.choose(**{dial: value})
        past = self.past if dial == self.dial else turned.past
        return replace(turned, past=past, dial=dial) if turned is not self else self

    def undo(self) -> Self:
        """As before the last change; the same where there was none."""
        if not self.past:
            return self
        *past, choices = self.past
        return replace(self, choices=choices, past=tuple(past), future=(self.choices, *self.future), dial="")

    def redo(self) -> Self:
        """What was undone last is done again."""
        if not self.future:
            return self
        choices, *future = self.future
        return replace(self, choices=choices, past=(*self.past, self.choices), future=tuple(future), dial="")

    def at(self, x: float, y: float) -> Self:
        """With the cross elsewhere."""
        return replace(self, place=(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)))
