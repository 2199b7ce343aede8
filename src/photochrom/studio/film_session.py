"""One visitor's film, and what was chosen for it. Nothing here knows of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..colorizer import Colorizer
from ..errors import OptionError
from ..film import FilmOptions
from ..film.hints import FilmHint
from ..film.paint import Painter, Seen
from ..film.plan import Plan, make_plan
from ..film.planes import luma_plane, thumbnail
from ..film.source import Reel
from ..hints import Hint
from ..options import ColorOptions
from .answers import Answer, answer
from .job import Job
from .session import PREVIEW, Picture, Source, naming, near


@dataclass(frozen=True, eq=False)
class FilmSession:
    """One visitor's film, and the frame of it that is shown. Each change gives a new one."""

    picture: Picture
    """The frame, and the film as its source."""
    time: Fraction
    """Seconds from the beginning, of the frame."""
    answer: Answer
    """Of the network, about the frame; perhaps to former choices: see ``answered``."""
    has_colors: bool
    """Whether the film has colours of its own."""
    vividness: float | None
    strength: float = 1.0
    hints: tuple[FilmHint, ...] = ()
    place: tuple[float, float] | None = None
    """x and y, from 0 to 1, of the cross on the frame."""
    recolor: bool = False
    """Whether it may be coloured although it has colours."""
    job: Job = field(default_factory=Job)
    """What takes long with the film."""

    @property
    def marks(self) -> tuple[Hint, ...]:
        """What is known of the frame that is shown."""
        return tuple(hint.hint for hint in self.hints if hint.time == self.time)

    @property
    def options(self) -> ColorOptions:
        """How the frame is to be coloured."""
        return ColorOptions(self.vividness, self.strength, self.marks)

    def film_options(self) -> FilmOptions:
        """How the film is to be coloured."""
        return FilmOptions(ColorOptions(self.vividness, self.strength), recolor=self.recolor)

    def answered(self, colorizer: Colorizer) -> FilmSession:
        """With what the network says of the frame as it is to be coloured now."""
        found = answer(colorizer, self.picture.thumbnail, self.options, self.answer)
        return self if found is self.answer else replace(self, answer=found)

    def turn(self, dial: str, value: float) -> FilmSession:
        """With ``vividness`` or ``strength`` turned."""
        return replace(self, **{dial: value})  # type: ignore[arg-type]

    def at(self, x: float, y: float) -> FilmSession:
        """With the cross elsewhere."""
        return replace(self, place=(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)))

    def color(self, color: tuple[int, int, int]) -> FilmSession:
        """With a colour at the cross, in place of one that is there on this frame.

        Raises:
            OptionError: there is no cross.
        """
        if self.place is None:
            raise OptionError("no place is chosen: click on the frame, or give the two percentages")
        x, y = self.place
        others = (hint for hint in self.hints if hint.time != self.time or not near(hint.hint, x, y))
        return replace(self, hints=(*others, FilmHint(self.time, Hint(x, y, color))))

    def without(self, number: int) -> FilmSession:
        """Without one of the colours that were put, counted from 0.

        Raises:
            OptionError: there is none of this number.
        """
        if not 0 <= number < len(self.hints):
            raise OptionError("this colour is gone already")
        return replace(self, hints=self.hints[:number] + self.hints[number + 1 :])

    def go(self, colorizer: Colorizer, time: Fraction) -> FilmSession:
        """To another frame: the first that is shown at a time, or later.

        Raises:
            FilmError: the film has ended by then.
        """
        with open_film(colorizer, self.picture.source.path, self.film_options()) as (painter, _):
            found, picture = _frame(painter, self.picture.source, time)
        plain = colorizer.predict(picture.thumbnail, self.film_options().color)
        seen = Answer(self.vividness, (), plain, plain)
        return replace(self, picture=picture, time=found, answer=seen, place=None)


@contextmanager
def open_film(
    colorizer: Colorizer, path: Path, options: FilmOptions, max_pixels: float = math.inf
) -> Iterator[tuple[Painter, Plan]]:
    """A film, ready to be looked at.

    Raises:
        FilmError: it cannot be read, or is too large.
    """
    with naming(path), Reel(path, max_pixels) as reel:
        plan = make_plan(reel, None, options)
        yield Painter(colorizer, reel, plan.planes, options), plan


def begin_film(colorizer: Colorizer, upload: Path, work: Path, max_pixels: int) -> FilmSession:
    """Begin with a film, at its first frame.

    Args:
        colorizer: for all visitors.
        upload: the file; it is copied.
        work: a folder for the copy.
        max_pixels: refuse larger frames.

    Raises:
        FilmError: it cannot be read, or is too large.
    """
    source = Source(upload, work)
    try:
        return _begun(colorizer, source, max_pixels)
    except BaseException:
        source.discard()  # now: an exception may live long
        raise


def _begun(colorizer: Colorizer, source: Source, max_pixels: int) -> FilmSession:
    own = colorizer.card.vividness
    with open_film(colorizer, source.path, FilmOptions(), max_pixels) as (painter, _):
        has_colors = painter.reel.is_colored()
        time, picture = _frame(painter, source, Fraction(0))
    plain = colorizer.predict(picture.thumbnail)
    return FilmSession(picture, time, Answer(own, (), plain, plain), has_colors, own)


def _frame(painter: Painter, source: Source, time: Fraction) -> tuple[Fraction, Picture]:
    reel = painter.reel
    seen = painter.see(next(reel.frames(reel.pts_at(time))))
    return reel.seconds(seen.pts), Picture(source, _shown(painter, seen), seen.thumbnail)


def _shown(painter: Painter, seen: Seen) -> np.ndarray:
    """Luma of a frame as it is shown, upright and with square pixels: uint8, at most ``PREVIEW`` pixels long."""
    reel = painter.reel
    height, width = reel.height, reel.width * float(reel.aspect)
    scale = min(1, PREVIEW / max(height, width))
    sides = (max(1, round(side * scale)) for side in (height, width))
    luma = thumbnail(luma_plane(seen.frame), painter.planes.coding, *sides)
    return np.ascontiguousarray(np.rot90(luma, reel.turns))
