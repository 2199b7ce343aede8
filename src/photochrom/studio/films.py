"""``Film``: a film on the tray, with the displayed frame, its shots and marks, and the job that colours it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..color.bands import small
from ..colorizer.options import ColorOptions
from ..errors import OptionError
from ..film import FilmOptions, FilmReport, Progress, colorize_film
from ..film.frames import FrameColorizer
from ..film.hints import FilmHint, film_hints_json, read_film_hints
from ..film.preview import shot_pictures
from ..film.shots.already_in_color import RECOLOR_NOTE, find_colored_shots
from ..film.shots.detection import MarkedShots, Shot
from ..film.shots.options import ShotOptions
from ..film.source.color_detection import InColorError
from ..film.source.samples import FrameSamples
from ..film.times import ROUNDED
from .film_frames import open_film, read_frame
from .history import History
from .items import Item, hiding_folder
from .jobs import Job
from .marks import Mark, hints_of, points_of
from .pictures import Picture
from .render import jpeg
from .state import AppState

_MOST_SHOTS = 2000  # maximum number of shots on the timeline


@dataclass(frozen=True)
class ShotDial:
    """The value of a dial that is set for one shot alone."""

    start: Fraction
    """Start of the shot in seconds."""
    dial: str
    value: float


@dataclass(frozen=True)
class FilmChoices:
    """The visitor's choices for a film, which undo and redo restore."""

    vividness: float | None
    strength: float = 1.0
    marks: tuple[Mark, ...] = ()
    shots: tuple[ShotDial, ...] = ()
    """Dials of single shots."""


@dataclass(frozen=True)
class KeptParts:
    """Coloured parts of a film, which a later job may reuse."""

    options: FilmOptions
    """Options with which they were coloured, as far as shots have none of their own."""
    hints: tuple[FilmHint, ...]
    is_whole: bool
    """Whether they make a finished film."""

    def can_serve(self, options: FilmOptions, hints: tuple[FilmHint, ...]) -> bool:
        """Return whether a job with these options and hints can reuse parts.

        Those of a finished film can be reused shot by shot; others only if nothing has changed.
        """
        is_similar = (self.options.color, self.options.recolor) == (options.color, options.recolor)
        return is_similar and (self.is_whole or (self.options, self.hints) == (options, hints))


@dataclass(frozen=True)
class Result:
    """A coloured film, and what the visitor had chosen for it."""

    path: Path
    choices: FilmChoices
    recolor: bool


class Film(Item[FilmChoices]):
    """A film that a visitor works on. Its shots are searched for in the background, from the beginning.

    Raises:
        FilmError: The film cannot be read or coloured, or is too large.
    """

    kind = "film"

    def __init__(self, state: AppState, source: Path, dropped_in: str = "") -> None:
        super().__init__(state, source, FilmChoices(state.colorizer.card.vividness), dropped_in)
        self.job, self.search = Job(), Job()
        self.shots: list[Shot] = []
        self._recolor = False
        self._kept: KeptParts | None = None
        self._result: Result | None = None
        self._time, self._shape, self._duration, self._step = Fraction(0), (1, 1), 0.0, 0.0
        # Decodes chroma, too, to show the frames that are in colour.
        self._any_chroma = FilmOptions(ColorOptions(detail=state.detail), recolor="grey-shots")
        self._colored_shots: MarkedShots | None = None  # None until they are found
        self._is_frame_colored = False  # whether the displayed frame is in a shot in colour
        with open_film(self._colorizer, source, self._any_chroma, state.max_pixels) as (frame_colorizer, _):
            reader = frame_colorizer.reader
            self.colored_part = FrameSamples(reader).colored_part()
            self._duration, self._step = float(reader.duration or 0), float(1 / reader.rate)
            state.pictures.put(self.id, self._frame(frame_colorizer, self._time))
        state.searches.add(self.search, lambda: self._unless_closed(self._find_shots))

    def options(self) -> ColorOptions:
        """Return the options for colouring the displayed frame."""
        now = self._history.now
        hints = tuple(hint for mark in self.marks() for hint in mark.hints(self._shape))
        color = ColorOptions(now.vividness, now.strength, hints, self._state.detail)
        return replace(color, **self._own_dials(self._shot()))

    def film_options(self) -> FilmOptions:
        """Return the options for colouring the whole film."""
        now = self._history.now
        color = ColorOptions(now.vividness, now.strength, detail=self._state.detail)
        if self.search.status != "done":
            return FilmOptions(color, recolor=self._recolor, keep_parts=True)
        # Each shot lists all its dials, so that kept parts stay valid until their own dials change.
        dials = {"vividness": now.vividness, "strength": now.strength}
        shots = tuple(ShotOptions(shot.start, **dials | self._own_dials(shot)) for shot in self.shots)
        base = self._kept.options.color if self._kept else color
        return FilmOptions(base, recolor=self._recolor, shots=shots, keep_parts=True)

    def _shot(self) -> Shot | None:
        """Return the shot that contains the displayed frame; None if it has not been found yet."""
        return next((s for s in self.shots if s.start - ROUNDED <= self._time < s.end - ROUNDED), None)

    def _own_dials(self, shot: Shot | None) -> dict[str, Any]:
        """Return the values of the dials that are set for a shot alone, by the name of the dial."""
        return {own.dial: own.value for own in self._history.now.shots if shot and shot.start == own.start}

    def hints(self) -> tuple[FilmHint, ...]:
        """Return the hints of the whole film."""
        return tuple(
            FilmHint(mark.time or Fraction(0), hint)
            for mark in self._history.now.marks
            for hint in mark.hints(self._shape)
        )

    def marks(self, time: Any = None) -> tuple[Mark, ...]:
        """Return the marks on the frame at a time in seconds; None for the displayed frame.

        Raises:
            OptionError: The time is not a number of seconds.
        """
        at = self._time if time is None else _seconds(time)
        return tuple(mark for mark in self._history.now.marks if _is_at(mark, at))

    def describe(self) -> dict[str, Any]:
        """Return the film's state as JSON for the page."""
        job, search = self.job.describe(), self.search.describe()  # first, since a finished job has all its results
        result, (height, width) = self._result, self._shape
        shots = [{"start": float(shot.start), "end": float(shot.end), "frames": shot.frames} for shot in self.shots]
        return super().describe() | {
            "width": width, "height": height, "time": float(self._time), "duration": self._duration, "step": self._step,
            "coloredPart": self.colored_part, "recolor": self._recolor, "shots": shots,
            "isKept": self._is_kept(),
            "marked": sorted({float(mark.time) for mark in self._history.now.marks if mark.time is not None}),
            "isOwn": bool(self._own_dials(self._shot())),
            "own": sorted({float(own.start) for own in self._history.now.shots}),
            "job": job, "search": search,
            "result": None if result is None else result.path.name,
            "isCurrent": result is not None and result == Result(result.path, self._history.now, self._recolor),
        }  # fmt: skip

    def _history_after(self, change: dict[str, Any]) -> History[FilmChoices]:
        if change.get("do") == "go":
            self._go(change.get("time"))
            return self._history
        if change.get("do") == "recolor":
            self._set_recolor(change.get("recolor") is True)
            return self._history
        if change.get("do") == "like the film":
            return self._history_without_own_dials()
        return super()._history_after(change)

    def _history_after_turn(self, dial: str, value: float, *, for_shot: bool) -> History[FilmChoices]:
        if not for_shot:
            return super()._history_after_turn(dial, value, for_shot=False)
        shot = self._found_shot()
        others = (own for own in self._history.now.shots if (own.start, own.dial) != (shot.start, dial))
        return self._history.turn(f"{dial} {shot.start}", shots=(*others, ShotDial(shot.start, dial, value)))

    def _history_without_own_dials(self) -> History[FilmChoices]:
        shot = self._found_shot()
        return self._history.choose(shots=tuple(own for own in self._history.now.shots if own.start != shot.start))

    def _found_shot(self) -> Shot:
        """Return the displayed frame's shot.

        Raises:
            OptionError: The shots have not been found yet.
        """
        shot = self._shot()
        if shot is None or self.search.busy:
            raise OptionError("the shots have not been found yet", remedy="wait until they are")
        return shot

    def _history_with_marks(self, marks: tuple[Mark, ...], time: Any) -> History[FilmChoices]:
        at = self._time if time is None else _seconds(time)  # another window may have moved on to another frame
        others = tuple(mark for mark in self._history.now.marks if not _is_at(mark, at))
        here = tuple(replace(mark, time=at) for mark in marks)
        hints_of(here, self._shape)  # raises an error for too many hints
        return self._history.choose(marks=(*others, *here))

    def _set_recolor(self, recolor: bool) -> None:
        self._revision += self._recolor != recolor
        self._recolor = recolor

    def _go(self, time: Any) -> None:
        """Display the first frame at or after a time in seconds, or the last frame if there is none.

        Raises:
            OptionError: The time is not a number from 0 up.
            FilmError: The frame cannot be read; the displayed one stays.
        """
        self._state.pictures.put(self.id, self._load(_seconds(time)))
        self._revision += 1

    def _load(self, time: Fraction | None = None) -> Picture:
        with open_film(self._colorizer, self.source, self._any_chroma) as (frame_colorizer, _):
            return self._frame(frame_colorizer, self._time if time is None else time)

    def _frame(self, frame_colorizer: FrameColorizer, time: Fraction) -> Picture:
        may_be_colored = self.colored_part == "some"
        frame = read_frame(frame_colorizer, time, self._colored_shots, may_be_colored=may_be_colored)
        self._time, self._shape, self._is_frame_colored = frame.time, frame.picture.luma.shape, frame.is_colored
        return frame.picture

    def rendered(self, longest: int) -> np.ndarray:
        """Return the displayed frame as it will be in the coloured film; errors are those of ``Item.rendered``."""
        own = self._loaded().own if self._is_kept() else None
        return super().rendered(longest) if own is None else small(own, longest)

    def _is_kept(self) -> bool:
        """Return whether colouring the film leaves the displayed frame unchanged."""
        return self._is_frame_colored and not self._recolor

    # Shots -----------------------------------------------------------------------------------------------------

    def _find_shots(self) -> str:
        """Find the shots, and write a small picture of each; return an empty message for the job."""
        folder = self.folder / "shots"
        folder.mkdir()
        with open_film(self._colorizer, self.source, self._any_chroma) as (frame_colorizer, plan):
            if self.colored_part == "some":
                found = find_colored_shots(frame_colorizer, plan, lambda: self.search.progress(0, 0))
                frame_colorizer = frame_colorizer.keeping(found.has)
                self._set_colored_shots(found)
            for shot, rgb in shot_pictures(frame_colorizer, plan, lambda: self.search.progress(len(self.shots), 0)):
                (folder / f"{len(self.shots)}.jpg").write_bytes(jpeg(rgb))
                self.shots.append(shot)
                if len(self.shots) == _MOST_SHOTS:
                    break
        return ""

    def _set_colored_shots(self, shots: MarkedShots) -> None:
        """Record which shots are in colour, and reload the displayed frame, which may be in one of them."""
        with self.lock:
            self._colored_shots = shots
            self._state.pictures.put(self.id, self._load())
            self._revision += 1

    def shot_picture(self, number: int) -> bytes:
        """Return a small picture of a shot, as JPEG; shots are numbered from 0.

        Raises:
            OptionError: There is no such shot, or it has not been found yet.
            OSError: The film was removed meanwhile.
        """
        if not 0 <= number < len(self.shots):
            raise OptionError("there is no such shot")
        return (self.folder / "shots" / f"{number}.jpg").read_bytes()

    # The job ---------------------------------------------------------------------------------------------------

    def start(self, *, recolor: bool) -> None:
        """Queue the job that colours the film.

        Args:
            recolor: Whether to colour shots that are in colour already, too.

        Raises:
            OptionError: The job is queued or running already, or the film is entirely in colour and ``recolor`` is
                false.
        """
        if self.colored_part == "all" and not recolor:
            raise _in_color_error()
        with self.lock:
            self._recolor = recolor
            options, hints, choices = self.film_options(), self.hints(), self._history.now

            def color() -> str:
                report = self._color(options, hints)
                self._result = Result(report.output, choices, recolor)
                return _summary(report)

            self._state.jobs.add(self.job, lambda: self._unless_closed(color))

    def _color(self, options: FilmOptions, hints: tuple[FilmHint, ...]) -> FilmReport:
        former = self._kept if self._kept and self._kept.can_serve(options, hints) else None
        kept = KeptParts(options, hints, is_whole=former is not None and former.is_whole)

        def on_progress(progress: Progress) -> None:
            self.job.progress(progress.done, progress.total, is_estimate=progress.is_estimate)
            self._state.disk.check(fresh=False)
            if progress.done:
                self._kept = kept

        self._state.disk.check()
        try:
            with hiding_folder(self.source):
                report = colorize_film(
                    self.source, None, options, hints=hints, colorizer=self._colorizer, overwrite=True,
                    restart=former is None, progress=on_progress,
                )  # fmt: skip
        except InColorError as exc:  # samples of the film were grey, but each of its shots is in colour
            raise _in_color_error() from exc
        self._kept = replace(kept, is_whole=True)
        return report

    def load_hints(self, path: Path) -> None:
        """Replace all marks by the hints of a JSON file.

        Raises:
            OptionError: The file cannot be read, or does not contain hints for a film.
        """
        with hiding_folder(path):
            hints = read_film_hints(path)
        marks = tuple(mark for hint in hints for mark in points_of([hint.hint], hint.time))
        with self.lock:
            self._history = self._history.choose(marks=marks)
            self._revision += 1

    def hints_text(self) -> str:
        """Return the hints as JSON text, in the format of ``photochrom film --hints``."""
        return film_hints_json(self.hints())

    def download(self) -> Path:
        """Return the path of the coloured film.

        Raises:
            OptionError: The film is not coloured yet.
        """
        if self._result is None:
            raise OptionError("this film is not coloured yet", remedy="colour it first")
        return self._result.path

    def close(self) -> None:
        """Stop the jobs and remove the film's files."""
        self.job.stop()
        self.search.stop()
        super().close()

    def _unless_closed(self, work: Callable[[], str]) -> str:
        """Run a job's work; if the film was removed meanwhile, remove the files that the job has written."""
        try:
            return work()
        finally:
            if self.is_closed:
                super().close()


def _summary(report: FilmReport) -> str:
    """Return the message of a finished job: numbers of frames and shots, and the notes, one a line."""
    frames, shots = report.frames, len(report.shots)
    sums = f"{frames} frames, 1 shot" if shots == 1 else f"{frames} frames, {shots} shots"  # for translation
    return "\n".join([sums, *(note.removesuffix(RECOLOR_NOTE) for note in report.notes)])


def _seconds(time: Any) -> Fraction:
    """Return a time that the page has sent; raise OptionError if it is not a number of seconds from 0 up."""
    if not isinstance(time, int | float) or not 0 <= time < 1e7:
        raise OptionError("the time is not a number of seconds")
    return Fraction(time).limit_denominator(10**6)


def _is_at(mark: Mark, time: Fraction) -> bool:
    return mark.time is not None and abs(mark.time - time) <= ROUNDED


def _in_color_error() -> OptionError:
    return OptionError("this film is in colour already", remedy="tick the box to colour it anyway")
