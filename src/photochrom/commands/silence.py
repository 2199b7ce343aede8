"""``silence_libraries``: prevents C libraries from printing warnings to standard error."""

from __future__ import annotations

import os
import sys


def silence_libraries() -> None:
    """Redirect file descriptor 2, to which libpng, libtiff and others print warnings, to the null device.

    ``sys.stderr`` writes to a copy of the original descriptor instead. Warnings that matter are reported as errors or
    notes of Photochrom. If ``PHOTOCHROM_DEBUG`` is set, nothing is redirected.
    """
    if os.environ.get("PHOTOCHROM_DEBUG") or sys.stderr is None:
        return
    try:
        if sys.stderr.fileno() != 2:
            return
    except (OSError, ValueError):  # sys.stderr was replaced by an object that is not a file
        return
    sys.stderr.flush()
    encoding = sys.stderr.encoding
    original = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = os.fdopen(original, "w", buffering=1, encoding=encoding, errors="backslashreplace")
