"""A user without privileges, for tests that may be run by root."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
is_root = hasattr(os, "geteuid") and os.geteuid() == 0


@contextmanager
def public_folder() -> Iterator[Path]:
    """Yield a temporary folder that every user may enter, unlike those of pytest."""
    if os.name != "posix":
        pytest.skip("POSIX permissions")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def as_nobody() -> Iterator[None]:
    """Drop root's privileges during the block."""
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
