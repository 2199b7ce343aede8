"""The tab that colours a film: its shots, the hints on single frames, and the job."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import gradio as gr

from ...errors import OptionError
from ...film import FilmReport, Progress, colorize_film
from ...film.hints import film_hints_json, read_film_hints
from ...film.preview import preview
from ..sessions.film import FilmSession, begin_film, open_film
from ..sessions.film_job import StoppedError
from ..sessions.photo import naming
from ..sessions.slots import Updates, new_slot, opening, reading, working
from ..state import AppState
from .canvas import IN_COLOR, QUICK, SLOW, Canvas
from .tools import FETCH, place_text

FILMS = [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".ogv"]
LOST = "the film is no longer here: drop it again"


class FilmTab:
    """Draws the tab. All state of a visitor is in the session, which each handler receives and returns."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._colorizer = state.colorizer
        self.slot = new_slot(LOST, days=7, gone=_stop)  # a job may run for days without a click
        self.canvas = Canvas(state, self.slot, "film-", _listed)
        self.upload = gr.File(
            file_types=FILMS, label="Drop or choose a film", height=320, elem_id="film", elem_classes="upload"
        )
        with gr.Row(visible=False) as self.desk:
            with gr.Column(scale=5, min_width=320):
                self._draw_left()
            with gr.Column(scale=3, min_width=320):
                self._draw_right()
        self._wire()

    def _draw_left(self) -> None:
        self.canvas.draw_picture("A frame of the film")
        with gr.Row(elem_classes="line"):
            self.time = gr.Number(0, label="Second", minimum=0, elem_id="second", min_width=90)
            self.show = gr.Button("Show this frame", elem_id="show-frame", min_width=120, size="md")
            self.look = gr.Button("Show all shots", elem_id="show-shots", min_width=120, size="md")
        self.sheet = gr.Image(
            label="Each shot: grey above, in colour below", interactive=False, buttons=["fullscreen"], visible=False,
            elem_id="sheet",
        )  # fmt: skip

    def _draw_right(self) -> None:
        self.canvas.draw_dials()
        with gr.Column(elem_classes="known"):
            self.canvas.draw_known()
            self.canvas.draw_files()
        self.anew = gr.Checkbox(
            label="This film is in colour already: colour it anew", info="The colours it has are then replaced.",
            visible=False, elem_id="film-anew",
        )  # fmt: skip
        self.start = gr.Button("Colour the film", variant="primary", elem_id="colour-film")
        self.stop = gr.Button("Stop", elem_id="stop-film", size="md")
        self.status = gr.Markdown(elem_id="film-status")
        self.file = gr.DownloadButton(visible="hidden")

    def _wire(self) -> None:
        canvas, slot = self.canvas, self.slot
        canvas.wire()
        shown = [*canvas.drawn, *canvas.at, self.time]
        opened = [*shown, canvas.view, canvas.vividness, canvas.strength, self.desk, self.sheet, self.anew, self.status]
        for button, handler in ((canvas.undo, self.undo_last), (canvas.redo, self.redo_last)):
            button.click(working(slot, handler), canvas.seen, canvas.turned, **QUICK)
        load = [*canvas.seen, canvas.load_json]
        canvas.load_json.upload(working(slot, self.load_hints), load, canvas.turned, **QUICK)
        made = canvas.make_json.click(reading(self.hints_file), [slot], [canvas.json], **SLOW)
        made.success(None, [canvas.json], js=FETCH, **QUICK)
        dropped = self.upload.change(opening(slot, self.open), [slot, self.upload], opened, **SLOW)
        dropped.failure(lambda: None, None, [self.upload], **QUICK)
        for event in (self.show.click, self.time.submit):
            event(working(slot, self.go), [*canvas.seen, self.time], shown, **SLOW)
        films: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "films"}
        asked = self.look.click(reading(self.ask), [slot], None, **QUICK)
        asked.success(reading(self.shots), [slot], [self.sheet], **films, **SLOW)
        job = QUICK | films | {"show_progress": "full"}
        begun = self.start.click(working(slot, self.begin), [slot, self.anew], [slot, self.status], **QUICK)
        done = begun.success(reading(self.color_film), [slot], [self.file, self.status], **job)
        done.success(None, [self.file], js=f"file => file && ({FETCH})(file)", **QUICK)
        self.stop.click(reading(self.stop_film), [slot], [self.status], **QUICK)

    def _framed(self, session: FilmSession, view: str) -> Updates:
        drawn = self.canvas.draw(session, view) | self.canvas.cross(session)
        return drawn | {self.time: round(float(session.time), 3)}

    # Events ----------------------------------------------------------------------------------------------------

    def open(self, upload: str | None) -> Updates:
        """Handle a film that was dropped or removed."""
        nothing = {self.sheet: gr.update(value=None, visible=False), self.status: ""}
        if upload is None:
            return {self.slot: None, self.desk: gr.update(visible=False)} | nothing
        self._state.disk.check(Path(upload).stat().st_size)
        session = begin_film(self._colorizer, Path(upload), self._state.kept, self._state.max_pixels)
        shown = self.canvas.turn(session, IN_COLOR) | self.canvas.cross(session)
        ask = {self.anew: gr.update(value=False, visible=session.has_colors), self.desk: gr.update(visible=True)}
        return shown | {self.canvas.view: IN_COLOR, self.time: 0} | nothing | ask

    def go(self, session: FilmSession, view: str, seconds: float | None) -> Updates:
        """Show another frame."""
        return self._framed(session.go(self._colorizer, Fraction(seconds or 0).limit_denominator(10**6)), view)

    def undo_last(self, session: FilmSession, view: str) -> Updates:
        """Undo the last change."""
        return self.canvas.turn(session.undo(), view)

    def redo_last(self, session: FilmSession, view: str) -> Updates:
        """Redo the last undone change."""
        return self.canvas.turn(session.redo(), view)

    def load_hints(self, session: FilmSession, view: str, file: str) -> Updates:
        """Load hints from a file, saved here or written for the command line."""
        with naming(Path(file)):
            hints = read_film_hints(file)
        return self.canvas.turn(session.with_file(hints), view)

    def hints_file(self, session: FilmSession) -> str:
        """Write the hints as ``photochrom film --hints`` reads them."""
        path = self._state.new_folder() / f"{session.picture.source.path.stem}.hints.json"
        path.write_text(film_hints_json(session.hints))
        return str(path)

    def ask(self, session: FilmSession) -> None:
        """Request a sheet, which may wait for another visitor's job."""
        session.job.ask("sheet")

    def shots(self, session: FilmSession) -> Any:
        """Draw a sheet with frames of each shot."""
        try:
            with session.job.turn("sheet"):
                return gr.update(value=str(self._sheet(session)), visible=True)
        except StoppedError:
            return gr.skip()

    def _sheet(self, session: FilmSession) -> Path:
        path = self._state.new_folder() / "shots.png"
        with open_film(self._colorizer, session.picture.source.path, session.film_options()) as (frame_colorizer, plan):
            sheet = preview(frame_colorizer, plan, session.hints, lambda: self._see_whether_to_go_on(session))
        sheet.save(path)
        return path

    def begin(self, session: FilmSession, anew: bool) -> Updates:
        """Request the colouring of the film."""
        if session.has_colors and not anew:
            raise OptionError("this film is in colour already: tick the box to colour it anew")
        session.job.ask("film")
        return {self.slot: replace(session, recolor=anew), self.status: ""}

    def color_film(
        self,
        session: FilmSession,
        bar: gr.Progress = gr.Progress(),  # noqa: B008  Gradio passes it this way
    ) -> tuple[Any, Any]:
        """Colour the film. A stopped job continues when it is started again with the same choices."""
        try:
            with session.job.turn("film"):
                report = self._color_film(session, bar)
        except StoppedError:  # the visitor who stopped it has been told
            return None, gr.skip()
        path = report.output.replace(self._state.new_folder(check=False) / report.output.name)
        notes = "".join(f"\n- `{note}`" for note in report.notes)
        return str(path), f"{_count(report.frames, 'frame')} in {_count(len(report.shots), 'shot')}.{notes}"

    def _color_film(self, session: FilmSession, bar: gr.Progress) -> FilmReport:
        def told_of(progress: Progress) -> None:
            bar((progress.done, progress.total), unit="frames")
            self._state.disk.check(fresh=False)
            self._see_whether_to_go_on(session)
            if progress.done:
                session.job.begun(settings)

        self._state.disk.check()
        source, options = session.picture.source.path, session.film_options()
        settings = options, session.hints
        with naming(source):
            return colorize_film(
                source, None, options, hints=session.hints, colorizer=self._colorizer, overwrite=True,
                restart=session.job.changes(settings), progress=told_of,
            )  # fmt: skip

    def _see_whether_to_go_on(self, session: FilmSession) -> None:
        if session.job.stopped or self._state.ending.is_set():
            raise StoppedError

    def stop_film(self, session: FilmSession) -> Any:
        """Stop the job or the sheet."""
        said = {"film": "Stopped. *Colour the film* goes on where it was.", "sheet": "Stopped."}
        return said.get(session.job.stop() or "", gr.skip())


def _stop(session: FilmSession) -> None:
    """Stop the job of a session that has closed."""
    session.job.stop()


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _listed(session: FilmSession) -> list[dict[str, str]]:
    return [
        {"color": hint.hint.hex, "place": f"{float(hint.time):.6g} s: {place_text(hint.hint)}"}
        for hint in session.hints
    ]
