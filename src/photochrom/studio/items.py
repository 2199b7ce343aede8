"""``Item``: the base class of ``Photograph`` and ``Film``, which are the items on a visitor's tray."""

from __future__ import annotations

import os
import secrets
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from ..color.bands import small
from ..colorizer.options import ColorOptions
from ..colorizer.prediction import Prediction
from ..errors import OptionError, renaming
from .history import History
from .marks import Mark, check_unchanged, parse_marks
from .pictures import Picture, cached_prediction
from .state import AppState

_DIALS = {"vividness": 1.0, "strength": 2.0}  # maximum value of each dial

Choices = TypeVar("Choices")


class Item(ABC, Generic[Choices]):
    """A photograph or film that a visitor works on. Its methods are thread-safe.

    Args:
        state: State that all visitors share.
        source: The uploaded file, alone in its folder; the item removes this folder when it is closed.
        choices: The initial choices.
        dropped_in: Folder in which the file was dropped, with ``/`` between folders; empty for a single file.
    """

    kind: str

    def __init__(self, state: AppState, source: Path, choices: Choices, dropped_in: str) -> None:
        self.id = secrets.token_urlsafe(12)
        self.source, self.folder, self.dropped_in = source, source.parent, dropped_in
        self.lock = threading.RLock()
        self._state, self._colorizer = state, state.colorizer
        self._history: History[Choices] = History(choices)
        self.order = 0.0
        """Position on the tray: items are sorted by this number."""
        self._revision = 0
        self.is_closed = False
        """Whether the item was removed from its tray, and its files with it."""

    # Defined by subclasses ---------------------------------------------------------------------------------------

    @abstractmethod
    def options(self) -> ColorOptions:
        """Return the options for colouring the displayed picture."""

    @abstractmethod
    def marks(self, time: Any = None) -> tuple[Mark, ...]:
        """Return the marks on the displayed picture or, in a film, those on the frame at ``time``.

        Raises:
            OptionError: The time is not a number of seconds.
        """

    @abstractmethod
    def _history_with_marks(self, marks: tuple[Mark, ...], time: Any) -> History[Choices]:
        """Return the history after the marks on a picture are replaced: in a film, those on the frame at ``time``.

        If ``time`` is None, the picture is the displayed one.
        """

    @abstractmethod
    def _load(self) -> Picture:
        """Read the displayed picture from the source."""

    @abstractmethod
    def hints_text(self) -> str:
        """Return the hints as JSON text, in the format that the command line reads."""

    @abstractmethod
    def load_hints(self, path: Path) -> None:
        """Replace the marks by the hints of a JSON file.

        Raises:
            OptionError: The file cannot be read, or does not contain hints for an item of this kind.
        """

    @abstractmethod
    def download(self) -> Path:
        """Return the path of the coloured file, which stays until the item changes or is removed.

        Raises:
            OptionError: The item is not coloured yet.
            PhotochromError: The file cannot be written, or the studio has no space for it.
            OSError: The item was removed meanwhile, or its folder cannot be written.
        """

    # Everything else -------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Number that increases with each change, so that the page never shows an outdated picture."""
        return self._revision

    def describe(self) -> dict[str, Any]:
        """Return the item's state as JSON for the page."""
        revision = self._revision  # first, since what is read later may only be newer than its number
        history, options = self._history, self.options()
        return {
            "id": self.id, "kind": self.kind, "name": self.source.name, "order": self.order, "folder": self.dropped_in,
            "revision": revision, "vividness": options.vividness, "strength": options.strength,
            "marks": [mark.to_json() for mark in self.marks()],
            "canUndo": bool(history.past), "canRedo": bool(history.future),
        }  # fmt: skip

    def edit(self, change: dict[str, Any]) -> None:
        """Apply one change requested by the page.

        Raises:
            OptionError: The change is unknown, or one of its values is wrong.
            FilmError: The frame of a film at the requested time cannot be read.
        """
        with self.lock:
            history, revision = self._history, self._revision
            try:
                self._history = self._history_after(change)
                self.options()  # raises an error for too many hints
            except BaseException:
                self._history = history
                raise
            if self._history is not history or self._revision != revision:
                self._revision += 1

    def _history_after(self, change: dict[str, Any]) -> History[Choices]:
        kind = change.get("do")
        if kind == "undo":
            return self._history.undo()
        if kind == "redo":
            return self._history.redo()
        if kind == "dial":
            dial, value = _dial(change, has_vividness=self._colorizer.card.vividness is not None)
            return self._history_after_turn(dial, value, for_shot=change.get("shot") is True)
        if kind == "marks":
            time = change.get("time")
            if "before" in change:
                check_unchanged(parse_marks(change["before"]), self.marks(time))
            return self._history_with_marks(parse_marks(change.get("marks")), time)
        raise OptionError(f"the studio cannot do {kind!r:.60}")

    def _history_after_turn(self, dial: str, value: float, *, for_shot: bool) -> History[Choices]:
        return self._history.turn(dial, **{dial: value})

    def predicted(self) -> tuple[Picture, ColorOptions, Prediction]:
        """Return the displayed picture, the options of the current choices, and the prediction for them.

        Raises:
            OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
            PhotochromError: The source had to be read again, and could not be read.
        """
        with self.lock:
            picture, options = self._loaded(), self.options()
            found = cached_prediction(self._colorizer, picture.thumbnail, options, picture.cached)
            self._state.pictures.put(self.id, replace(picture, cached=found))
            return picture, options, found.prediction

    def _loaded(self) -> Picture:
        """Return the displayed picture; its cached prediction may be missing or outdated."""
        with self.lock:
            return self._state.pictures.get(self.id) or self._state.pictures.put(self.id, self._load())

    def rendered(self, longest: int) -> np.ndarray:
        """Return the displayed picture in colour: RGB, uint8 ``[h, w, 3]``, with sides of at most ``longest``.

        Errors are those of ``predicted``.
        """
        picture, options, prediction = self.predicted()
        return self._colorizer.colorize(small(picture.luma, longest), options, prediction=prediction)

    def prediction(self) -> Prediction:
        """Return the prediction for the current choices; errors are those of ``predicted``."""
        return self.predicted()[-1]

    def luma(self) -> np.ndarray:
        """Return the displayed luma, uint8 ``[h, w]``.

        Raises:
            PhotochromError: The source had to be read again, and could not be read.
        """
        return self._loaded().luma

    def close(self) -> None:
        """Remove the item's files, and its pictures in the caches."""
        self.is_closed = True
        self._state.forget(self.id)
        shutil.rmtree(self.folder, ignore_errors=True)


def _dial(change: dict[str, Any], *, has_vividness: bool) -> tuple[str, float]:
    """Return the name of the dial that a change turns, and the dial's new value.

    Raises:
        OptionError: There is no such dial, its value is out of range, or the model has no vividness.
    """
    dial, value = change.get("dial"), change.get("value")
    if not isinstance(dial, str) or not isinstance(value, int | float) or not 0 <= value <= _DIALS.get(dial, -1):
        raise OptionError("there is no such dial, or its value is out of range")
    if dial == "vividness" and not has_vividness:
        raise OptionError("this model has no vividness")
    return dial, float(value)


@contextmanager
def hiding_folder(path: Path) -> Iterator[None]:
    """Remove the folder of ``path`` from errors in the block, since visitors should not see paths on the server."""
    with renaming(f"{path.parent}{os.sep}", ""):
        yield
