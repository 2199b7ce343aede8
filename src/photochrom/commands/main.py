"""The command line: finds the verb, and turns errors into one line and an exit status."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import OptionError, PhotochromError
from ..signals import heard
from . import INTERRUPTED, batch, c2pa, evaluate, film, models, photo, studio, train
from .messages import error_text
from .terminal import silence_libraries

_FAILED, _USAGE = 1, 2
_KILLED = 128  # and the number of the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; the exit status: 0 all done, 1 something failed, 2 wrong usage, 130 interrupted."""
    args = _parser().parse_args(arguments)
    try:
        return int(args.verb(args))
    except PhotochromError as exc:
        _complain(error_text(exc))
        return _USAGE if isinstance(exc, OptionError) else _FAILED
    except KeyboardInterrupt:
        _complain("interrupted; finished files are kept")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="photochrom", description="Colours black-and-white photographs and films.")
    parser.add_argument("--version", action="version", version=f"photochrom {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in (photo, batch, film, studio, models, c2pa, evaluate, train):
        verb.add(verbs)
    return parser


def _complain(message: str) -> None:
    print(f"photochrom: {message}", file=sys.stderr)


def _write_any_name() -> None:
    """File names may hold what is no text; as UTF-8 they go out as they are on the disk."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")


def run() -> None:
    """Entry point of the command."""
    for number in heard("SIGTERM", "SIGHUP"):  # so that unfinished files are removed
        signal.signal(number, lambda found, _: sys.exit(_KILLED + found))
    _write_any_name()
    if sys.argv[1:2] != ["train"]:  # whose processes share one standard error, and must be heard on it
        silence_libraries()
    try:
        status = main()
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:  # before main could catch it, while modules were loaded
        status = INTERRUPTED
    except BrokenPipeError:  # whoever read our output wanted no more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    except OSError as exc:
        _complain(f"{exc.filename}: {exc.strerror}" if exc.filename else f"cannot write ({exc.strerror})")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = _FAILED
    sys.exit(status)
