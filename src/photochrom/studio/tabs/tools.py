"""Components and texts that the tabs share."""

from __future__ import annotations

import re
from collections.abc import Sequence

import gradio as gr

from ...colorizer.colorizer import Colorizer
from ...colorizer.hints import Hint, parse_color
from ...photo import EXTENSIONS

VIVIDNESS, STRENGTH = "Vividness", "Strength of colour"

# Client-side templates and scripts: the list of hints, clicks on its buttons, and the download of a finished file.
HINTS = """{{#each value}}<div class="hint"><span class="dot" style="background: {{color}}"></span>
<span>{{place}}</span><button type="button" data-number="{{@index}}" aria-label="Remove {{color}}, {{place}}">Remove
</button></div>{{/each}}"""
TRIGGER = """element.addEventListener("click", event => {
  const button = event.target.closest("button[type=button]");
  if (button) trigger("click", {...button.dataset});
});"""
FETCH = """file => {
  const link = Object.assign(document.createElement("a"), {href: file.url, download: file.orig_name});
  link.click();
}"""


def photographs() -> list[str]:
    """Return the file name extensions of photographs that can be coloured."""
    return [ending for endings in EXTENSIONS.values() for ending in endings]


def dials(colorizer: Colorizer) -> tuple[gr.Slider, gr.Slider]:
    """Create the vividness slider, hidden where the model has none, and the strength slider."""
    own = colorizer.card.vividness
    vividness = gr.Slider(
        0, 1, 0.5 if own is None else own, step=0.05, label=VIVIDNESS, info="cautious to bold", visible=own is not None
    )
    strength = gr.Slider(0, 2, 1, step=0.05, label=STRENGTH, info="0 leaves it grey")
    return vividness, strength


def percentage(label: str, name: str) -> gr.Number:
    """Create a field for a position along one side of the picture."""
    return gr.Number(50, label=label, minimum=0, maximum=100, step=1, min_width=90, elem_id=name)


def listed(hints: Sequence[Hint]) -> list[dict[str, str]]:
    """Return the entries that the ``HINTS`` template shows."""
    return [{"color": hint.hex, "place": place_text(hint)} for hint in hints]


def place_text(hint: Hint) -> str:
    """Describe where a hint is."""
    return f"{100 * hint.x:.0f} % across, {100 * hint.y:.0f} % down"


def color_of(text: str) -> tuple[int, int, int]:
    """Parse the value of Gradio's colour picker: ``#7a2b22``, or ``rgba(122.4, 43, 34, 1)`` after dragging.

    Raises:
        OptionError: The text is not a colour.
    """
    if found := re.fullmatch(r"rgba?\(\s*([\d.]+),\s*([\d.]+),\s*([\d.]+)\s*(?:,[^)]*)?\)", text.strip()):
        red, green, blue = (min(255, round(float(value))) for value in found.groups())
        return red, green, blue
    return parse_color(text)
