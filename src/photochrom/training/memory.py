"""Lets the training process reuse freed memory, and translates out-of-memory errors."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import TrainingError
from ..machine import lacks_memory

_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1  # from glibc's malloc.h


def keep_memory() -> None:
    """Make glibc keep freed memory instead of returning it to the kernel and requesting it again in every step.

    With another C library, nothing changes.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def explain_memory_errors() -> Iterator[None]:
    """Translate out-of-memory errors within the block into a ``TrainingError``."""
    try:
        yield
    except (MemoryError, RuntimeError) as exc:
        if not lacks_memory(exc):
            raise
        remedy = "give a smaller batch or size, or close other programs"
        raise TrainingError("the memory is too small", remedy=remedy) from exc
