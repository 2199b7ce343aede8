"""The studio for programs: three stateless functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from ..colorizer.hints import hints_json, read_hints
from ..colorizer.options import ColorOptions
from ..colorizer.suggestions import likely_colors
from ..photo import colored_path, write_colored
from .sessions.photo import naming, read, read_in_color
from .sessions.slots import reporting_errors
from .state import AppState
from .tabs.tools import photographs


class Api:
    """Declares the functions. They accept files uploaded to Gradio, which refuses every other path."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        with gr.Row(visible=False):
            photograph = gr.File(file_types=photographs(), label="photograph")
            reference = gr.File(file_types=photographs(), label="reference")
            vividness, strength = gr.Number(value=None, label="vividness"), gr.Number(1, label="strength")
            hints = gr.File(file_types=[".json"], label="hints")
            x, y = gr.Number(0.5, label="x"), gr.Number(0.5, label="y")
            file, answer = gr.File(label="file"), gr.JSON(label="answer")
            call = gr.Button()
        dials = [photograph, vividness, strength, hints]
        call.click(reporting_errors(self.colorize), dials, file, api_name="colorize")
        call.click(reporting_errors(self.likely), [photograph, x, y], answer, api_name="likely_colors")
        call.click(reporting_errors(self.borrow), [photograph, reference], answer, api_name="borrow")

    def colorize(
        self, photograph: str, vividness: float | None = None, strength: float = 1, hints: str | None = None
    ) -> str:
        """Colour a photograph at full size and keep its metadata."""
        source = Path(photograph)
        options = ColorOptions(vividness, strength, read_hints(hints) if hints else ())
        path = self._state.new_folder() / colored_path(source).name
        with naming(path):
            write_colored(
                self._state.colorizer, read(source, self._state.max_pixels), path, options, output=self._state.output
            )
        return str(path)

    def likely(self, photograph: str, x: float = 0.5, y: float = 0.5) -> list[str]:
        """Return the colours that the model considers likely at a place, the most likely first."""
        luma = read(Path(photograph), self._state.max_pixels).luma
        return [hint.hex for hint in likely_colors(self._state.colorizer, luma, x, y)]

    def borrow(self, photograph: str, reference: str) -> Any:
        """Return hints taken from a colour photograph where the two match, in the format that ``colorize`` takes."""
        luma = read(Path(photograph), self._state.max_pixels).luma
        rgb = read_in_color(Path(reference), self._state.max_pixels)
        return json.loads(hints_json(self._state.references.borrow(luma, rgb)))
