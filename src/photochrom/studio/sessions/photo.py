"""The session of a photograph, independent of the page."""

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
from ...photo import OutputOptions, Photo, colored_path, read_photo, write_colored
from ...photo.formats.image import MAX_PIXELS, at_most, check_size
from ..editing import PREVIEW, CachedPrediction, EditState, Picture, Source

GUESSES = 4
_SAME_PLACE = 0.015  # share of the picture's width and height within which a new hint replaces another


@dataclass(frozen=True)
class Choices:
    """Choices for a photograph; undo and redo step through these."""

    vividness: float | None
    strength: float = 1.0
    guess: tuple[Hint, ...] = ()
    """Hints that make the chosen alternative; empty for the model's first picture."""
    borrowed: tuple[Hint, ...] = ()
    """Hints taken from another photograph."""
    given: tuple[Hint, ...] = ()
    """Hints placed by hand."""

    @property
    def options(self) -> ColorOptions:
        """Options for the colorizer. If several hints share a place, the last one counts."""
        return ColorOptions(self.vividness, self.strength, (*self.guess, *self.borrowed, *self.given))


@dataclass(frozen=True, eq=False, kw_only=True)
class Session(EditState[Choices]):
    """Immutable state of a visitor's work on a photograph."""

    guesses: tuple[tuple[Hint, ...], ...] = ()
    """Hints that make each of the model's alternatives."""
    lent: np.ndarray | None = None
    """Photograph whose colours are borrowed, RGB uint8 ``[H, W, 3]``, its longest side at most ``PREVIEW`` pixels."""

    @property
    def options(self) -> ColorOptions:
        """Options for colouring the picture."""
        return self.choices.options

    @property
    def marks(self) -> tuple[Hint, ...]:
        """Hints that are marked on the picture."""
        return self.choices.given

    def color(self, color: tuple[int, int, int]) -> Session:
        """Return the session with a hint at the cross; it replaces a hint that is there already.

        Raises:
            OptionError: No place is chosen.
        """
        if self.place is None:
            raise OptionError("no place is chosen: click on the picture, or give the two percentages")
        x, y = self.place
        others = (hint for hint in self.choices.given if not near(hint, x, y))
        return self.choose(given=(*others, Hint(x, y, color)))

    def with_file(self, hints: Sequence[Hint]) -> Session:
        """Return the session with the hints of a file in place of all others."""
        suggested = tuple(hint for hint in hints if hint.suggested)
        return self.choose(guess=suggested, borrowed=(), given=tuple(hint for hint in hints if not hint.suggested))

    def without(self, number: int) -> Session:
        """Return the session less one of the hints placed by hand, counted from 0.

        Raises:
            OptionError: There is no hint of this number.
        """
        given = self.choices.given
        if not 0 <= number < len(given):
            raise OptionError("this colour is gone already")
        return self.choose(given=given[:number] + given[number + 1 :])


def near(hint: Hint, x: float, y: float) -> bool:
    """Return whether a new hint at a place replaces this one."""
    return max(abs(hint.x - x), abs(hint.y - y)) < _SAME_PLACE


def open_session(colorizer: Colorizer, upload: Path, work: Path, max_pixels: int) -> Session:
    """Open a photograph.

    Args:
        colorizer: Shared by all visitors.
        upload: The uploaded file, which is copied.
        work: Folder for the copy.
        max_pixels: Limit of width times height.

    Raises:
        PhotoError: The file cannot be read or is too large.
    """
    luma = read(upload, max_pixels).luma
    plain = colorizer.predict(luma)
    picture = Picture(Source(upload, work), small(luma), plain.luma)
    own = colorizer.card.vividness
    return Session(picture=picture, choices=Choices(own), cached=CachedPrediction(own, (), plain, plain))


def read(upload: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read an uploaded photograph.

    Raises:
        PhotoError: The file cannot be read or is too large.
    """
    with naming(upload):
        return read_photo(upload, max_pixels=max_pixels)


def read_in_color(upload: Path, max_pixels: int) -> np.ndarray:
    """Read a colour photograph, upright, as RGB uint8 ``[H, W, 3]``, its longest side at most ``PREVIEW`` pixels.

    Raises:
        PhotoError: The file cannot be read or is too large.
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
    """Remove the folder from error messages: visitors know the file's name, not its place on the server."""
    try:
        yield
    except PhotochromError as exc:
        raise type(exc)(str(exc).replace(f"{path.parent}{os.sep}", "")) from exc


def small(luma: np.ndarray, longest: int = PREVIEW) -> np.ndarray:
    """Reduce luma to uint8 ``[H, W]``, its longest side at most ``longest`` pixels."""
    scale = longest / max(luma.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in luma.shape)
        luma = cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)
    return at_8_bits(luma)


def guesses(colorizer: Colorizer, session: Session) -> tuple[tuple[Hint, ...], ...]:
    """Return the hints that make each of the model's alternatives, given the hints placed so far."""
    if not colorizer.card.bins:
        return ()
    session = replace(session, choices=replace(session.choices, guess=())).with_prediction(colorizer)
    found = alternatives(
        colorizer, session.picture.thumbnail, GUESSES, session.options, prediction=session.cached.prediction
    )
    return tuple(_added(other, session.options) for other in found)


def _added(other: ColorOptions, base: ColorOptions) -> tuple[Hint, ...]:
    return tuple(hint for hint in other.hints if hint not in base.hints)


def write_full_size(colorizer: Colorizer, session: Session, folder: Path, output: OutputOptions | None = None) -> Path:
    """Write the photograph at full size with its metadata: ``old.jpg`` becomes ``old.color.jpg`` in the folder.

    Raises:
        PhotoError: The result cannot be written.
    """
    source = session.picture.source.path
    path = folder / colored_path(source).name
    with naming(path):
        prediction = session.with_prediction(colorizer).cached.prediction
        write_colored(colorizer, read(source), path, session.options, prediction, output)
    return path
