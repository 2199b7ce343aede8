"""Stops a run between two steps on a signal, such as Ctrl+C or a cluster's SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..signals import not_ignored

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl+C, termination by a cluster, and a closed terminal


class Stopped(Exception):  # noqa: N818
    """Raised when a signal has stopped the run; what the remedy needs, such as a checkpoint, was written before."""

    def __init__(self, problem: str, status: int, remedy: str = "go on with resume=True") -> None:
        super().__init__(f"{problem}: {remedy}")
        self.remedy = remedy
        self.status = status
        """Exit status by the shells' convention, 128 + signal: 130, 143 or 129."""


@contextmanager
def stopping() -> Iterator[Callable[[], int]]:
    """Collect signals during the block; the yielded function returns the number of the last one, or 0.

    A second Ctrl+C raises ``KeyboardInterrupt``. Outside the main thread, which alone receives signals, none are
    collected.
    """
    received = 0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal received
        if received == signal.SIGINT == number:
            raise KeyboardInterrupt
        received = number

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {number: signal.signal(number, note) for number in not_ignored(*_SIGNALS)}
    try:
        yield lambda: received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
