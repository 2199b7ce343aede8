"""Finds a photograph's size, and whether it is in colour, without decoding all of it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from ..errors import PhotoError
from .library_errors import decoding

_SMALL: Final = 256  # longest side, in pixels, of the copy that is examined for colours


def is_in_color(path: Path) -> bool:
    """Return whether a photograph is in colour (see ``color.toning``); False for files that Pillow cannot read."""
    import numpy as np
    from PIL import Image

    from ..color.toning import has_colors

    try:
        if not path.is_file():
            return False
        with decoding(), Image.open(path) as image:
            if image.mode in ("1", "L", "LA", "La") or image.mode.startswith(("I", "F")):
                return False
            image.draft("RGB", (_SMALL, _SMALL))  # JPEGs are decoded at a reduced size
            small = image.convert("RGBA" if image.has_transparency_data else "RGB")
            small.thumbnail((_SMALL, _SMALL), Image.Resampling.BOX)
            return has_colors(np.asarray(small.convert("RGB")))
    except (PhotoError, MemoryError, OSError, ValueError):
        return False  # the error is reported when the photograph is read


def upright_size(path: Path, page: int | None = None) -> tuple[int, int]:
    """Return width and height of the upright picture, in pixels.

    Args:
        path: The photograph.
        page: Page of a TIFF, from 1; None if the file has only one page.

    Raises:
        PhotoError: The file or its size cannot be read.
    """
    from PIL import Image

    from .formats import tiff_pages

    try:
        if page is not None or _is_tiff(path):
            return tiff_pages.upright_size(path.read_bytes(), page or 1)
        with decoding(), Image.open(path) as image:
            width, height = image.size
            return (height, width) if image.getexif().get(0x0112, 1) >= 5 else (width, height)
    except (PhotoError, MemoryError, OSError, ValueError, IndexError, struct.error) as exc:
        raise PhotoError("its size cannot be read", path=path, remedy="give the place of the hint in percent") from exc


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in (b"II", b"MM")
