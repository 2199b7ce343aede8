"""Folders that another process or thread may still be changing."""

from __future__ import annotations

import os
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """Return all files below a folder, at any depth; what disappears meanwhile is left out.

    ``Path.rglob`` raises an error if a folder disappears between being listed and being read.
    """
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
