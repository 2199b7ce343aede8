"""Keeps the warnings that C libraries print off the terminal."""

from __future__ import annotations

import os
import sys


def silence_libraries() -> None:
    """Keep C libraries off the terminal: libpng, libtiff and others print warnings straight to file descriptor 2.

    For the rest of the process that descriptor leads nowhere, and ``sys.stderr`` writes to a copy of the real one.
    Whatever matters in those warnings is an error or a warning of our own. With PHOTOCHROM_DEBUG set nothing is hidden.
    """
    if os.environ.get("PHOTOCHROM_DEBUG") or sys.stderr is None:
        return
    try:
        if sys.stderr.fileno() != 2:
            return
    except (OSError, ValueError):  # replaced by an object that is not a file
        return
    sys.stderr.flush()
    encoding = sys.stderr.encoding
    real = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(real, "w", buffering=1, encoding=encoding, errors="backslashreplace")
