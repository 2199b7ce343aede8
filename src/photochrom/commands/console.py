"""``Console``: prints a command's results, notes and errors; ``Progress``: a progress bar."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from ..errors import OptionError, PhotochromError, clock, one_line
from .messages import error_text

_REFRESH_SECONDS = 1.0  # interval between updates of the bar's clock
_ABOUT = "{l_bar}{bar}| {n_fmt}/about {total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"  # tqdm's, with "about"
_LOG_SECONDS = 30.0  # interval between progress lines if there is no terminal


class Console:
    """Prints results to standard output, and everything else to standard error.

    Args:
        quiet: Whether to print errors only.
        verbose: Whether to print details as well.
        to_stderr: Whether results go to standard error, because a picture is written to standard output.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False, to_stderr: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self._to_stderr = to_stderr

    def result(self, text: str) -> None:
        """Print a result, unless ``quiet``."""
        if self.quiet:
            return
        if self._to_stderr:
            print_to_stderr(one_line(text))
        else:
            _write(one_line(text), sys.stdout)

    def detail(self, text: str) -> None:
        """Print a detail as a result, if ``verbose``."""
        if self.verbose:
            self.result(text)

    def note(self, text: str) -> None:
        """Print a remark that is not an error, unless ``quiet``."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Print an error, even if ``quiet``."""
        print_to_stderr(f"photochrom: {one_line(text)}")

    def error_of(self, file: str, error: PhotochromError, *, alone: bool) -> None:
        """Print an error that one file has caused, with its name if there are others; these are still coloured.

        Args:
            file: The file that was to be coloured.
            error: The error.
            alone: Whether the command colours no other file.

        Raises:
            OptionError: ``error`` is one. If there are other files, it is raised only if it does not name the file: the
                option is then wrong for all of them.
        """
        if isinstance(error, OptionError) and (alone or error.path != Path(file)):
            raise error
        text = error_text(error)
        is_named = alone or error.path is not None or file in str(error)
        self.error(text if is_named else f"{file}: {text}")

    def progress(self, unit: str, total: int | None = None) -> Progress:
        """Return a progress bar, to be used in a ``with`` block.

        Args:
            unit: Noun for one unit, such as ``frame``.
            total: Number of units; None if it is unknown.
        """
        return Progress(unit, total, quiet=self.quiet)


def print_to_stderr(text: str) -> None:
    """Print a line to standard error; do nothing if that is closed or cannot be written."""
    try:
        _write(text, sys.stderr)
    except OSError:
        discard_unwritable()


def discard_unwritable() -> None:
    """Discard the buffer of standard error, by redirecting it to the null device, if it cannot be written."""
    # Otherwise, Python would flush the buffer again and fail: when it starts a subprocess, and when it exits, where the
    # failure would change the exit status.
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _write(text: str, stream: Any) -> None:
    if stream is None:  # the stream was closed at the start
        return
    # tqdm may be only partly imported, if a signal handler calls this; then there is no bar yet to print above.
    bars = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if bars is None:
        stream.write(f"{text}\n")
    else:
        bars.write(text, file=stream)
    stream.flush()


class Progress:
    """A progress bar on a terminal; in logs and pipes, a line every 30 seconds; nothing if ``quiet``.

    The bar's clock keeps running while a single unit takes long, such as encoding a large photograph as HEIC. A bar of
    one unit appears only after a second.
    """

    def __init__(self, unit: str, total: int | None, *, quiet: bool) -> None:
        from tqdm import tqdm

        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        hidden, self._late = quiet or not is_terminal, total == 1
        self._bar = tqdm(
            unit=unit, total=total, disable=hidden, delay=_REFRESH_SECONDS if self._late else 0, leave=not self._late
        )
        self._ended = threading.Event()
        self._clock = (
            None if hidden else threading.Thread(target=self._refresh_regularly, name="photochrom-bar", daemon=True)
        )
        self._logs = not quiet and not is_terminal and sys.stderr is not None
        self._unit, self._total, self._about = unit, total, ""
        self._begun = self._printed = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> Self:
        if self._clock is not None:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._clock is not None:
            self._clock.join()
        self._bar.close()

    def _refresh_regularly(self) -> None:
        while not self._ended.wait(_REFRESH_SECONDS):
            self._bar.delay = 0  # the bar is visible from now on, and must be cleared
            self._bar.refresh()

    def show(self, done: int, total: int | None, *, is_estimate: bool = False) -> None:
        """Show the number of units done, and the total if it is known, with "about" if that is an estimate.

        The first call follows the first unit of this run; an earlier run has done the units before that one.
        """
        if self._first is None:
            self._first = max(0, done - 1)
            self._bar.initial = self._bar.n = self._first
        self._total = self._bar.total = total
        self._about = "about " if is_estimate else ""
        self._bar.bar_format = _ABOUT if is_estimate else None
        self._bar.update(done - self._bar.n)
        self._log(done)

    def show_page(self, done: int, total: int) -> None:
        """Show how many pages of the current photograph are done."""
        self._bar.set_postfix_str(f"page {done:,} of {total:,}" if done < total else "", refresh=False)
        if self._is_time_to_log():
            print_to_stderr(f"photochrom: {done:,} of {total:,} pages")

    def finish(self) -> None:
        """Set the bar's total, which may have been an estimate, to the number of units done."""
        self._bar.total, self._bar.bar_format = self._bar.n, None
        self._bar.refresh()

    def _log(self, done: int) -> None:
        if not self._is_time_to_log():
            return
        text = f"{done:,} {self._unit}s"
        if self._total:
            left = (time.monotonic() - self._begun) * (self._total - done) / max(1, done - (self._first or 0))
            text = f"{done:,} of {self._about}{self._total:,} {self._unit}s, about {clock(left)} left"
        print_to_stderr(f"photochrom: {text}")

    def _is_time_to_log(self) -> bool:
        now = time.monotonic()
        if not self._logs or now - self._printed < _LOG_SECONDS:
            return False
        self._printed = now
        return True
