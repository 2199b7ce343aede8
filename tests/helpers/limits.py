"""Limits on the time and memory that one small file may take, and the outcome of reading or colouring it within them.

For worker processes only: a file that takes too long ends its process.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

SECONDS, MEGABYTES = 10, 1500
_WALL = 60  # limit of elapsed time, in multiples of SECONDS, because other programs may have the processor
Outcome = tuple[str, str]


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
    """Return whether this process has taken too much memory since the last call; False where that is not known."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return False  # not Linux
    # getrusage would count what the parent had before, too.
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    if int(line.split()[1]) <= MEGABYTES * 1000:
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # so that the peak does not count for the next file
    return True


def outcome(action: Callable[[], object], path: Path) -> Outcome:
    """Run an action on a file within the limits, and return the kind of its outcome, and a text about it.

    Args:
        action: Reads or colours the file.
        path: The file, or its folder, which the message of a refusal must name.

    Returns:
        The kind is ``done``, or ``refused`` if a ``PhotochromError`` was raised whose message is one line and names
        the path. All others are faults: ``bad message``, ``traceback`` or ``too much memory``.
    """
    from photochrom import PhotochromError

    try:
        with limited():
            action()
    except PhotochromError as exc:
        text = str(exc)
        return ("refused", text) if "\n" not in text and str(path) in text else ("bad message", text)
    except BaseException as exc:
        return "traceback", f"{type(exc).__name__}: {exc}"
    return ("too much memory", "") if takes_too_much() else ("done", "")
