"""Resources of the machine: available cores and memory, freed memory, out-of-memory errors, and the processor."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import sys
from pathlib import Path
from typing import Final

_CGROUP = Path("/sys/fs/cgroup")  # limits of the container, if the process runs in one
_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1  # from glibc's malloc.h
_LARGEST_REUSED: Final = 1 << 25  # bytes: an array of a photograph of 32 megapixels
LARGEST_REUSED_IN_FILMS: Final = 1 << 22
"""Argument of ``reuse_freed_memory``, in bytes, for films. With the default, freed frames and encoders would leave
140 MB of holes in the memory (at 1920 x 1080). ``film.frame_buffers`` reuses the memory of frames instead."""
_KEPT: Final = 1 << 26  # bytes of freed memory that are not returned to the system
# When malloc or mmap fails, OpenCV raises cv2.error, Pillow OSError, libheif, OpenVINO and threading RuntimeError,
# libwebp ValueError, and the loader of shared libraries ImportError.
_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|insufficient memory|memory allocation|(cannot|can't|unable to|failed to) alloc|bad_alloc"
    r"|failed to map segment|can't start new thread|pthread_create|(de|en)coder error -9\b",
    re.IGNORECASE,
)


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Return the memory that this process can still get, in bytes; None if unknown.

    It is the lesser of what the machine has available and what remains of the limit of the process's container.
    """
    limits = []
    if (meminfo := Path("/proc/meminfo")).is_file():
        (line,) = (line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable"))
        limits.append(1024 * int(line.split()[1]))
    limit, used, parts = (_CGROUP / name for name in ("memory.max", "memory.current", "memory.stat"))
    if limit.is_file() and (text := limit.read_text().strip()) != "max":
        # The page cache counts as used, but the kernel frees it if memory is short.
        (cached,) = (line for line in parts.read_text().splitlines() if line.startswith("inactive_file "))
        limits.append(int(text) - int(used.read_text()) + int(cached.split()[1]))
    return min(limits, default=None)


def reuse_freed_memory(largest: int = _LARGEST_REUSED) -> None:
    """Configure glibc's allocator so that freed memory is reused; does nothing with other C libraries.

    Args:
        largest: Size in bytes of the largest arrays whose memory is reused; larger arrays are returned to the system.
    """
    if sys.platform != "linux":
        return
    # By default, glibc gives each thread its own arena, whose freed memory other threads cannot use: some 50 MB while a
    # film is coloured. It also returns the arrays of each photograph to the system, which must fill them with zeros
    # again for the next photograph; this takes a tenth of the time of a photograph.
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, largest)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)


def give_back_freed_memory() -> None:
    """Return all freed memory of this process to the system; does nothing without glibc."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def limit_blas_threads() -> None:
    """Let NumPy use one thread, unless ``OPENBLAS_NUM_THREADS`` is set; must be called before NumPy is imported."""
    # More threads would only wait for one another, and ``color.bands.product`` would have to multiply in parts.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def lacks_memory(error: BaseException) -> bool:
    """Return whether an exception, from Python or from any library, means that memory or threads ran out."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


def processor_name() -> str:
    """Return the processor's model name; if the system does not report it, the processor's architecture."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def processor_flags() -> tuple[str, ...]:
    """Return the names of the processor's instruction sets, on Linux; empty elsewhere."""
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            return tuple(line.partition(":")[2].split())
    return ()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
