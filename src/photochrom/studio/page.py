"""The page: its tabs, theme and texts."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from .api import Api
from .state import AppState
from .tabs.film import FilmTab
from .tabs.folder import FolderTab
from .tabs.photo import PhotoTab

HERE = Path(__file__).parent
TITLE = "Photochrom"
_WELCOME = "# Photochrom\nOld photographs in colour. They stay on the machine that runs this page."
_NARROW = "@media (max-width: 640px) { .gradio-container .app { padding: 0.75rem !important } }"
_WORDS = {
    "upload_text.drop_file": "Drop it here",
    "upload_text.click_to_upload": "Choose it",
}
_FONT = ("system-ui", "-apple-system", "Segoe UI", "Helvetica Neue", "Arial", "sans-serif")


def build(state: AppState) -> gr.Blocks:
    """Build the page, which all visitors share."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(_WELCOME, elem_id="welcome")
        with gr.Tabs():
            with gr.Tab("Photo"):
                PhotoTab(state)
            with gr.Tab("Film"):
                FilmTab(state)
            with gr.Tab("Folder"):
                FolderTab(state)
        Api(state)
    return page


def theme() -> gr.themes.Base:
    """Return a theme of neutral greys, which do not bias the judgement of colours, with system fonts only."""
    grey = gr.themes.colors.neutral
    looks = gr.themes.Base(primary_hue=grey, neutral_hue=grey, font=_FONT, font_mono=("ui-monospace", "monospace"))
    return looks.set(
        body_background_fill="#e9e9e9",
        body_background_fill_dark="#1b1b1b",
        block_background_fill="#f5f5f5",
        block_background_fill_dark="#262626",
        block_border_width="0",
        input_background_fill="white",
        button_large_text_weight="500",
        button_medium_text_weight="500",
        button_secondary_background_fill="#dcdcdc",
        button_secondary_background_fill_hover="#cfcfcf",
        button_primary_background_fill="*neutral_800",
        button_primary_background_fill_hover="*neutral_700",
        button_primary_text_color="white",
        button_primary_background_fill_dark="*neutral_200",
        button_primary_background_fill_hover_dark="*neutral_50",
        button_primary_text_color_dark="*neutral_900",
        checkbox_label_background_fill="white",
        link_text_color="*body_text_color",
        link_text_color_dark="*body_text_color",
    )


def style() -> str:
    """Return the style sheet that completes the theme."""
    return (HERE / "studio.css").read_text()


def head() -> str:
    """Return a script for pasting photographs, and a style rule that Gradio would drop from the style sheet."""
    return f"<script>{(HERE / 'paste.js').read_text()}</script>\n<style>{_NARROW}</style>"


def words() -> gr.I18n:
    """Return texts that replace those of Gradio's components where the browser is set to English."""
    return gr.I18n(en=_WORDS)
