"""Translates exceptions of libraries and of the system into errors with a remedy, and silences library warnings."""

from __future__ import annotations

import errno
import logging
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..errors import WHOLE_COPY, PhotoError, message_of
from ..machine import lacks_memory
from ..output_folders import check_name

THE_PICTURE: Final = "the picture"
"""Name, in error messages, of a photograph without a path."""
_TOO_LARGE: Final = ("does not fit in memory", "scale it down or cut it into parts")
PROBLEMS: Final = {
    errno.ENOENT: ("does not exist", "check the path"),
    errno.ENOTDIR: ("is not in a folder", "check the path"),
    errno.EISDIR: ("is a folder", "name a file in it"),
    errno.EACCES: ("permission denied", "ask for it, or choose another folder"),
    errno.EPERM: ("permission denied", "ask for it, or choose another folder"),
    errno.EROFS: ("is on a disk that cannot be written", "choose another folder"),
    errno.EEXIST: ("exists already", "choose another name, or overwrite=True"),
    errno.ENOSPC: ("the disk is full", "make room, or choose another disk"),
    errno.EDQUOT: ("your share of the disk is used up", "make room, or choose another disk"),
    errno.EFBIG: (
        "is larger than its disk or the limit of the shell allows",
        "choose another disk, or raise the limit",
    ),
    errno.ELOOP: ("is a link that leads back to itself", "remove it, or make it lead to the photograph"),
    errno.ENAMETOOLONG: ("has too long a name", "shorten it"),
}
"""Problem and remedy by the number of a system error."""
_BROKEN_LINK: Final = ("is a link that leads nowhere", "remove it, or make it lead to the photograph")
# Exceptions that decoders raise on damaged data, with messages about the decoder's variables and not about the file.
_INTERNAL: Final = (struct.error, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError)

_lock = threading.Lock()
_quiet_blocks = 0
_saved_filters: list[warnings.catch_warnings] = []


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Suppress the warnings of Pillow and tifffile; Photochrom reports those that matter in warnings of its own.

    Python's warning filters are global to the process. If blocks overlap in several threads, the first block saves the
    filters and the last one restores them.
    """
    global _quiet_blocks
    with _lock:
        if _quiet_blocks == 0:
            _saved_filters.append(warnings.catch_warnings())
            _saved_filters[0].__enter__()
            warnings.simplefilter("ignore")
            for name in ("PIL", "tifffile"):
                logging.getLogger(name).addFilter(_reject)
        _quiet_blocks += 1
    try:
        yield
    finally:
        with _lock:
            _quiet_blocks -= 1
            if _quiet_blocks == 0:
                _saved_filters.pop().__exit__(None, None, None)


def _reject(_: logging.LogRecord) -> bool:
    return False


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Add the name of the file to errors in the block that name none yet, and give system errors a remedy.

    Args:
        name: Path of the file, or ``THE_PICTURE`` if it has none.

    Raises:
        PhotoError: The block raised ``PhotoError``, ``MemoryError`` or ``OSError``, or no file can have this name.
    """
    check_name(name, PhotoError)
    try:
        yield
    except PhotoError as exc:
        if exc.path is not None:
            raise
        raise _named(name, exc.problem, exc.remedy) from exc.__cause__
    except MemoryError as exc:
        raise _named(name, *_TOO_LARGE) from exc
    except OSError as exc:
        unknown = f"cannot be read or written ({message_of(exc)})", "check its disk, or copy it to another one"
        is_broken_link = exc.errno == errno.ENOENT and Path(name).is_symlink()
        raise _named(name, *(_BROKEN_LINK if is_broken_link else PROBLEMS.get(exc.errno or 0, unknown))) from exc


def _named(name: str, problem: str, remedy: str) -> PhotoError:
    """Return an error with the name of a file, or of ``THE_PICTURE``, which has no path."""
    if name == THE_PICTURE:
        return PhotoError(f"{name}: {problem}", remedy=remedy)
    return PhotoError(problem, path=name, remedy=remedy)


@contextmanager
def enough_memory(name: str) -> Iterator[None]:
    """Translate ``MemoryError`` in the block to an error that names the photograph.

    Raises:
        PhotoError: The block raised ``MemoryError``.
    """
    try:
        yield
    except MemoryError as exc:
        raise _named(name, *_TOO_LARGE) from exc


@contextmanager
def decoding() -> Iterator[None]:
    """Translate exceptions of decoders in the block to ``PhotoError``.

    On damaged files, decoders may raise anything, such as SyntaxError, KeyError or cv2.error.

    Raises:
        PhotoError: The file is damaged or of an unknown kind.
        MemoryError: A library ran out of memory.
    """
    try:
        with quiet_libraries():
            yield
    except (PhotoError, MemoryError):
        raise
    except Exception as exc:
        _raise_if_memory(exc)
        if "12-bit layers" in str(exc):  # Pillow's words for the 12-bit JPEGs of some medical and film scanners
            raise PhotoError("is a JPEG of 12 bits", remedy="convert it to TIFF or PNG of 16 bits") from exc
        is_internal = isinstance(exc, _INTERNAL) or any(isinstance(arg, _INTERNAL) for arg in exc.args)
        detail = "" if is_internal else f" ({message_of(exc)})"
        raise PhotoError(f"is damaged or of an unknown kind{detail}", remedy=WHOLE_COPY) from exc


@contextmanager
def encoding() -> Iterator[None]:
    """Translate exceptions of encoders in the block to ``PhotoError``.

    libwebp raises ValueError, libavif and libheif also RuntimeError, and Pillow SyntaxError or struct.error for the
    EXIF of an AVIF.

    Raises:
        PhotoError: The encoder refused the picture.
        OSError: The output cannot be written.
        MemoryError: A library ran out of memory.
    """
    try:
        with quiet_libraries():
            yield
    except OSError as exc:
        _raise_if_memory(exc)
        raise
    except (ValueError, RuntimeError, SyntaxError, struct.error) as exc:
        _raise_if_memory(exc)
        raise PhotoError(f"cannot be encoded ({message_of(exc)})", remedy="write another format") from exc


def _raise_if_memory(exc: Exception) -> None:
    if lacks_memory(exc):
        raise MemoryError from exc
