"""Signals that the process should react to."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


def heard(*names: str) -> list[signal.Signals]:
    """Return the named signals that this platform has and that are not ignored (as SIGHUP is under nohup)."""
    found = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [number for number in found if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def ending_at_once(*names: str) -> Iterator[None]:
    """Let signals end the process without a word during a block that writes nothing, such as long imports.

    An exception that a handler raised there would come out of the middle of a C extension's import, as any other.
    """
    former = {number: signal.signal(number, signal.SIG_DFL) for number in heard(*names)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
