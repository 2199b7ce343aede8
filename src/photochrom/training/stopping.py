"""Signals that end a run between two steps: Ctrl-C, or a cluster that takes its machine back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..signals import heard

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # from a terminal, from a cluster, and from a terminal that is closed


class Stopped(Exception):  # noqa: N818
    """A signal stopped the run, after its checkpoint was written."""

    remedy = "go on with resume=True"

    def __init__(self, problem: str, status: int) -> None:
        super().__init__(f"{problem}: {self.remedy}")
        self.status = status
        """Exit status by the convention of shells, 128 + signal: 130, 143 or 129."""


@contextmanager
def stopping() -> Iterator[Callable[[], int]]:
    """Collect signals within the block; the yielded function returns the last one's number, 0 before any.

    A second Ctrl-C raises ``KeyboardInterrupt``.
    """
    asked = 0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked == signal.SIGINT == number:
            raise KeyboardInterrupt
        asked = number

    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in heard(*_SIGNALS)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
