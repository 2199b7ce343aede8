"""The exceptions that Photochrom raises if it cannot do what is asked, all derived from ``PhotochromError``.

PhotochromError
├── PhotoError      a photograph cannot be read or written
├── FilmError       a film cannot be read or written
├── ModelError      a model file is missing, damaged, not a Photochrom model, or contradicts its card
├── EngineError     the engine that runs the network is missing or failed
├── OptionError     an option is invalid, or the model does not support it
├── StudioError     the studio cannot start or cannot continue
└── TrainingError   training cannot start or cannot continue

A message is one line: the path if there is one, the problem, and what to do about it. Exceptions of third-party
libraries are re-raised as one of these (``raise ... from``) before they leave the public functions. Where an
``OSError`` may pass, the function's docstring says so.

Remedies name arguments of the Python API (``overwrite=True``). The command line rewrites them as flags
(``--overwrite``) in ``commands.messages``. The functions of this module format parts of messages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

WHOLE_COPY: Final = "get a whole copy of the file"
"""Advice on a damaged file."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class PhotochromError(Exception):
    """Base class of the exceptions of this module. ``str()`` returns the whole message.

    Args:
        problem: Short description of the fault.
        path: The file or folder concerned.
        remedy: Advice on what to do.
    """

    def __init__(self, problem: str, *, path: str | os.PathLike[str] | None = None, remedy: str = "") -> None:
        name = [] if path is None else [os.fspath(path)]
        super().__init__(": ".join([*name, problem, *([remedy] if remedy else [])]))
        self.problem = problem
        """The message without path and remedy."""
        self.path = None if path is None else Path(path)
        """The file or folder concerned; None if there is none, or if only the message names it."""
        self.remedy = remedy
        """Advice on what to do, at the end of the message; empty if there is none, or if ``problem`` contains it."""


class PhotoError(PhotochromError):
    """A photograph cannot be read or written."""


class FilmError(PhotochromError):
    """A film cannot be read or written."""


class ModelError(PhotochromError):
    """A model file or weights are missing, damaged or not Photochrom's, or the model contradicts its card."""


class EngineError(PhotochromError):
    """The engine that runs the network is not installed, or failed."""


class OptionError(PhotochromError, ValueError):
    """An option is invalid or contradicts another one, or the chosen model does not support it."""


class StudioError(PhotochromError):
    """The studio cannot start or continue: a package is missing, its address is in use, or the disk is full."""


class TrainingError(PhotochromError):
    """Training cannot start or cannot continue."""


@contextmanager
def system_errors(
    kind: type[PhotochromError], path: str | os.PathLike[str], remedy: str, verb: str = "read"
) -> Iterator[None]:
    """Translate system errors in the block into an error of Photochrom: "PATH: cannot be VERB (REASON): REMEDY".

    Args:
        kind: Class of the error.
        path: The file or folder that the block uses.
        remedy: Advice on what to do.
        verb: Past participle of what the block does.
    """
    try:
        yield
    except OSError as exc:
        raise kind(f"cannot be {verb} ({exc.strerror or exc})", path=path, remedy=remedy) from exc


@contextmanager
def renaming(old: str, new: str) -> Iterator[None]:
    """Replace a text in errors of Photochrom from the block, such as the path of a temporary file by its source.

    Args:
        old: The text; it may be part of a path.
        new: The text to show instead.
    """
    try:
        yield
    except PhotochromError as exc:
        if old not in str(exc):
            raise
        problem, remedy = (text.replace(old, new) for text in (exc.problem, exc.remedy))
        path = None if exc.path is None else str(exc.path).replace(old, new)
        raise type(exc)(problem, path=path, remedy=remedy) from (exc.__cause__ or exc)


@contextmanager
def needed_for(purpose: str, extra: str, kind: type[PhotochromError] = PhotochromError) -> Iterator[None]:
    """Translate an ``ImportError`` in the block: "PURPOSE needs PACKAGE: pip install 'photochrom[EXTRA]'".

    Args:
        purpose: Purpose of the package; subject of the message.
        extra: Name of the extra that installs the package.
        kind: Class of the error that is raised instead.
    """
    try:
        yield
    except ImportError as exc:
        raise kind(f"{purpose} needs {exc.name or exc}", remedy=f"pip install 'photochrom[{extra}]'") from exc


def message_of(exc: Exception) -> str:
    """Return the message of a library's exception as one line, or the name of its class if it has no message."""
    return " ".join(str(exc).split()) or type(exc).__name__


def first_of(names: Sequence[object], most: int = 3) -> str:
    """Return the first ``most`` names and the number of the others, as in "a.jpg, b.jpg, c.jpg and 4 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def one_line(text: str) -> str:
    """Return a text in one line: control characters, which file names may contain, are escaped."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(number: int, thing: str) -> str:
    """Return a number with its noun, as in ``1 frame`` or ``2 frames``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    """Return a duration as ``0:48``, ``12:30`` or ``1:02:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
