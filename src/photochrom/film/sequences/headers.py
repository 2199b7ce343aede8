"""Reads the header of a numbered frame of any format, and compares it with that of the first frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...errors import FilmError, PhotoError
from ...photo.formats import png
from . import dpx, exr, pictures

Header = dpx.DpxHeader | exr.ExrHeader | pictures.PictureHeader
REMEDY = "move frames of each kind to a folder of their own"
"""Advice if frames differ."""
_READERS: dict[str, Callable[[Path], Header | None]] = {"dpx": dpx.read_header, "exr": exr.read_header}


def read_header(path: Path, format: str, *, is_first: bool) -> Header | None:
    """Read a frame's header; return None if it is damaged, which is reported when the frame is decoded.

    Args:
        path: The frame.
        format: Its format, a value of ``SUFFIXES``.
        is_first: Whether others are compared with it, so that its orientation must be known.

    Raises:
        FilmError: The frame cannot be read.
    """
    return _READERS[format](path) if format in _READERS else pictures.read_header(path, whole=is_first)


def difference(header: Header, first: Header) -> str:
    """Describe how a frame differs from the first frame in size or pixel format; empty if it does not."""
    if (header.width, header.height) != (first.width, first.height):
        return f"has {header.width} x {header.height} pixels, and the first frame has {first.width} x {first.height}"
    if header.kind != first.kind:
        return f"has {header.kind}, and the first frame has {first.kind}"
    if isinstance(header, exr.ExrHeader) or isinstance(first, exr.ExrHeader):
        return ""
    if header.orientation not in (None, first.orientation):
        return _turned(header.orientation, first.orientation)
    return ""


def check_png(data: memoryview, first: int, path: Path) -> None:
    """Check the orientation of a whole PNG frame, since EXIF may lie behind the pixels.

    Args:
        data: The file.
        first: Orientation of the first frame.
        path: Its path, for messages.

    Raises:
        FilmError: The orientation differs from that of the first frame, or a text in the file is too large.
    """
    try:
        orientation = png.orientation(data) or 1
    except PhotoError as exc:
        raise FilmError(exc.problem, path=path, remedy=exc.remedy) from exc
    if orientation != first:
        raise FilmError(_turned(orientation, first), path=path, remedy=REMEDY)


def _turned(orientation: int | None, first: int | None) -> str:
    return f"has orientation {orientation} in EXIF's numbers, and the first frame has {first}"
