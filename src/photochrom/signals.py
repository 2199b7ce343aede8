"""``not_ignored``: selects the signals to handle; ``ending_at_once``: lets signals end the process during imports.

The command line ends on signals as ``commands.shutdown`` describes, a training run as ``training.stop_signals`` does.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


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
