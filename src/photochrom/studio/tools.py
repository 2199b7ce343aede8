"""What the tabs share."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..colorizer import Colorizer
from ..errors import PhotochromError
from ..photo import EXTENSIONS
from ..references import References

VIVIDNESS, STRENGTH = "Vividness", "Strength of colour"


@dataclass(frozen=True)
class Studio:
    """What all visitors share. Nothing in it changes."""

    colorizer: Colorizer
    references: References
    shown: Path
    """A folder whose files the page may ask for, if it knows their names."""
    kept: Path
    """A folder that it may not."""
    max_pixels: int
    max_upload_bytes: int

    def new_folder(self) -> Path:
        """For files to be fetched, under a name that nobody guesses."""
        folder = self.shown / secrets.token_hex(16)
        folder.mkdir()
        return folder


def told(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose errors of Photochrom the page shows, in their one line."""

    @functools.wraps(handler)
    def telling(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except PhotochromError as exc:
            raise gr.Error(str(exc), title="This did not work", duration=None, print_exception=False) from exc

    return telling


def photographs() -> list[str]:
    """The endings of files that can be coloured."""
    return [ending for endings in EXTENSIONS.values() for ending in endings]


def dials(colorizer: Colorizer) -> tuple[gr.Slider, gr.Slider]:
    """Vividness, out of sight where the model has none, and strength."""
    own = colorizer.card.vividness
    vividness = gr.Slider(
        0, 1, 0.5 if own is None else own, step=0.05, label=VIVIDNESS, info="cautious to bold", visible=own is not None
    )
    strength = gr.Slider(0, 2, 1, step=0.05, label=STRENGTH, info="0 leaves it grey")
    return vividness, strength
