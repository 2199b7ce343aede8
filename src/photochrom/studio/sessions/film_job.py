"""What takes long with one film: to colour it, or to make a sheet of its shots. One at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from ...errors import OptionError
from ...film import FilmOptions
from ...film.hints import FilmHint

Kind = Literal["film", "sheet"]
Settings = tuple[FilmOptions, tuple[FilmHint, ...]]


class StoppedError(Exception):
    """Nobody wants the job any more; coloured so far stays coloured."""


class Job:
    """Asked for, then run when its turn has come, and stopped whenever one likes. All sessions of a film share it."""

    def __init__(self) -> None:
        self.stopped = False
        self._asked: Kind | None = None
        self._running: Kind | None = None
        self._settings: Settings | None = None
        self._lock = threading.Lock()

    def ask(self, kind: Kind) -> None:
        """It is wanted, and waits for its turn.

        Raises:
            OptionError: one is under way.
        """
        with self._lock:
            if self._asked or self._running:
                raise OptionError("the film is being worked on already: wait, or stop it")
            self._asked, self.stopped = kind, False

    def stop(self) -> Kind | None:
        """It is no longer wanted; what was."""
        with self._lock:
            wanted = self._running or self._asked
            self._asked, self.stopped = None, True
        return wanted

    @contextmanager
    def turn(self, kind: Kind) -> Iterator[None]:
        """Its turn has come.

        Raises:
            StoppedError: it is not wanted any more.
        """
        with self._lock:
            if self._asked != kind:
                raise StoppedError
            self._asked, self._running = None, kind
        try:
            yield
        finally:
            self._running = None

    def changes(self, settings: Settings) -> bool:
        """Whether the settings are others than when the film was last begun to be coloured."""
        return self._settings != settings

    def begun(self, settings: Settings) -> None:
        """With these settings it is being coloured."""
        self._settings = settings
