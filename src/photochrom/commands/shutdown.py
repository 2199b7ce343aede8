"""``Shutdown``: ends the process cleanly after a signal, even if threads are still running."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Final, NoReturn

from ..signals import after_imports, not_ignored

_KILLED: Final = 128  # exit status of a process killed by a signal, minus the signal's number
_AT_ONCE: Final = 2.0  # seconds in which further signals count as repetitions, since ``timeout`` sends its signal twice


class Shutdown:
    """Ends the process cleanly: without unfinished files, and with the right exit status.

    The first signal raises an exception, so that unfinished files are removed. During an import the signal is delayed,
    since C extensions may swallow the exception or replace it with one of their own. Signals that follow within two
    seconds are ignored, since they would interrupt the removal. A later signal, from a user who no longer wants to
    wait, kills the process.

    When the interpreter is finalised, Python ends a thread as soon as it returns from a library to Python. If the
    library is written in C++, this aborts the process. So after a signal, or while daemon threads are running, the
    interpreter is not finalised: the process exits after the functions registered with ``atexit``.
    """

    def __init__(self) -> None:
        self._status = 1  # exit status for an uncaught error
        self._first: float | None = None  # time of the first signal
        self._is_over = False
        atexit.register(self._leave)  # registered before any library's functions, and thus called last

    def handle_signals(self) -> None:
        """Handle SIGTERM, SIGHUP and SIGINT from now on, except those that are ignored, as under ``nohup``."""
        for number in not_ignored("SIGTERM", "SIGHUP", "SIGINT"):
            signal.signal(number, after_imports(self._handle))

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._is_over:
            return
        now = time.monotonic()
        if self._first is not None:
            if now - self._first > _AT_ONCE:
                os._exit(_KILLED + number)
            return
        self._first, self._status = now, _KILLED + number
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(self._status)

    def close(self) -> None:
        """Ignore all further signals; to be called when the exit status is known."""
        self._is_over = True

    def exit(self, status: int) -> NoReturn:
        """End the process with an exit status."""
        self._status = status
        sys.exit(status)

    def _leave(self) -> None:
        if self._first is None and not any(thread.daemon for thread in threading.enumerate()):
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):  # the stream is broken, closed, or None
                stream.flush()
        os._exit(self._status)
