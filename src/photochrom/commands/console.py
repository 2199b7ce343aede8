"""Prints the results of a command, its progress and a summary."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

_BEAT = 1.0  # seconds between two looks at the clock
_EVERY = 30.0  # seconds between two progress lines where there is no terminal


class Console:
    """Prints results to the standard output, and everything else to the standard error.

    Args:
        quiet: Whether to print errors only.
        verbose: Whether to print details as well.
        to_stderr: Whether results go to the standard error, since the standard output carries a picture.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, to_stderr: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self._to_stderr = to_stderr

    def result(self, text: str) -> None:
        """Print a result."""
        if self.quiet:
            return
        if self._to_stderr:
            say(text)
        else:
            _write(text, sys.stdout)

    def detail(self, text: str) -> None:
        """Print a detail, with ``--verbose`` only."""
        if self.verbose:
            self.result(text)

    def note(self, text: str) -> None:
        """Print something that the user should know, though nothing has failed."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Print an error."""
        say(f"photochrom: {text}")

    def progress(self, unit: str, total: int | None = None) -> Progress:
        """Return a progress bar, to be used in a ``with`` block."""
        return Progress(unit, total, quiet=self.quiet)


def say(text: str) -> None:
    """Print a line to the standard error. Where that is closed or takes nothing, the work goes on without it."""
    try:
        _write(text, sys.stderr)
    except OSError:
        drop_unsaid()


def drop_unsaid() -> None:
    """Let a standard error that takes nothing take everything from now on, and what is still in its buffer.

    Python flushes that buffer when a process is started, which would fail, and at its end, for whose failure it has an
    exit status of its own.
    """
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _write(text: str, stream: Any) -> None:
    if stream is None:  # closed
        return
    from tqdm import tqdm

    tqdm.write(text, file=stream)
    stream.flush()


class Progress:
    """A progress bar on a terminal, and a line now and then elsewhere, as in logs.

    The bar's clock goes on while a single unit takes long, such as a large photograph that is encoded as HEIC. A bar of
    one unit appears only if that takes over a second.
    """

    def __init__(self, unit: str, total: int | None, *, quiet: bool) -> None:
        from tqdm import tqdm

        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        hidden, self._late = quiet or not is_terminal, total == 1
        self._bar = tqdm(unit=unit, total=total, disable=hidden, delay=_BEAT if self._late else 0, leave=not self._late)
        self._ended = threading.Event()
        self._clock = None if hidden else threading.Thread(target=self._beat, name="photochrom-bar", daemon=True)
        self._logs = not quiet and not is_terminal and sys.stderr is not None
        self._unit, self._total = unit, total
        self._begun = self._printed = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> Self:
        if self._clock is not None:
            self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._clock is not None:
            self._clock.join()
        self._bar.close()

    def _beat(self) -> None:
        while not self._ended.wait(_BEAT):
            self._bar.delay = 0  # from now on it has been seen, and has to be cleared
            self._bar.refresh()

    def show(self, done: int, total: int | None) -> None:
        """Show how many units are done. The first call may be far on, when an earlier job is resumed."""
        if self._first is None:
            self._first = max(0, done - 1)
            self._bar.initial = self._bar.n = self._first
        self._total = self._bar.total = total
        self._bar.update(done - self._bar.n)
        self._log(done)

    def show_page(self, done: int, total: int) -> None:
        """Show how many pages of the present photograph are done."""
        self._bar.set_postfix_str(f"page {done:,} of {total:,}" if done < total else "", refresh=False)
        if self._is_time_to_log():
            say(f"photochrom: {done:,} of {total:,} pages")

    def finish(self) -> None:
        """Let the bar end at its total, which may have been an estimate."""
        self._bar.total = self._bar.n
        self._bar.refresh()

    def _log(self, done: int) -> None:
        if not self._is_time_to_log():
            return
        text = f"{done:,} {self._unit}s"
        if self._total:
            left = (time.monotonic() - self._begun) * (self._total - done) / max(1, done - (self._first or 0))
            text = f"{done:,} of {self._total:,} {self._unit}s, about {duration(left)} left"
        say(f"photochrom: {text}")

    def _is_time_to_log(self) -> bool:
        now = time.monotonic()
        if not self._logs or now - self._printed < _EVERY:
            return False
        self._printed = now
        return True


def duration(seconds: float) -> str:
    """Write a duration: ``0:48``, ``12:30`` or ``1:02:05``."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def counted(number: int, thing: str) -> str:
    """Write a number of things: ``1 frame``, ``2 frames``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
