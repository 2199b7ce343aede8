"""The session of a film, independent of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ...color.thumbnail import thumbnail
from ...colorizer.colorizer import Colorizer
from ...colorizer.hints import Hint
from ...colorizer.options import ColorOptions
from ...errors import OptionError
from ...film import FilmOptions
from ...film.frames import FrameColorizer, PreparedFrame
from ...film.hints import FilmHint
from ...film.options import ROUNDED
from ...film.plan import Plan, make_plan
from ...film.planes import luma_plane
from ...film.reader import FilmReader
from ..editing import PREVIEW, CachedPrediction, EditState, Picture, Source
from .film_job import Job
from .photo import naming, near


@dataclass(frozen=True)
class FilmChoices:
    """Choices for a film; undo and redo step through these."""

    vividness: float | None
    strength: float = 1.0
    hints: tuple[FilmHint, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class FilmSession(EditState[FilmChoices]):
    """Immutable state of a visitor's work on a film, with the frame that is shown."""

    time: Fraction
    """Time of the frame, in seconds from the beginning."""
    has_colors: bool
    """Whether the film is in colour already."""
    recolor: bool = False
    """Whether to colour the film although it is in colour."""
    job: Job = field(default_factory=Job)
    """Long-running job of the film."""

    @property
    def hints(self) -> tuple[FilmHint, ...]:
        """Hints of the whole film."""
        return self.choices.hints

    @property
    def marks(self) -> tuple[Hint, ...]:
        """Hints on the frame that is shown."""
        return tuple(hint.hint for hint in self.hints if self._is_here(hint))

    @property
    def options(self) -> ColorOptions:
        """Options for colouring the frame."""
        return ColorOptions(self.choices.vividness, self.choices.strength, self.marks)

    def film_options(self) -> FilmOptions:
        """Return the options for colouring the film."""
        return FilmOptions(ColorOptions(self.choices.vividness, self.choices.strength), recolor=self.recolor)

    def _is_here(self, hint: FilmHint) -> bool:
        return abs(hint.time - self.time) <= ROUNDED

    def color(self, color: tuple[int, int, int]) -> FilmSession:
        """Return the session with a hint at the cross; it replaces a hint there on this frame.

        Raises:
            OptionError: No place is chosen.
        """
        if self.place is None:
            raise OptionError("no place is chosen: click on the frame, or give the two percentages")
        x, y = self.place
        others = (hint for hint in self.hints if not (self._is_here(hint) and near(hint.hint, x, y)))
        return self.choose(hints=(*others, FilmHint(self.time, Hint(x, y, color))))

    def with_file(self, hints: Sequence[FilmHint]) -> FilmSession:
        """Return the session with the hints of a file in place of all others."""
        return self.choose(hints=tuple(hints))

    def without(self, number: int) -> FilmSession:
        """Return the session less one of its hints, counted from 0.

        Raises:
            OptionError: There is no hint of this number.
        """
        if not 0 <= number < len(self.hints):
            raise OptionError("this colour is gone already")
        return self.choose(hints=self.hints[:number] + self.hints[number + 1 :])

    def go(self, colorizer: Colorizer, time: Fraction) -> FilmSession:
        """Return the session at the first frame shown at a time or later.

        Raises:
            FilmError: The film ends before that time.
        """
        with open_film(colorizer, self.picture.source.path, self.film_options()) as (frame_colorizer, _):
            found, picture = _frame(frame_colorizer, self.picture.source, time)
        plain = colorizer.predict(picture.thumbnail, self.film_options().color)
        seen = CachedPrediction(self.choices.vividness, (), plain, plain)
        return replace(self, picture=picture, time=found, cached=seen, place=None)


@contextmanager
def open_film(
    colorizer: Colorizer, path: Path, options: FilmOptions, max_pixels: float = math.inf
) -> Iterator[tuple[FrameColorizer, Plan]]:
    """Open a film for looking at its frames.

    Raises:
        FilmError: The film cannot be read or is too large.
    """
    with naming(path), FilmReader(path, max_pixels) as reader:
        plan = make_plan(reader, None, options)
        yield FrameColorizer(colorizer, reader, plan.planes, options), plan


def begin_film(colorizer: Colorizer, upload: Path, work: Path, max_pixels: int) -> FilmSession:
    """Open a film at its first frame.

    Args:
        colorizer: Shared by all visitors.
        upload: The uploaded file, which is copied.
        work: Folder for the copy.
        max_pixels: Limit of width times height of a frame.

    Raises:
        FilmError: The film cannot be read or is too large.
    """
    source = Source(upload, work)
    try:
        return _begun(colorizer, source, max_pixels)
    except BaseException:
        source.discard()  # now, because the exception may be kept for long and refers to it
        raise


def _begun(colorizer: Colorizer, source: Source, max_pixels: int) -> FilmSession:
    own = colorizer.card.vividness
    with open_film(colorizer, source.path, FilmOptions(), max_pixels) as (frame_colorizer, _):
        has_colors = frame_colorizer.reader.colored_part() != "none"
        time, picture = _frame(frame_colorizer, source, Fraction(0))
    plain = colorizer.predict(picture.thumbnail)
    cached, choices = CachedPrediction(own, (), plain, plain), FilmChoices(own)
    return FilmSession(picture=picture, choices=choices, cached=cached, time=time, has_colors=has_colors)


def _frame(frame_colorizer: FrameColorizer, source: Source, time: Fraction) -> tuple[Fraction, Picture]:
    reader = frame_colorizer.reader
    prepared = frame_colorizer.prepare(next(reader.frames(reader.pts_at(time))))
    return reader.seconds(prepared.pts), Picture(source, _shown(frame_colorizer, prepared), prepared.thumbnail)


def _shown(frame_colorizer: FrameColorizer, prepared: PreparedFrame) -> np.ndarray:
    """Return a frame's luma, upright and with square pixels: uint8 ``[H, W]``, at most ``PREVIEW`` pixels long."""
    reader = frame_colorizer.reader
    height, width = reader.height, reader.width * float(reader.aspect)
    scale = min(1, PREVIEW / max(height, width))
    sides = (max(1, round(side * scale)) for side in (height, width))
    luma = thumbnail(luma_plane(prepared.frame), frame_colorizer.planes.coding, *sides)
    return np.ascontiguousarray(np.rot90(luma, reader.turns))
