"""Facts about the machine: how many cores and how much memory this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")  # of this process's container, if it runs in one


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
