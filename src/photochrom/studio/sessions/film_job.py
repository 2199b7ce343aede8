"""The long-running job of a film: colouring it or drawing a sheet of its shots, one at a time."""

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
    """The job was cancelled; finished segments are kept."""


class Job:
    """A job that is requested, waits for its turn, runs, and can be stopped. All sessions of a film share it."""

    def __init__(self) -> None:
        self.stopped = False
        self._asked: Kind | None = None
        self._running: Kind | None = None
        self._settings: Settings | None = None
        self._lock = threading.Lock()

    def ask(self, kind: Kind) -> None:
        """Request the job, which then waits for its turn.

        Raises:
            OptionError: A job is waiting or running already.
        """
        with self._lock:
            if self._asked or self._running:
                raise OptionError("the film is being worked on already: wait, or stop it")
            self._asked, self.stopped = kind, False

    def stop(self) -> Kind | None:
        """Cancel the job and return what it was."""
        with self._lock:
            wanted = self._running or self._asked
            self._asked, self.stopped = None, True
        return wanted

    @contextmanager
    def turn(self, kind: Kind) -> Iterator[None]:
        """Run the job in this block.

        Raises:
            StoppedError: The job was cancelled while it waited.
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
        """Return whether the settings differ from those of the last job that started."""
        return self._settings != settings

    def begun(self, settings: Settings) -> None:
        """Record the settings of the job that has started."""
        self._settings = settings
