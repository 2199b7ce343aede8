"""The tab that colours several photographs at once."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from ...colorizer.colorizer import Colorizer
from ...colorizer.options import ColorOptions
from ...errors import OptionError, PhotochromError
from ...photo import OutputOptions, colored_path, write_colored
from .. import render as pictures
from ..sessions.photo import naming, read, small
from ..sessions.slots import reporting_errors
from ..state import AppState
from .tools import dials, photographs

MOST = 500
"""Most photographs at once, so that a slip of the hand does not fill the disk."""
_SHOWN = 480  # longest side in the gallery, in pixels


@dataclass
class Batch:
    """Colours photographs one after the other into a ZIP archive."""

    colorizer: Colorizer
    options: ColorOptions
    max_pixels: int
    output: OutputOptions = field(default_factory=OutputOptions)
    names: set[str] = field(default_factory=set)

    def color(self, upload: Path, archive: zipfile.ZipFile, folder: Path) -> Any:
        """Colour a photograph, add it to the archive, and return a small RGB picture of it.

        Raises:
            PhotochromError: The photograph cannot be read or coloured.
        """
        picture = read(upload, self.max_pixels)
        prediction = self.colorizer.predict(picture.luma, self.options)
        path = folder / self._free_name(upload)
        with naming(path):
            write_colored(self.colorizer, picture, path, self.options, prediction, self.output)
        archive.write(path, path.name)
        path.unlink()
        return pictures.colored(self.colorizer, small(picture.luma, _SHOWN), self.options, prediction)

    def _free_name(self, upload: Path) -> str:
        """Return an unused name: two folders may each hold an old.jpg, and some disks ignore upper and lower case."""
        first = colored_path(upload)
        name, number = first.name, 1
        while name.casefold() in self.names:
            number += 1
            name = f"{first.stem}-{number}{first.suffix}"
        self.names.add(name.casefold())
        return name


class FolderTab:
    """Draws the tab and handles its events."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self.uploads = gr.File(
            file_types=photographs(),
            file_count="multiple",
            label="Drop or choose photographs",
            height=200,
            elem_id="photographs",
        )
        with gr.Row():
            self.vividness, self.strength = dials(state.colorizer)
        self.start = gr.Button("Colour them all", variant="primary", elem_id="colour-all")
        self.failures = gr.Markdown(visible=False, elem_id="failures")
        self.gallery = gr.Gallery(
            label="In colour", columns=4, fit_columns=False, height="auto", object_fit="contain",
            buttons=["fullscreen"], visible=False, elem_classes="gallery",
        )  # fmt: skip
        self.archive = gr.DownloadButton("Download all as a ZIP", visible=False, elem_id="zip")
        self.start.click(
            reporting_errors(self.color_all),
            [self.uploads, self.vividness, self.strength],
            [self.gallery, self.failures, self.archive],
            api_visibility="private",
        )

    def color_all(self, uploads: list[str] | None, vividness: float, strength: float) -> Iterator[tuple[Any, Any, Any]]:
        """Colour the photographs one after the other and show the progress."""
        paths = [Path(upload) for upload in uploads or ()]
        if not paths:
            raise OptionError("there are no photographs yet: drop some")
        if len(paths) > MOST:
            raise OptionError(f"{len(paths)} photographs at once: drop at most {MOST}, or use 'photochrom photo'")
        card = self._state.colorizer.card
        options = ColorOptions(None if card.vividness is None else vividness, strength)
        yield from self._color_each(
            paths, Batch(self._state.colorizer, options, self._state.max_pixels, self._state.output)
        )

    def _color_each(self, paths: Sequence[Path], batch: Batch) -> Iterator[tuple[Any, Any, Any]]:
        folder = self._state.new_folder()
        shown: list[tuple[str, str]] = []
        failed: list[str] = []
        with zipfile.ZipFile(
            folder / "photochrom.zip", "w"
        ) as archive:  # stored, since photographs are compressed already
            for number, path in enumerate(paths, 1):
                try:
                    rgb = batch.color(path, archive, folder)
                    shown.append((pictures.save(rgb, self._state.new_picture()), path.name))
                except PhotochromError as exc:
                    failed.append(str(exc))
                _keep([*paths[number:], *(picture for picture, _ in shown)])
                yield self._so_far(shown, failed, f"{number} of {len(paths)}"), _list(failed), gr.update(visible=False)
        done = gr.update(value=archive.filename, visible=bool(shown))
        yield self._so_far(shown, failed, "In colour"), _list(failed), done

    def _so_far(self, shown: list[tuple[str, str]], failed: list[str], label: str) -> Any:
        return gr.update(value=shown, label=label, visible=bool(shown))


def _keep(files: Iterable[str | Path]) -> None:
    """Touch the files that are still needed, so that the sweeper does not remove them."""
    for file in files:
        with suppress(OSError):  # gone already; whoever needs it will report so
            os.utime(file)


def _list(failed: Sequence[str]) -> Any:
    """Show one line each, in a code block so that none is read as Markdown."""
    lines = "\n".join(failed)
    return gr.update(value=f"Not coloured:\n\n````\n{lines}\n````", visible=bool(failed))
