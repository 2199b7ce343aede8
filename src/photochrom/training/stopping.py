"""Ctrl-C and the wish of a cluster to stop, heard between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..signals import heard

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # a terminal's, a cluster's, and that of a terminal that was closed


class Stopped(Exception):  # noqa: N818
    """Asked to stop; the checkpoint is written."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        """The exit status that tells of the signal: 130, 143 or 129."""


@contextmanager
def stopping() -> Iterator[Callable[[], int]]:
    """Within, a signal only sets what the function says: 0, or the signal's number. A second Ctrl-C interrupts."""
    asked = 0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked == signal.SIGINT == number:
            raise KeyboardInterrupt
        asked = number

    if threading.current_thread() is not threading.main_thread():  # where no signal can be heard
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in heard(*_SIGNALS)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
