"""Kills a piece of work at each of its system calls in turn, to inspect the disk afterwards.

Every attempt is a fork that counts Python's audit events on files below a folder, and ends itself at one of them: there
is no clock, so that the same moments are tried on every machine.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from photochrom.atomic import sweep

_EVENTS = ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
_MOST = 500  # most moments, so that a fault cannot make this run for ever


def attempts(
    work: Callable[[], object],
    folder: Path,
    number: int,
    *,
    before: Callable[[], object] = lambda: None,
    every: int = 1,
) -> Iterator[tuple[int, bool]]:
    """Run work repeatedly, each time killed by a signal one moment later, until it reaches its end.

    Args:
        work: Done in a fork of this process.
        folder: Folder of the files whose events count.
        number: The signal: SIGKILL, or SIGTERM, which raises SystemExit as in the command.
        before: Called in this process before each attempt.
        every: Number of events between two attempted moments.

    Yields:
        Number of the moment, and whether the work got to its end.
    """
    for moment in range(1, _MOST, every):
        before()
        child = os.fork()
        if child == 0:
            _end_at(moment, folder, number)
            status = 0
            sweep.cache_clear()  # a new process would not remember which folders this one has swept
            try:
                work()
            except SystemExit:
                status = 143
            except BaseException as exc:
                print(f"moment {moment}: {type(exc).__name__}: {exc}", file=sys.stderr, flush=True)
                status = 1
            os._exit(status)
        _, found = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(found)
        assert status in (0, 143 if number == signal.SIGTERM else -number), f"moment {moment}: status {status}"
        yield moment, status == 0
        if status == 0:
            return
    raise AssertionError(f"no end after {_MOST} moments")


def _end_at(moment: int, folder: Path, number: int) -> None:
    """Make this process send itself a signal at event number ``moment`` below a folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    count, root = 0, str(folder)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in _EVENTS and str(arguments[0]).startswith(root):
            count += 1
            if count == moment:
                os.kill(os.getpid(), number)

    sys.addaudithook(hear)


def temporary_files(folder: Path) -> list[str]:
    """Return the names of temporary files below a folder, which only unfinished work leaves."""
    return sorted(path.name for path in folder.rglob(".photochrom-*.part*"))
