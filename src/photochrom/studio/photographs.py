"""``Photograph``: a photograph on the tray, with its choices, alternatives, and full-size output."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..color.bands import small
from ..colorizer.alternative_captions import name_alternatives
from ..colorizer.hints import Hint, hints_json, read_hints
from ..colorizer.options import ColorOptions
from ..colorizer.suggestions import alternatives
from ..errors import OptionError, PhotoError
from ..photo import EXTENSIONS, Photo, color_and_write, colored_path, format_of, read_photo
from ..photo.formats.icc import upright_srgb
from ..photo.formats.image import MAX_PIXELS, at_most, check_size
from ..photo.inspection import open_picture
from ..photo.library_errors import decoding, naming
from .full_size import FullSize
from .history import History
from .items import Item, hiding_folder
from .marks import Mark, hints_of, points_of
from .pictures import PREVIEW, Picture, cached_prediction
from .render import jpeg
from .state import AppState

GUESSES = 4
_KEPT_GUESSES = 4  # number of requests of which the guesses are kept
_GUESS_SIDE = 320  # longest side of an alternative, in pixels


@dataclass(frozen=True)
class Choices:
    """The visitor's choices for a photograph, which undo and redo restore."""

    vividness: float | None
    strength: float = 1.0
    guess: tuple[Hint, ...] = ()
    """Hints of the chosen alternative; empty for the model's first picture."""
    borrowed: tuple[Hint, ...] = ()
    """Hints borrowed from another photograph."""
    marks: tuple[Mark, ...] = ()
    """Colours that the visitor gave by hand."""


@dataclass(frozen=True)
class Guesses:
    """Other colourings of a photograph, from which a visitor chooses by number."""

    number: int
    """Number of the request for them."""
    options: ColorOptions | None
    """Options of the first picture; None for no guesses."""
    hints: tuple[tuple[Hint, ...], ...] = ()
    """Hints that make each guess, besides those of ``options``."""
    names: tuple[str, ...] = ()


class Photograph(Item[Choices]):
    """A photograph that a visitor works on.

    Raises:
        PhotoError: The file cannot be read or is too large.
        OSError: The file has no extension of its format, and cannot be renamed.
    """

    kind = "photo"

    def __init__(self, state: AppState, source: Path, dropped_in: str = "") -> None:
        super().__init__(state, source, Choices(state.colorizer.card.vividness), dropped_in)
        self._guesses, self._guess_requests = {0: Guesses(0, None)}, 0  # by their number
        self._size, self._format = (1, 1), ""  # until the file is read
        state.pictures.put(self.id, self._load())
        self.source = with_extension(source, self._format)

    def options(self) -> ColorOptions:
        """Return the options for colouring the photograph; if several hints share a place, the last one counts."""
        return self._options(self._history.now)

    def _options(self, now: Choices) -> ColorOptions:
        hints = (*now.guess, *now.borrowed, *hints_of(now.marks, self._size))
        return ColorOptions(now.vividness, now.strength, hints, self._state.detail)

    def marks(self, time: Any = None) -> tuple[Mark, ...]:
        """Return the colours that the visitor gave by hand."""
        return self._history.now.marks

    def describe(self) -> dict[str, Any]:
        """Return the photograph's state as JSON for the page."""
        now, guesses = self._history.now, self._latest_guesses.hints
        chosen = guesses.index(now.guess) if now.guess in guesses else None
        height, width = self._size
        return super().describe() | {
            "width": width, "height": height, "guess": chosen, "borrowed": len(now.borrowed),
            "others": [[hint.x, hint.y, hint.hex] for hint in (*now.guess, *now.borrowed)],
        }  # fmt: skip

    def _history_after(self, change: dict[str, Any]) -> History[Choices]:
        if change.get("do") == "guess":
            number = change.get("of", self._latest_guesses.number)
            return self._history.choose(guess=self._guess(change.get("guess"), number))
        if change.get("do") == "give back":
            return self._history.choose(borrowed=())
        return super()._history_after(change)

    def _guess(self, number: Any, guesses: Any) -> tuple[Hint, ...]:
        if number is None:
            return ()
        found = self._guesses[guesses].hints if isinstance(guesses, int) and guesses in self._guesses else ()
        if not isinstance(number, int) or not 0 <= number < len(found):
            raise OptionError("this guess is gone", remedy="choose another")
        return found[number]

    def _history_with_marks(self, marks: tuple[Mark, ...], time: Any) -> History[Choices]:
        return self._history.choose(marks=marks)

    def _load(self) -> Picture:
        photo = read(self.source, self._state.max_pixels)
        self._size, self._format = photo.shape, photo.format
        thumbnail = self._colorizer.scan_thumbnail(photo.scene, detail=self._state.detail)
        return Picture(small(as_displayed(photo).luma, PREVIEW), thumbnail)

    def guesses(self) -> Guesses:
        """Return other colourings (``alternatives``) that the model finds plausible, given the marks so far.

        Those of the last requests are kept, since the visitor may choose from them until the new ones are shown. There
        are none if the model has no bins.

        Raises:
            OptionError: The options ask for something that the model cannot do.
            PhotoError: The upload had to be read again, and could not be read.
            ModelError: The network's output contradicts the model's card.
            EngineError: The network could not be run.
            OSError: The photograph was removed meanwhile, or its folder cannot be written.
        """
        with self.lock:
            options = self._options(replace(self._history.now, guess=()))
            if self._latest_guesses.options == options or not self._colorizer.card.bins:
                return self._latest_guesses
            self._guess_requests += 1
            found = Guesses(self._guess_requests, options)
        found = self._made(found)
        with self.lock:
            self._guesses[found.number] = found  # requests may end in any order
            while len(self._guesses) > _KEPT_GUESSES:
                oldest = self._guesses.pop(min(self._guesses))
                shutil.rmtree(self._guess_folder(oldest), ignore_errors=True)
        return found

    @property
    def _latest_guesses(self) -> Guesses:
        return self._guesses[max(self._guesses)]

    def _made(self, guesses: Guesses) -> Guesses:
        """Return guesses with their hints and names, and write their pictures; errors are those of ``guesses``."""
        picture, options = self._loaded(), guesses.options
        assert options is not None
        first = cached_prediction(self._colorizer, picture.thumbnail, options, picture.cached).prediction
        others = alternatives(self._colorizer, picture.thumbnail, GUESSES, options, prediction=first)
        predictions = [
            cached_prediction(self._colorizer, picture.thumbnail, each, picture.cached).prediction for each in others
        ]
        luma, folder = small(picture.luma, _GUESS_SIDE), self._guess_folder(guesses)
        folder.mkdir()
        for number, (other, prediction) in enumerate(zip(others, predictions, strict=True)):
            rgb = self._colorizer.colorize(luma, other, prediction=prediction)
            (folder / f"{number}.jpg").write_bytes(jpeg(rgb))
        hints = tuple(tuple(hint for hint in each.hints if hint not in options.hints) for each in others)
        return replace(guesses, hints=hints, names=tuple(name_alternatives(first, predictions)))

    def _guess_folder(self, guesses: Guesses) -> Path:
        return self.folder / f"guesses-{guesses.number}"

    def guess_picture(self, guesses: int, number: int) -> bytes:
        """Return a guess's small picture, as JPEG, given the numbers of the guesses and of the guess.

        Raises:
            OptionError: There is no such guess any more.
            OSError: The picture cannot be read.
        """
        try:
            return (self.folder / f"guesses-{guesses}" / f"{number}.jpg").read_bytes()
        except FileNotFoundError:
            raise OptionError("this guess is gone", remedy="choose another") from None

    def borrow(self, reference: Path) -> int:
        """Replace the borrowed hints by ones with the colours of another photograph, where it matches this one.

        Returns:
            The number of hints.

        Raises:
            PhotoError: ``reference`` or the upload cannot be read, or is too large.
            OptionError: ``reference`` is grey, or nearly so.
            ModelError: The model has no file, or no encoder is found in it.
            EngineError: OpenVINO is not installed, or the encoder could not be run.
        """
        rgb = read_in_color(reference, self._state.max_pixels)
        found = self._state.references.borrow(self._loaded().thumbnail, rgb, reference.name)
        with self.lock:
            self._history = self._history.choose(borrowed=tuple(found))
            self._revision += 1
        return len(found)

    def load_hints(self, path: Path) -> None:
        """Replace the marks, the chosen alternative and borrowed colours by the hints of a JSON file.

        Raises:
            OptionError: The file cannot be read, or does not contain hints.
        """
        with hiding_folder(path):
            hints = read_hints(path)
        own, suggested = ([hint for hint in hints if hint.suggested == kind] for kind in (False, True))
        with self.lock:
            self._history = self._history.choose(guess=tuple(suggested), borrowed=(), marks=points_of(own))
            self._revision += 1

    def hints_text(self) -> str:
        """Return the hints as JSON text, in the format of ``photochrom photo --hints``."""
        return hints_json(self.options().hints)

    def full_size(self) -> FullSize:
        """Return the coloured photograph at full size, which is cached; see ``AppState.full_sizes``.

        Raises:
            PhotoError: The upload cannot be read.
            OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
        """
        with self.lock:
            key = (self.id, self._revision)
            found = self._state.full_sizes.get(key)
            if found is None:
                self._state.full_sizes.drop(lambda other: other[0] == self.id)
                photo = as_displayed(read(self.source, self._state.max_pixels))
                found = FullSize.of(self._colorizer, photo, self.options(), self.prediction())
                self._state.full_sizes.put(key, found)
        return found

    def write(self, folder: Path) -> Path:
        """Write the coloured photograph, with its metadata, to a folder, and return its path.

        ``old.jpg`` becomes ``old.color.jpg``.

        Raises:
            PhotoError: The upload cannot be read, or the result cannot be written.
            OptionError: The choices ask for something that the model cannot do.
            ModelError: The network's output contradicts the model's card.
            EngineError: The network could not be run.
            PhotochromError: The result cannot be signed.
        """
        path = folder / colored_path(self.source).name
        with hiding_folder(path):
            photo = read(self.source)
            color_and_write(self._colorizer, photo, path, self.options(), self.prediction(), self._state.output)
        return path

    def download(self) -> Path:
        """Return the path of the coloured file for download; write it first if it is missing or outdated.

        Results of earlier options are removed.

        Raises:
            PhotochromError: The file cannot be written (see ``write``), or the studio has no space for it.
            OSError: The item was removed meanwhile, or its folder cannot be written.
        """
        with self.lock:
            folder = self.folder / f"result-{self._revision}"
            path = folder / colored_path(self.source).name
            if not path.exists():
                for old in self.folder.glob("result-*"):
                    shutil.rmtree(old)
                self._state.disk.check(self.source.stat().st_size)
                folder.mkdir()
                self.write(folder)
            return path


def read(upload: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read an uploaded photograph of at most ``max_pixels`` pixels.

    Raises:
        PhotoError: The file cannot be read or is too large.
    """
    with hiding_folder(upload):
        return read_photo(upload, max_pixels=max_pixels)


def as_displayed(photo: Photo) -> Photo:
    """Return a photograph as viewers show it: a linear scan with the luma of its scene, others unchanged."""
    return replace(photo.with_luma(photo.scene), kind="ordinary") if photo.kind == "linear" else photo


def with_extension(upload: Path, format: str) -> Path:
    """Return the path of an uploaded photograph, which gets the extension of its format if it has none that is written.

    Otherwise its coloured version, whose name follows from its own, would have no format.

    Args:
        upload: The file.
        format: Its format, a key of ``EXTENSIONS``.

    Raises:
        OSError: The file cannot be renamed.
    """
    try:
        format_of(colored_path(upload))
    except PhotoError:
        return upload.rename(upload.with_name(upload.name + EXTENSIONS[format][0]))
    return upload


def read_in_color(upload: Path, max_pixels: int) -> np.ndarray:
    """Read a colour photograph as upright sRGB, uint8 ``[h, w, 3]``, with sides of at most ``PREVIEW`` pixels.

    Raises:
        PhotoError: The file cannot be read or is too large.
    """
    with naming(upload.name), at_most(max_pixels), decoding(), open_picture(upload) as image:
        check_size(*image.size)
        image.draft("RGB", (PREVIEW, PREVIEW))
        return upright_srgb(image, PREVIEW / max(image.size))
