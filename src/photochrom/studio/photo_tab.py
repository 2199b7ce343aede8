"""The tab where one photograph is coloured: what it shows, and what happens at each click."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import OptionError
from ..files import colored_path
from ..hints import hints_json
from ..suggestions import likely_colors
from . import pictures
from .session import Session, guess_anew, open_session, predict, read_in_color, write_full_size
from .shared import Studio
from .tools import FETCH, HINTS, TRIGGER, color_of, dials, hexadecimal, listed, percentage, photographs, told

IN_COLOR, AS_IT_WAS, COMPARE, UNSURE = "In colour", "As it was", "Compare", "Where it is unsure"
ASK, PUT, PICK = "shows likely colours", "puts the colour", "picks up a colour"

_SWATCHES = """<p>
{{#if value}}Likely here: one click puts it{{else}}Click on the picture, and the colours likely there appear{{/if}}</p>
{{#each value}}<button type="button" data-color="{{this}}" style="background: {{this}}" title="{{this}}"
 aria-label="Put the likely colour {{this}} here"></button>{{/each}}"""
Updates = dict[Any, Any]


class PhotoTab:
    """Draws the tab. What a visitor has done is in the session alone, which each handler gets and gives back."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._colorizer = studio.colorizer
        self._guesses = bool(studio.colorizer.card.bins)
        self.session = gr.State()
        self.upload = gr.File(
            file_types=photographs(), label="Drop, paste or choose a photograph", height=320, elem_id="photograph"
        )
        with gr.Row(visible=False, elem_id="desk") as self.desk:
            with gr.Column(scale=5, min_width=320):
                self._draw_picture()
            with gr.Column(scale=3, min_width=320):
                self.vividness, self.strength = dials(studio.colorizer)
                self._draw_hints()
                self._draw_reference()
                self._draw_downloads()
        self._wire()

    def _draw_picture(self) -> None:
        self.picture = gr.Image(
            show_label=False, interactive=False, buttons=["fullscreen"], elem_id="picture", alt_text="The photograph"
        )
        self.slider = gr.ImageSlider(
            show_label=False,
            interactive=False,
            buttons=["fullscreen"],
            visible=False,
            max_height=1400,
            elem_id="compare",
        )
        self.swatches = gr.HTML(
            [], html_template=_SWATCHES, js_on_load=TRIGGER, visible=self._guesses, elem_id="likely"
        )
        views = [IN_COLOR, AS_IT_WAS, COMPARE, *([UNSURE] if self._guesses else [])]
        self.view = gr.Radio(views, value=IN_COLOR, show_label=False, container=False, elem_id="view")
        self.gallery = gr.Gallery(
            label="Other guesses: choose one", columns=4, height="auto", allow_preview=False, buttons=[],
            visible=self._guesses, elem_id="guesses", elem_classes="gallery", object_fit="contain",
        )  # fmt: skip

    def _draw_hints(self) -> None:
        with gr.Column(elem_id="known"):
            gr.Markdown("### Colours you know")
            modes = [*([ASK] if self._guesses else []), PUT, PICK]
            self.mode = gr.Radio(modes, value=modes[0], label="A click on the picture", elem_id="mode")
            with gr.Row():
                self.x, self.y = percentage("From the left, %", "x"), percentage("From the top, %", "y")
            with gr.Row(elem_classes="line"):
                self.color = gr.ColorPicker("#8a6a4a", label="The colour", min_width=90, elem_id="color")
                self.put = gr.Button("Put it at the cross", min_width=120, elem_id="put")
            self.hints = gr.HTML([], html_template=HINTS, js_on_load=TRIGGER, elem_id="given")
            with gr.Row():
                self.undo = gr.Button("Undo", interactive=False, min_width=90, size="md")
                self.redo = gr.Button("Redo", interactive=False, min_width=90, size="md")

    def _draw_reference(self) -> None:
        with gr.Accordion("Borrow colours from another photograph", open=False):
            self.lender = gr.File(
                file_types=photographs(), label="One in colour, of something alike", height=120, elem_id="lender"
            )
            self.lent = gr.Image(
                interactive=False, visible=False, buttons=[], label="A click picks up its colour", elem_id="lent"
            )
            self.give_back = gr.Button("Give the colours back", visible=False)

    def _draw_downloads(self) -> None:
        self.make = gr.Button("Download at full size", variant="primary", elem_id="full-size-make")
        self.make_json = gr.Button("Download the hints", elem_id="hints-make")
        with gr.Row(elem_classes="unseen"):
            self.file = gr.DownloadButton(elem_id="full-size", visible="hidden")
            self.json = gr.DownloadButton(elem_id="hints-file", visible="hidden")

    def _wire(self) -> None:
        seen = [self.session, self.view]
        drawn = [self.session, self.picture, self.slider, self.hints, self.undo, self.redo]
        turned = [*drawn, self.vividness, self.strength, self.give_back]
        at = [self.x, self.y, self.swatches]
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        latest = quick | {"trigger_mode": "always_last"}
        slow = quick | {"show_progress": "minimal"}

        opened = [*turned, *at, self.desk, self.view, self.gallery, self.lender, self.lent]
        opening = self.upload.change(told(self.open), [self.upload], opened, **slow)
        opening.success(told(self.guess), [self.session], [self.session, self.gallery], **quick)
        opening.failure(lambda: None, None, [self.upload], **quick)  # what was refused does not stand there as if open
        self.view.input(told(self.look), seen, drawn, **latest)
        for name, slider in (("vividness", self.vividness), ("strength", self.strength)):
            slider.input(told(self.turner(name)), [*seen, slider], drawn, **latest)
        clicked = [*drawn, *at, self.color, self.mode]
        self.picture.select(told(self.click), [*seen, self.mode, self.color], clicked, **quick)
        for number in (self.x, self.y):
            number.input(told(self.move), [*seen, self.x, self.y], [*drawn, self.swatches], **latest)
        put = [*drawn, self.color]
        self.put.click(told(self.put_color), [*seen, self.color, self.x, self.y], put, **quick)
        self.swatches.click(told(self.put_likely), seen, put, **quick)
        self.hints.click(told(self.remove), seen, drawn, **quick)
        self.undo.click(told(self.undo_last), seen, turned, **quick)
        self.redo.click(told(self.redo_last), seen, turned, **quick)
        self.gallery.select(told(self.choose), seen, turned, **quick)
        self.lender.upload(told(self.take_colors), [*seen, self.lender], [*turned, self.lent], **slow)
        self.lent.select(told(self.pick_from_lent), [self.session], [self.color, self.mode], **quick)
        self.give_back.click(told(self.give), seen, turned, **quick)
        full_size = (self.make, self.full_size, self.file)
        for button, make, file in (full_size, (self.make_json, self.hints_file, self.json)):
            button.click(told(make), [self.session], [file], **slow).success(None, [file], js=FETCH, **quick)

    # What is shown ---------------------------------------------------------------------------------------------------

    def _drawn(self, session: Session, view: str) -> Updates:
        """The picture, the list of hints and the two arrows of time."""
        picture, prediction = session.picture, predict(self._colorizer, session)
        updates: Updates = {
            self.session: session,
            self.hints: listed(session.choices.given),
            self.undo: gr.update(interactive=bool(session.past)),
            self.redo: gr.update(interactive=bool(session.future)),
            self.picture: gr.update(visible=view != COMPARE),
            self.slider: gr.update(visible=view == COMPARE),
        }
        if view == AS_IT_WAS:
            return updates | {self.picture: self._image(pictures.grey(picture.luma), session)}
        rgb = pictures.colored(self._colorizer, picture.luma, session.choices.options, prediction)
        if view == COMPARE:
            before = pictures.save(pictures.grey(picture.luma), self._studio.shown)
            pair = (before, pictures.save(rgb, self._studio.shown))
            return updates | {self.slider: gr.update(value=pair, visible=True)}
        shown = pictures.doubt(rgb, prediction) if view == UNSURE else rgb
        return updates | {self.picture: self._image(shown, session)}

    def _image(self, rgb: Any, session: Session) -> Any:
        rgb = pictures.marked(rgb, session.choices.given, session.place)
        return gr.update(value=pictures.save(rgb, self._studio.shown), visible=True)

    def _turned(self, session: Session, view: str) -> Updates:
        """The same, and the dials, which a visitor has not moved by hand."""
        return self._drawn(session, view) | {
            self.vividness: gr.skip() if session.choices.vividness is None else session.choices.vividness,
            self.strength: session.choices.strength,
            self.give_back: gr.update(visible=bool(session.choices.borrowed)),
        }

    def _at(self, session: Session) -> Updates:
        """Where the cross is, and which colours are likely there."""
        if session.place is None:
            return {self.x: 50, self.y: 50, self.swatches: []}
        x, y = session.place
        return {self.x: round(100 * x, 1), self.y: round(100 * y, 1), self.swatches: self._likely(session)}

    def _likely(self, session: Session) -> list[str]:
        if session.place is None or not self._guesses:
            return []
        thumbnail, options = session.picture.thumbnail, session.choices.options
        likely = likely_colors(self._colorizer, thumbnail, *session.place, options=options)
        return [hexadecimal(hint.color) for hint in likely]

    # What happens ----------------------------------------------------------------------------------------------------

    def open(self, upload: str | None) -> Updates:
        """A photograph was dropped, or taken away."""
        away: Updates = {self.session: None, self.desk: gr.update(visible=False), self.gallery: None}
        if upload is None:
            return away
        session = open_session(self._colorizer, Path(upload), self._studio.kept, self._studio.max_pixels)
        nothing_lent = {self.lender: None, self.lent: gr.update(value=None, visible=False)}
        shown = {self.desk: gr.update(visible=True), self.view: IN_COLOR, self.gallery: None}
        return self._turned(session, IN_COLOR) | self._at(session) | shown | nothing_lent

    def guess(self, session: Session | None) -> Updates:
        """The model's other guesses, once the first is shown."""
        if session is None or not self._guesses:
            return {self.session: session}
        session = guess_anew(self._colorizer, session)
        options = [replace(session.choices, guess=guess).options for guess in session.guesses]
        shown = pictures.guesses(self._colorizer, session.picture, options)
        paths = [pictures.save(rgb, self._studio.shown) for rgb in shown]
        return {self.session: session, self.gallery: gr.update(value=paths, selected_index=None)}

    def look(self, session: Session, view: str) -> Updates:
        """Another view."""
        return self._drawn(_there(session), view)

    def turner(self, dial: str) -> Any:
        """The handler of a dial."""

        def turn(session: Session, view: str, value: float) -> Updates:
            return self._drawn(_there(session).turn(dial, value), view)

        return turn

    def click(self, session: Session, view: str, mode: str, color: str, event: gr.SelectData) -> Updates:
        """A click on the picture."""
        session = _there(session)
        height, width = session.picture.luma.shape
        column, row = (float(value) for value in event.index)
        x, y = (column + 0.5) / width, (row + 0.5) / height
        if mode == PICK:
            return self._pick(session, x, y)
        session = session.at(x, y)
        if mode == PUT:
            session = session.color(color_of(color))
        return self._drawn(session, view) | self._at(session)

    def _pick(self, session: Session, x: float, y: float) -> Updates:
        prediction = predict(self._colorizer, session)
        rgb = pictures.colored(self._colorizer, session.picture.luma, session.choices.options, prediction)
        return {self.color: hexadecimal(pictures.color_at(rgb, x, y)), self.mode: PUT}

    def move(self, session: Session, view: str, x: float | None, y: float | None) -> Updates:
        """The cross was moved by its percentages."""
        if x is None or y is None:  # while it is typed
            return {self.session: session}
        session = _there(session).at(x / 100, y / 100)
        return self._drawn(session, view) | {self.swatches: self._likely(session)}

    def put_color(self, session: Session, view: str, color: str, x: float | None, y: float | None) -> Updates:
        """The colour in hand goes to the cross."""
        session = _there(session)
        if session.place is None and x is not None and y is not None:
            session = session.at(x / 100, y / 100)
        return self._drawn(session.color(color_of(color)), view)

    def put_likely(self, session: Session, view: str, event: gr.EventData) -> Updates:
        """One of the likely colours goes there."""
        color = color_of(str(event.color))
        return self._drawn(_there(session).color(color), view) | {self.color: hexadecimal(color)}

    def remove(self, session: Session, view: str, event: gr.EventData) -> Updates:
        """A hint is taken away."""
        number = str(event.number)
        return self._drawn(_there(session).without(int(number) if number.isdecimal() else -1), view)

    def undo_last(self, session: Session, view: str) -> Updates:
        """Back one step."""
        return self._turned(_there(session).undo(), view)

    def redo_last(self, session: Session, view: str) -> Updates:
        """And forth."""
        return self._turned(_there(session).redo(), view)

    def choose(self, session: Session, view: str, event: gr.SelectData) -> Updates:
        """One of the other guesses."""
        session = _there(session)
        if not 0 <= int(event.index) < len(session.guesses):
            raise OptionError("this guess is gone: choose another")
        return self._turned(session.choose(guess=session.guesses[int(event.index)]), view)

    def take_colors(self, session: Session, view: str, lender: str) -> Updates:
        """Colours of another photograph, where it matches."""
        rgb = read_in_color(Path(lender), self._studio.max_pixels)
        session = replace(_there(session), lent=rgb)
        borrowed = self._studio.references.borrow(session.picture.thumbnail, rgb)
        if not borrowed:
            gr.Info("No part of it looks like a part of yours. A click on it still picks up its colours.")
        shown = gr.update(value=pictures.save(rgb, self._studio.shown), visible=True)
        return self._turned(session.choose(borrowed=borrowed), view) | {self.lent: shown}

    def pick_from_lent(self, session: Session, event: gr.SelectData) -> Updates:
        """A click on the other photograph picks up its colour."""
        if (rgb := _there(session).lent) is None:
            raise OptionError("the other photograph is no longer here: drop it again")
        column, row = (float(value) for value in event.index)
        x, y = (column + 0.5) / rgb.shape[1], (row + 0.5) / rgb.shape[0]
        return {self.color: hexadecimal(pictures.color_at(rgb, x, y)), self.mode: PUT}

    def give(self, session: Session, view: str) -> Updates:
        """The borrowed colours are taken out again."""
        return self._turned(_there(session).choose(borrowed=()), view)

    def full_size(self, session: Session) -> str:
        """The file for download."""
        return str(write_full_size(self._colorizer, _there(session), self._studio.new_folder()))

    def hints_file(self, session: Session) -> str:
        """The hints, as ``photochrom photo --hints`` takes them."""
        source = _there(session).picture.source.path
        path = self._studio.new_folder() / colored_path(source).with_suffix(".json").name
        path.write_text(hints_json(session.choices.options.hints))
        return str(path)


def _there(session: Session | None) -> Session:
    if session is None:
        raise OptionError("the photograph is no longer here: drop it again")
    return session
