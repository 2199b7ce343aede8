"""``silence_libraries``: keeps the warnings of C libraries off the terminal."""

from __future__ import annotations

import os
import sys


def silence_libraries() -> None:
    """Redirect file descriptor 2, to which libpng, libtiff and others print warnings directly.

    From now on the descriptor is the null device, and ``sys.stderr`` writes to a copy of the original. Warnings that
    matter are reported as errors or warnings of Photochrom. If PHOTOCHROM_DEBUG is set, nothing is redirected.
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
    real = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(real, "w", buffering=1, encoding=encoding, errors="backslashreplace")
