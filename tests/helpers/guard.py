"""Arrays that end at the end of accessible memory: reading one byte beyond them is a segmentation fault."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np


def guarded(array: np.ndarray) -> np.ndarray:
    """Return a copy of an array whose last byte is the last one before an inaccessible page."""
    length = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, length + mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + length), mmap.PAGESIZE, 0) == 0, ctypes.get_errno()
    copy = np.frombuffer(memory, array.dtype, array.size, length - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy


def survives(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a separate process, and return the ended process.

    If the code reads beyond a guarded array, a signal ends the process: ``returncode`` is negative. The process has a
    folder of its own for temporary files, which is removed afterwards.
    """
    root = Path(__file__).parents[2]
    script = f"import sys; sys.path.insert(0, {str(root)!r})\n" + textwrap.dedent(code)
    command = [sys.executable, "-X", "faulthandler", "-c", script]
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TMPDIR": folder})
