"""The tab that colours one photograph: what it shows, and what each click does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gradio as gr

from ...colorizer.hints import color_hex, hints_json, read_hints
from ...errors import OptionError
from ...photo import colored_path
from .. import render as pictures
from ..sessions.photo import Session, guesses, naming, open_session, read_in_color, write_full_size
from ..sessions.slots import SessionSlot, Updates, new_slot, opening, reading, reporting_errors, working
from ..state import AppState
from .canvas import IN_COLOR, PUT, QUICK, SLOW, Canvas, place_of
from .tools import FETCH, listed, photographs

NONE = -1  # index of no alternative; Gradio reads None as no change
LOST = "the photograph is no longer here: drop it again"


class PhotoTab:
    """Draws the tab. All state of a visitor is in the session, which each handler receives and returns."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._colorizer = state.colorizer
        self.slot = new_slot(LOST)
        self.canvas = Canvas(state, self.slot, "", lambda session: listed(session.marks))
        self.upload = gr.File(
            file_types=photographs(),
            label="Drop, paste or choose a photograph",
            height=320,
            elem_id="photograph",
            elem_classes="upload",
        )
        with gr.Row(visible=False, elem_id="desk") as self.desk:
            with gr.Column(scale=5, min_width=320):
                self._draw_left()
            with gr.Column(scale=3, min_width=320):
                self._draw_right()
        self._wire()

    def _draw_left(self) -> None:
        self.canvas.draw_picture("The photograph")
        self.gallery = gr.Gallery(
            label="Other guesses: choose one", columns=4, height="auto", allow_preview=False, buttons=[],
            visible=bool(self._colorizer.card.bins), elem_id="guesses", elem_classes="gallery", object_fit="contain",
        )  # fmt: skip

    def _draw_right(self) -> None:
        self.canvas.draw_dials()
        with gr.Column(elem_classes="known"):
            self.canvas.draw_known()
        with gr.Accordion("Borrow colours from another photograph", open=False):
            self.lender = gr.File(
                file_types=photographs(), label="One in colour, of something alike", height=120, elem_id="lender"
            )
            self.lent = gr.Image(
                interactive=False, visible=False, buttons=[], label="A click picks up its colour", elem_id="lent"
            )
            self.give_back = gr.Button("Give the colours back", visible=False, size="md")
        self.make = gr.Button("Download at full size", variant="primary", elem_id="full-size-make")
        self.canvas.draw_files()
        with gr.Row(elem_classes="unseen"):
            self.file = gr.DownloadButton(elem_id="full-size", visible="hidden")

    def _wire(self) -> None:
        canvas, slot = self.canvas, self.slot
        canvas.wire()
        turned = [*canvas.turned, self.give_back, self.gallery]
        opened = [*turned, *canvas.at, self.desk, canvas.view, self.lender, self.lent]
        dropped = self.upload.change(opening(slot, self.open), [slot, self.upload], opened, **SLOW)
        dropped.success(reporting_errors(self.guess), [slot], [slot, self.gallery], **QUICK)
        dropped.failure(lambda: None, None, [self.upload], **QUICK)  # a refused file must not look as if it were open
        canvas.undo.click(working(slot, self.undo_last), canvas.seen, turned, **QUICK)
        canvas.redo.click(working(slot, self.redo_last), canvas.seen, turned, **QUICK)
        self.gallery.select(working(slot, self.choose), canvas.seen, turned, **QUICK)
        canvas.load_json.upload(working(slot, self.load_hints), [*canvas.seen, canvas.load_json], turned, **QUICK)
        self.lender.upload(working(slot, self.take_colors), [*canvas.seen, self.lender], [*turned, self.lent], **SLOW)
        self.lent.select(reading(self.pick_from_lent), [slot], [canvas.color, canvas.mode], **QUICK)
        self.give_back.click(working(slot, self.give), canvas.seen, turned, **QUICK)
        full_size = (self.make, self.full_size, self.file)
        for button, make, file in (full_size, (canvas.make_json, self.hints_file, canvas.json)):
            button.click(reading(make), [slot], [file], **SLOW).success(None, [file], js=FETCH, **QUICK)

    def _turned(self, session: Session, view: str) -> Updates:
        """Update the picture, the sliders, the borrow button, and the frame round the chosen alternative."""
        choices = session.choices
        chosen = session.guesses.index(choices.guess) if choices.guess in session.guesses else NONE
        return self.canvas.turn(session, view) | {
            self.give_back: gr.update(visible=bool(choices.borrowed)),
            self.gallery: gr.update(selected_index=chosen),
        }

    # Events ----------------------------------------------------------------------------------------------------

    def open(self, upload: str | None) -> Updates:
        """Handle a photograph that was dropped or removed."""
        if upload is None:
            return {self.slot: None, self.desk: gr.update(visible=False), self.gallery: None}
        self._state.disk.check(Path(upload).stat().st_size)  # for the copy
        session = open_session(self._colorizer, Path(upload), self._state.kept, self._state.max_pixels)
        nothing_lent = {self.lender: None, self.lent: gr.update(value=None, visible=False)}
        shown = {self.desk: gr.update(visible=True), self.canvas.view: IN_COLOR, self.gallery: None}
        return self._turned(session, IN_COLOR) | self.canvas.cross(session) | shown | nothing_lent

    def guess(self, slot: SessionSlot) -> Updates:
        """Show the model's alternatives after the first picture. The visitor may go on meanwhile."""
        session = slot.session
        if session is None or not self._colorizer.card.bins:
            return {self.slot: slot}
        found = guesses(self._colorizer, session)
        shown = pictures.guesses(self._colorizer, session, found)
        paths = [pictures.save(rgb, self._state.new_picture()) for rgb in shown]
        with slot.turn:
            if slot.session is None or slot.session.picture is not session.picture:
                return {self.slot: slot}
            slot.session = replace(slot.session, guesses=found)
        return {self.slot: slot, self.gallery: paths}

    def undo_last(self, session: Session, view: str) -> Updates:
        """Undo the last change."""
        return self._turned(session.undo(), view)

    def redo_last(self, session: Session, view: str) -> Updates:
        """Redo the last undone change."""
        return self._turned(session.redo(), view)

    def choose(self, session: Session, view: str, event: gr.SelectData) -> Updates:
        """Choose an alternative."""
        if not 0 <= int(event.index) < len(session.guesses):
            raise OptionError("this guess is gone: choose another")
        return self._turned(session.choose(guess=session.guesses[int(event.index)]), view)

    def load_hints(self, session: Session, view: str, file: str) -> Updates:
        """Load hints from a file, saved here or written for the command line."""
        with naming(Path(file)):
            hints = read_hints(file)
        return self._turned(session.with_file(hints), view)

    def take_colors(self, session: Session, view: str, lender: str) -> Updates:
        """Borrow the colours of another photograph where it matches."""
        rgb = read_in_color(Path(lender), self._state.max_pixels)
        borrowed = self._state.references.borrow(session.picture.thumbnail, rgb)
        if not borrowed:
            gr.Info("No part of it looks like a part of yours. A click on it still picks up its colours.", title="")
        shown = gr.update(value=pictures.save(rgb, self._state.new_picture()), visible=True)
        return self._turned(replace(session, lent=rgb).choose(borrowed=borrowed), view) | {self.lent: shown}

    def pick_from_lent(self, session: Session, event: gr.SelectData) -> Updates:
        """Pick up the colour at a click on the other photograph."""
        if (rgb := session.lent) is None:
            raise OptionError("the other photograph is no longer here: drop it again")
        color = pictures.color_at(rgb, *place_of(event, rgb.shape))
        return {self.canvas.color: color_hex(color), self.canvas.mode: PUT}

    def give(self, session: Session, view: str) -> Updates:
        """Remove the borrowed colours."""
        return self._turned(session.choose(borrowed=()), view)

    def full_size(self, session: Session) -> str:
        """Write the file for download."""
        return str(write_full_size(self._colorizer, session, self._state.new_folder(), self._state.output))

    def hints_file(self, session: Session) -> str:
        """Write the hints as ``photochrom photo --hints`` reads them."""
        path = self._state.new_folder() / colored_path(session.picture.source.path).with_suffix(".json").name
        path.write_text(hints_json(session.options.hints))
        return str(path)
