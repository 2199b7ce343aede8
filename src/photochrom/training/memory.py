"""Memory of the process: keeping it, measuring what is free, and explaining its lack in one line."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import TrainingError

_CGROUP = Path("/sys/fs/cgroup")  # of this process's container, if it runs in one
_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1  # from glibc's malloc.h


def keep_memory() -> None:
    """Make glibc keep freed memory, which it would otherwise return to the kernel and request anew in each step."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def explain_memory_errors() -> Iterator[None]:
    """Turn a lack of memory within the block into a ``TrainingError``."""
    try:
        yield
    except (MemoryError, RuntimeError) as exc:
        known = isinstance(exc, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(exc)
        if not known:
            raise
        raise TrainingError("the memory is too small: give a smaller --batch, or close other programs") from exc


def free_memory() -> int | None:
    """Return the bytes that the machine and the container still have for this process; None where neither is known."""
    limits = []
    if (meminfo := Path("/proc/meminfo")).is_file():
        (line,) = (line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable"))
        limits.append(1024 * int(line.split()[1]))
    limit, used, parts = (_CGROUP / name for name in ("memory.max", "memory.current", "memory.stat"))
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        # The page cache counts as used, but the kernel gives it up where memory is short.
        (cached,) = (line for line in parts.read_text().splitlines() if line.startswith("inactive_file "))
        limits.append(int(text) - int(used.read_text()) + int(cached.split()[1]))
    return min(limits, default=None)
