"""One visitor's photograph, and what was chosen for it. Nothing here knows of the page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from ...color.bands import at_8_bits
from ...colorizer.colorizer import Colorizer
from ...colorizer.hints import Hint
from ...colorizer.options import ColorOptions
from ...colorizer.suggestions import alternatives
from ...errors import OptionError, PhotochromError, PhotoError
from ...photo import Photo, colored_path, read_photo, write_colored
from ...photo.formats.image import MAX_PIXELS, at_most, check_size
from ..editing import PREVIEW, CachedPrediction, EditState, Picture, Source

GUESSES = 4
_SAME_PLACE = 0.015  # of the picture's width and height: a hint so near to another replaces it


@dataclass(frozen=True)
class Choices:
    """What one visitor has chosen; undo and redo go through these."""

    vividness: float | None
    strength: float = 1.0
    guess: tuple[Hint, ...] = ()
    """What makes the other guess of the model that was chosen, if one was."""
    borrowed: tuple[Hint, ...] = ()
    """From another photograph."""
    given: tuple[Hint, ...] = ()
    """By hand."""

    @property
    def options(self) -> ColorOptions:
        """As the colorizer takes them; of hints at one place the last counts."""
        return ColorOptions(self.vividness, self.strength, (*self.guess, *self.borrowed, *self.given))


@dataclass(frozen=True, eq=False, kw_only=True)
class Session(EditState[Choices]):
    """One visitor's work on a photograph."""

    guesses: tuple[tuple[Hint, ...], ...] = ()
    """The hints that make each of the model's other guesses."""
    lent: np.ndarray | None = None
    """Another photograph, whose colours are borrowed: RGB uint8, at most ``PREVIEW`` pixels long."""

    @property
    def options(self) -> ColorOptions:
        """How the picture is to be coloured."""
        return self.choices.options

    @property
    def marks(self) -> tuple[Hint, ...]:
        """The hints that are shown on the picture."""
        return self.choices.given

    def color(self, color: tuple[int, int, int]) -> Session:
        """With a hint at the cross, in place of one that is there.

        Raises:
            OptionError: there is no cross.
        """
        if self.place is None:
            raise OptionError("no place is chosen: click on the picture, or give the two percentages")
        x, y = self.place
        others = (hint for hint in self.choices.given if not near(hint, x, y))
        return self.choose(given=(*others, Hint(x, y, color)))

    def with_file(self, hints: Sequence[Hint]) -> Session:
        """With the hints of a file instead of all that are there."""
        suggested = tuple(hint for hint in hints if hint.suggested)
        return self.choose(guess=suggested, borrowed=(), given=tuple(hint for hint in hints if not hint.suggested))

    def without(self, number: int) -> Session:
        """Without one of the hints given by hand, counted from 0.

        Raises:
            OptionError: there is none of this number.
        """
        given = self.choices.given
        if not 0 <= number < len(given):
            raise OptionError("this colour is gone already")
        return self.choose(given=given[:number] + given[number + 1 :])


def near(hint: Hint, x: float, y: float) -> bool:
    """Whether a hint is so near to a place that one there replaces it."""
    return max(abs(hint.x - x), abs(hint.y - y)) < _SAME_PLACE


def open_session(colorizer: Colorizer, upload: Path, work: Path, max_pixels: int) -> Session:
    """Begin with a photograph.

    Args:
        colorizer: for all visitors.
        upload: the file; it is copied.
        work: a folder for the copy.
        max_pixels: refuse a larger one.

    Raises:
        PhotoError: it cannot be read, or is too large.
    """
    luma = read(upload, max_pixels).luma
    plain = colorizer.predict(luma)
    picture = Picture(Source(upload, work), small(luma), plain.luma)
    own = colorizer.card.vividness
    return Session(picture=picture, choices=Choices(own), cached=CachedPrediction(own, (), plain, plain))


def read(upload: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """A photograph that somebody sent.

    Raises:
        PhotoError: it cannot be read, or is too large.
    """
    with naming(upload):
        return read_photo(upload, max_pixels=max_pixels)


def read_in_color(upload: Path, max_pixels: int) -> np.ndarray:
    """A photograph in colour, upright: RGB uint8, at most ``PREVIEW`` pixels long.

    Raises:
        PhotoError: it cannot be read, or is too large.
    """
    try:
        with at_most(max_pixels), Image.open(upload) as image:
            check_size(*image.size)
            image.draft("RGB", (PREVIEW, PREVIEW))
            image.thumbnail((PREVIEW, PREVIEW))
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except PhotoError as exc:
        raise PhotoError(f"{upload.name}: {exc}") from exc
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise PhotoError(f"{upload.name}: cannot be read in colour: give a JPEG or PNG of moderate size") from exc


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Messages name a file as its owner does, and do not tell where it lies on the server."""
    try:
        yield
    except PhotochromError as exc:
        raise type(exc)(str(exc).replace(f"{path.parent}{os.sep}", "")) from exc


def small(luma: np.ndarray, longest: int = PREVIEW) -> np.ndarray:
    """uint8, its longest side at most ``longest``."""
    scale = longest / max(luma.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in luma.shape)
        luma = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
    return at_8_bits(luma)


def guesses(colorizer: Colorizer, session: Session) -> tuple[tuple[Hint, ...], ...]:
    """The hints that make each of the model's other guesses, given the colours that are known by now."""
    if not colorizer.card.bins:
        return ()
    session = replace(session, choices=replace(session.choices, guess=())).with_prediction(colorizer)
    found = alternatives(
        colorizer, session.picture.thumbnail, GUESSES, session.options, prediction=session.cached.prediction
    )
    return tuple(_added(other, session.options) for other in found)


def _added(other: ColorOptions, base: ColorOptions) -> tuple[Hint, ...]:
    return tuple(hint for hint in other.hints if hint not in base.hints)


def write_full_size(colorizer: Colorizer, session: Session, folder: Path) -> Path:
    """The photograph at full size, with all its metadata: ``old.jpg`` becomes ``old.color.jpg`` in the folder.

    Raises:
        PhotoError: it cannot be written.
    """
    source = session.picture.source.path
    path = folder / colored_path(source).name
    with naming(path):
        prediction = session.with_prediction(colorizer).cached.prediction
        write_colored(colorizer, read(source), path, session.options, prediction)
    return path
