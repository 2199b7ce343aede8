"""Limits on the time and the memory that one small file may take; for processes whose death is one file's fault."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

SECONDS, MEGABYTES = 10, 1500
_WALL = 60  # times as long by the clock, because other programs may have the processor


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """End the process if the block takes too much processor time, or waits for ever."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, _WALL * SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def takes_too_much() -> bool:
    """Whether this process has taken too much memory since it was last asked; False where it cannot be told."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return False  # not Linux
    # getrusage would count what the parent had before, too.
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    if int(line.split()[1]) <= MEGABYTES * 1000:
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the next file is not to blame
    return True
