"""The picture being edited, a photograph or a frame of a film, and the tools that place colours on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np

from ...colorizer.hints import color_hex
from ...colorizer.suggestions import likely_colors
from .. import render as pictures
from ..sessions.slots import Updates, working
from ..state import AppState
from .tools import HINTS, TRIGGER, color_of, dials, percentage

IN_COLOR, AS_IT_WAS, COMPARE, UNSURE = "In colour", "As it was", "Compare", "Where it is unsure"
ASK, PUT, PICK = "shows likely colours", "puts the colour", "picks up a colour"

_SWATCHES = """<p>
{{#if value}}Likely here. One click puts it:
{{else}}Click on the picture, and the colours likely there appear.{{/if}}</p>
{{#each value}}<button type="button" data-color="{{this}}" style="background: {{this}}" title="{{this}}"
 aria-label="Put the likely colour {{this}} here"></button>{{/each}}"""
QUICK: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
SLOW = QUICK | {"show_progress": "minimal"}
LATEST = QUICK | {"trigger_mode": "always_last"}


class Canvas:
    """Draws the picture and its tools. Sessions are either ``Session`` or ``FilmSession``.

    Args:
        state: State shared by all visitors.
        slot: Component that holds the visitor's session.
        name: Prefix of the element ids.
        listed: Returns the entries of the list of placed colours.
    """

    def __init__(
        self,
        state: AppState,
        slot: gr.State,
        name: str,
        listed: Callable[[Any], list[dict[str, str]]],
    ) -> None:
        self._state, self._colorizer = state, state.colorizer
        self._slot, self._name, self._listed = slot, name, listed
        self._guesses = bool(state.colorizer.card.bins)

    def draw_picture(self, alt_text: str) -> None:
        """Draw the picture, the colours likely at the cross, and the choice of views."""
        look: dict[str, Any] = {"show_label": False, "interactive": False, "buttons": ["fullscreen"]}
        self.picture = gr.Image(**look, elem_id=self._id("picture"), elem_classes="picture", alt_text=alt_text)
        self.slider = gr.ImageSlider(**look, visible=False, max_height=1400, elem_id=self._id("compare"))
        self.swatches = gr.HTML(
            [], html_template=_SWATCHES, js_on_load=TRIGGER, visible=self._guesses, padding=False,
            elem_id=self._id("likely"), elem_classes="likely",
        )  # fmt: skip
        views = [IN_COLOR, AS_IT_WAS, COMPARE, *([UNSURE] if self._guesses else [])]
        self.view = gr.Radio(views, value=IN_COLOR, show_label=False, container=False, elem_id=self._id("view"))

    def draw_dials(self) -> None:
        """Draw the vividness and strength sliders."""
        self.vividness, self.strength = dials(self._colorizer)

    def draw_known(self) -> None:
        """Draw the click modes, the position of the cross, the current colour, and the list of placed colours."""
        gr.Markdown("### Colours you know")
        modes = [*([ASK] if self._guesses else []), PUT, PICK]
        self.mode = gr.Radio(modes, value=modes[0], label="A click on the picture", elem_id=self._id("mode"))
        with gr.Row():
            self.x = percentage("From the left, %", self._id("x"))
            self.y = percentage("From the top, %", self._id("y"))
        with gr.Row(elem_classes="line"):
            self.color = gr.ColorPicker("#8a6a4a", label="The colour", min_width=90, elem_id=self._id("color"))
            self.put = gr.Button("Put it at the cross", min_width=120, size="md", elem_id=self._id("put"))
        self.hints = gr.HTML([], html_template=HINTS, js_on_load=TRIGGER, padding=False, elem_id=self._id("given"))
        with gr.Row():
            look: dict[str, Any] = {"interactive": False, "min_width": 90, "size": "md"}
            self.undo = gr.Button("Undo", **look, elem_id=self._id("undo"))
            self.redo = gr.Button("Redo", **look, elem_id=self._id("redo"))

    def draw_files(self) -> None:
        """Draw the buttons that save and load hints."""
        with gr.Row():
            self.make_json = gr.Button("Save hints", size="md", min_width=120, elem_id=self._id("hints-make"))
            self.load_json = gr.UploadButton(
                "Load hints", file_types=[".json"], size="md", min_width=120, elem_id=self._id("hints-load")
            )
        with gr.Row(elem_classes="unseen"):
            self.json = gr.DownloadButton(elem_id=self._id("hints-file"), visible="hidden")

    def _id(self, part: str) -> str:
        return f"{self._name}{part}"

    @property
    def drawn(self) -> list[Any]:
        """Components that ``draw`` updates."""
        return [self._slot, self.picture, self.slider, self.hints, self.undo, self.redo]

    @property
    def turned(self) -> list[Any]:
        """Components that ``turn`` updates."""
        return [*self.drawn, self.vividness, self.strength]

    @property
    def at(self) -> list[Any]:
        """Components that ``cross`` updates."""
        return [self.x, self.y, self.swatches]

    @property
    def seen(self) -> list[Any]:
        """First inputs of every handler."""
        return [self._slot, self.view]

    def wire(self) -> None:
        """Connect events to handlers."""
        drawn, seen = self.drawn, self.seen
        self.view.input(working(self._slot, self.draw), seen, drawn, **LATEST)
        for name, slider in (("vividness", self.vividness), ("strength", self.strength)):
            slider.input(working(self._slot, self._turner(name)), [*seen, slider], drawn, **LATEST)
        clicked = [*drawn, *self.at, self.color, self.mode]
        self.picture.select(working(self._slot, self.click), [*seen, self.mode, self.color], clicked, **QUICK)
        for number in (self.x, self.y):
            number.input(working(self._slot, self.move), [*seen, self.x, self.y], [*drawn, self.swatches], **LATEST)
        put = [*drawn, self.color]
        self.put.click(working(self._slot, self.put_color), [*seen, self.color, self.x, self.y], put, **QUICK)
        self.swatches.click(working(self._slot, self.put_likely), seen, put, **QUICK)
        self.hints.click(working(self._slot, self.remove), seen, drawn, **QUICK)

    # Drawing ---------------------------------------------------------------------------------------------------

    def draw(self, session: Any, view: str) -> Updates:
        """Update the picture and the list of placed colours."""
        updates: Updates = {
            self.hints: self._listed(session),
            self.picture: gr.update(visible=view != COMPARE),
            self.slider: gr.update(visible=view == COMPARE),
            self.undo: gr.update(interactive=bool(session.past)),
            self.redo: gr.update(interactive=bool(session.future)),
        }
        luma = session.picture.luma
        if view == AS_IT_WAS:
            return updates | {self._slot: session, self.picture: self._image(pictures.grey(luma), session)}
        session = session.with_prediction(self._colorizer)
        updates[self._slot] = session
        rgb = self._colored(session)
        if view == COMPARE:
            pair = tuple(pictures.save(each, self._state.new_picture()) for each in (pictures.grey(luma), rgb))
            return updates | {self.slider: gr.update(value=pair, visible=True)}
        shown = pictures.doubt(rgb, session.cached.prediction) if view == UNSURE else rgb
        return updates | {self.picture: self._image(shown, session)}

    def turn(self, session: Any, view: str) -> Updates:
        """Update the picture and the sliders, for changes that the sliders did not make."""
        vividness = session.choices.vividness
        dials = {self.vividness: gr.skip() if vividness is None else vividness, self.strength: session.choices.strength}
        return self.draw(session, view) | dials

    def _colored(self, session: Any) -> np.ndarray:
        return pictures.colored(self._colorizer, session.picture.luma, session.options, session.cached.prediction)

    def _image(self, rgb: np.ndarray, session: Any) -> Any:
        rgb = pictures.marked(rgb, session.marks, session.place)
        return gr.update(value=pictures.save(rgb, self._state.new_picture()), visible=True)

    def cross(self, session: Any) -> Updates:
        """Update the position of the cross and the colours likely there."""
        x, y = session.place or (0.5, 0.5)
        return {self.x: round(100 * x, 1), self.y: round(100 * y, 1), self.swatches: self._likely(session)}

    def _likely(self, session: Any) -> list[str]:
        if session.place is None or not self._guesses:
            return []
        session = session.with_prediction(self._colorizer)
        asked = {"options": session.options, "prediction": session.cached.prediction}
        likely = likely_colors(self._colorizer, session.picture.thumbnail, *session.place, **asked)
        return [hint.hex for hint in likely]

    # Events ----------------------------------------------------------------------------------------------------

    def _turner(self, dial: str) -> Any:
        def turn(session: Any, view: str, value: float) -> Updates:
            return self.draw(session.turn(dial, value), view)

        return turn

    def click(self, session: Any, view: str, mode: str, color: str, event: gr.SelectData) -> Updates:
        """Handle a click on the picture."""
        x, y = place_of(event, session.picture.luma.shape)
        if mode == PICK:
            session = session.with_prediction(self._colorizer)
            found = pictures.color_at(self._colored(session), x, y)
            return {self._slot: session, self.color: color_hex(found), self.mode: PUT}
        session = session.at(x, y)
        if mode == PUT:
            session = session.color(color_of(color))
        session = session.with_prediction(self._colorizer)
        return self.draw(session, view) | self.cross(session)

    def move(self, session: Any, view: str, x: float | None, y: float | None) -> Updates:
        """Move the cross to typed percentages."""
        if x is None or y is None:  # while the user is typing
            return {}
        session = session.at(x / 100, y / 100).with_prediction(self._colorizer)
        return self.draw(session, view) | {self.swatches: self._likely(session)}

    def put_color(self, session: Any, view: str, color: str, x: float | None, y: float | None) -> Updates:
        """Place the current colour at the cross."""
        if session.place is None and x is not None and y is not None:
            session = session.at(x / 100, y / 100)
        return self.draw(session.color(color_of(color)), view)

    def put_likely(self, session: Any, view: str, event: gr.EventData) -> Updates:
        """Place one of the likely colours at the cross."""
        color = color_of(str(event.color))
        return self.draw(session.color(color), view) | {self.color: color_hex(color)}

    def remove(self, session: Any, view: str, event: gr.EventData) -> Updates:
        """Remove a placed colour."""
        number = str(event.number)
        return self.draw(session.without(int(number) if number.isdecimal() else -1), view)


def place_of(event: gr.SelectData, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return the position of a click, x and y from 0 to 1, on a picture ``[H, W, ...]``."""
    column, row = (float(value) for value in event.index)
    x, y = (min(max((at + 0.5) / side, 0.0), 1.0) for at, side in ((column, shape[1]), (row, shape[0])))
    return x, y
