"""The tab where a film is coloured: its shots, colours that are known on single frames, and the job."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from ..chroma import to_rgb
from ..colorizer import Colorizer
from ..errors import OptionError
from ..film import FilmOptions, Progress, colorize_film
from ..film.hints import FilmHint, follow
from ..film.options import time_text
from ..film.paint import Painter
from ..film.plan import Plan, make_plan
from ..film.preview import preview
from ..film.source import Reel
from ..hints import Hint
from ..options import ColorOptions
from . import pictures
from .session import Source, naming
from .shared import Studio
from .tools import FETCH, HINTS, TRIGGER, color_of, dials, hexadecimal, told

FILMS = [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".ogv"]

Updates = dict[Any, Any]


class _StoppedError(Exception):
    """The visitor stopped the job; it can go on."""


@dataclass(frozen=True, eq=False)
class FilmSession:
    """One visitor's film."""

    source: Source
    hints: tuple[FilmHint, ...] = ()
    time: Fraction = Fraction(0)
    """Seconds from the beginning, of the frame that is shown."""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def here(self) -> tuple[Hint, ...]:
        """What is known of the frame that is shown."""
        return tuple(hint.hint for hint in self.hints if hint.time == self.time)


@contextmanager
def open_film(colorizer: Colorizer, session: FilmSession, options: FilmOptions) -> Iterator[tuple[Painter, Plan]]:
    """The film, ready to be looked at.

    Raises:
        FilmError: it cannot be read.
    """
    with naming(session.source.path), Reel(session.source.path) as reel:
        plan = make_plan(reel, None, options)
        yield Painter(colorizer, reel, plan.planes, options), plan


def show_frame(painter: Painter, session: FilmSession) -> tuple[FilmSession, np.ndarray]:
    """The frame at the session's time, whose own time the session then has, and the frame in colour, RGB."""
    reel = painter.reel
    frame = painter.see(next(reel.frames(reel.pts_at(session.time))))
    session = replace(session, time=reel.seconds(frame.pts))
    color = painter.options.color.with_hints(session.here)
    rgb = to_rgb(frame.thumbnail, *painter.colorizer.chroma(frame.thumbnail, color))
    return session, pictures.marked(rgb, session.here, None)


class FilmTab:
    """Draws the tab."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self.session = gr.State()
        self.upload = gr.File(file_types=FILMS, label="Drop or choose a film", height=320, elem_id="film")
        with gr.Row(visible=False) as self.desk:
            with gr.Column(scale=5, min_width=320):
                self.frame = gr.Image(show_label=False, interactive=False, buttons=[], elem_id="frame")
                with gr.Row(elem_classes="line"):
                    self.time = gr.Number(0, label="Second", minimum=0, elem_id="second", min_width=90)
                    self.show = gr.Button("Show this frame", elem_id="show-frame", min_width=120)
                    self.look = gr.Button("Show all shots", elem_id="show-shots", min_width=120)
                self.sheet = gr.Image(
                    label="Each shot: grey above, in colour below",
                    interactive=False,
                    buttons=["fullscreen"],
                    visible=False,
                    elem_id="sheet",
                )
            with gr.Column(scale=3, min_width=320):
                self.vividness, self.strength = dials(studio.colorizer)
                self.color = gr.ColorPicker(
                    "#8a6a4a", label="A click on the frame puts this colour", elem_id="film-color"
                )
                self.hints = gr.HTML([], html_template=HINTS, js_on_load=TRIGGER, elem_id="film-hints")
                self.start = gr.Button("Colour the film", variant="primary", elem_id="colour-film")
                self.stop = gr.Button("Stop", elem_id="stop-film")
                self.status = gr.Markdown(elem_id="film-status")
                self.file = gr.DownloadButton(visible="hidden")
        self._wire()

    def _wire(self) -> None:
        chosen = [self.session, self.vividness, self.strength]
        shown = [self.session, self.frame, self.hints, self.time]
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        slow = quick | {"show_progress": "minimal"}
        opening = self.upload.change(
            told(self.open), [self.upload], [*shown, self.desk, self.sheet, self.status], **slow
        )
        opening.failure(lambda: None, None, [self.upload], **quick)
        self.show.click(told(self.go), [*chosen, self.time], shown, **slow)
        self.frame.select(told(self.click), [*chosen, self.color], shown, **quick)
        self.hints.click(told(self.remove), chosen, shown, **quick)
        for slider in (self.vividness, self.strength):
            slider.input(told(self.again), chosen, shown, trigger_mode="always_last", **quick)
        self.look.click(told(self.shots), chosen, [self.sheet], concurrency_limit=1, concurrency_id="films", **slow)
        job = quick | {"show_progress": "full", "concurrency_limit": 1, "concurrency_id": "films"}
        done = self.start.click(told(self.color_film), chosen, [self.file, self.status], **job)
        done.success(None, [self.file], js=f"file => file && ({FETCH})(file)", **quick)
        self.stop.click(told(self.stop_film), [self.session], None, **quick)

    def _options(self, vividness: float, strength: float) -> FilmOptions:
        has_dial = self._studio.colorizer.card.vividness is not None
        return FilmOptions(ColorOptions(vividness if has_dial else None, strength), recolor=True)

    def _shown(self, session: FilmSession, options: FilmOptions) -> Updates:
        with open_film(self._studio.colorizer, session, options) as (painter, _):
            session, rgb = show_frame(painter, session)
        return {
            self.session: session,
            self.frame: pictures.save(rgb, self._studio.shown),
            self.hints: _listed(session.hints),
            self.time: round(float(session.time), 3),
        }

    def open(self, upload: str | None) -> Updates:
        """A film was dropped, or taken away."""
        nothing = {self.sheet: gr.update(value=None, visible=False), self.status: ""}
        if upload is None:
            return {self.session: None, self.desk: gr.update(visible=False)} | nothing
        session = FilmSession(Source(Path(upload), self._studio.kept))
        shown = self._shown(session, FilmOptions(recolor=True))
        return shown | nothing | {self.desk: gr.update(visible=True)}

    def go(self, session: FilmSession, vividness: float, strength: float, seconds: float | None) -> Updates:
        """To another frame."""
        time = Fraction(seconds or 0).limit_denominator(10**6)
        return self._shown(replace(_there(session), time=time), self._options(vividness, strength))

    def again(self, session: FilmSession, vividness: float, strength: float) -> Updates:
        """The same frame, with the dials turned."""
        return self._shown(_there(session), self._options(vividness, strength))

    def click(
        self, session: FilmSession, vividness: float, strength: float, color: str, event: gr.SelectData
    ) -> Updates:
        """A colour is put on the frame."""
        options = self._options(vividness, strength)
        with open_film(self._studio.colorizer, _there(session), options) as (painter, _):
            height, width = show_frame(painter, session)[1].shape[:2]
        x, y = ((float(value) + 0.5) / side for value, side in zip(event.index, (width, height), strict=True))
        hint = FilmHint(session.time, Hint(min(max(x, 0), 1), min(max(y, 0), 1), color_of(color)))
        return self._shown(replace(session, hints=(*session.hints, hint)), options)

    def remove(self, session: FilmSession, vividness: float, strength: float, event: gr.EventData) -> Updates:
        """A colour is taken away."""
        number, hints = str(event.number), _there(session).hints
        if not (number.isdecimal() and int(number) < len(hints)):
            raise OptionError("this colour is gone already")
        kept = hints[: int(number)] + hints[int(number) + 1 :]
        return self._shown(replace(session, hints=kept), self._options(vividness, strength))

    def shots(self, session: FilmSession, vividness: float, strength: float) -> Any:
        """A sheet with frames of each shot."""
        with open_film(self._studio.colorizer, _there(session), self._options(vividness, strength)) as (painter, plan):
            painter.known = follow(painter, session.hints)
            path = self._studio.shown / f"{secrets.token_hex(16)}.png"
            preview(painter, plan).save(path)
        return gr.update(value=str(path), visible=True)

    def color_film(
        self,
        session: FilmSession,
        vividness: float,
        strength: float,
        bar: gr.Progress = gr.Progress(),  # noqa: B008  how Gradio hands it over
    ) -> tuple[Any, str]:
        """The job. Stopped, it goes on where it was when it is started again with the same colours."""
        source, options = _there(session).source.path, self._options(vividness, strength)
        session.stop.clear()

        def told_of(progress: Progress) -> None:
            bar((progress.done, progress.total), unit="frames")
            if session.stop.is_set():
                raise _StoppedError

        colorizer = self._studio.colorizer
        try:
            with naming(source):
                report = colorize_film(
                    source, None, options, hints=session.hints, colorizer=colorizer, overwrite=True, progress=told_of
                )
        except _StoppedError:
            return None, "Stopped. *Colour the film* goes on from here."
        path = self._studio.new_folder() / report.output.name
        report.output.replace(path)
        notes = "".join(f"\n- `{note}`" for note in report.notes)
        return str(path), f"{report.frames} frames in {len(report.shots)} shots.{notes}"

    def stop_film(self, session: FilmSession | None) -> None:
        """Stop the job."""
        _there(session).stop.set()


def _there(session: FilmSession | None) -> FilmSession:
    if session is None:
        raise OptionError("the film is no longer here: drop it again")
    return session


def _listed(hints: Sequence[FilmHint]) -> list[dict[str, str]]:
    return [{"color": hexadecimal(hint.hint.color), "place": f"at {time_text(hint.time)}"} for hint in hints]
