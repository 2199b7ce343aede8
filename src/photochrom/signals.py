"""Signals: which of them to handle, and what they do during imports and during work that is ended in order.

``commands.shutdown`` describes how the command line ends on signals, ``training.stop_signals`` how a training run does.
"""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_MAIN: Final = threading.main_thread().ident or 0  # never None, since the thread is running
_LATER: Final = 0.05  # seconds after which a signal that arrived during an import is sent again


def not_ignored(*names: str) -> list[signal.Signals]:
    """Return the named signals that exist on this platform and are not ignored, as SIGHUP is under ``nohup``."""
    found = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [number for number in found if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def ending_at_once(*names: str) -> Iterator[None]:
    """Restore the default action of signals, which ends the process, during a block that writes no files.

    This is for long imports. If a handler raised ``KeyboardInterrupt`` there, a C extension that is being imported
    could turn it into another exception. ``names`` are selected as by ``not_ignored``.

    Raises:
        ValueError: This is not the main thread.
    """
    former = {number: signal.signal(number, signal.SIG_DFL) for number in not_ignored(*names)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def stopping(*names: str, told: Callable[[], None] = lambda: None) -> Iterator[Callable[[], int]]:
    """Collect signals during the block; the yielded function returns the number of the last one, or 0.

    A second Ctrl+C raises ``KeyboardInterrupt``. Outside the main thread, which alone receives signals, none are
    collected. ``names`` are selected as by ``not_ignored``.

    Args:
        told: Called when the first signal arrives.
    """
    received = 0

    def note(number: int, _: FrameType | None) -> None:
        nonlocal received
        if received == signal.SIGINT == number:
            raise KeyboardInterrupt
        is_first, received = not received, number
        if is_first:
            told()

    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {number: signal.signal(number, after_imports(note)) for number in not_ignored(*names)}
    try:
        yield lambda: received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def after_imports(handler: Callable[[int, FrameType | None], None]) -> Callable[[int, FrameType | None], None]:
    """Return a signal handler that calls ``handler``: at once, or after the import that the signal interrupts."""

    def handle(number: int, frame: FrameType | None) -> None:
        if not _is_importing(frame):
            handler(number, frame)
            return
        later = threading.Timer(_LATER, _send, (number,))
        later.daemon = True
        later.start()

    return handle


def _send(number: int) -> None:
    """Send a signal to the main thread, so that a blocking call there is interrupted."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(_MAIN, number)
    else:
        _thread.interrupt_main(signal.Signals(number))


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a stack frame, or one of its callers, belongs to Python's import system."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
