"""Colours one photograph from disk to disk, with its metadata and companion files."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .job import color_and_write, colorize_file, colorize_photo
    from .names import EXTENSIONS, colored_path, format_of
    from .options import OutputOptions
    from .read import Photo, read_photo
    from .report import PhotoReport
    from .write import chroma_sampling, encode_photo

__all__ = [
    "EXTENSIONS",
    "OutputOptions",
    "Photo",
    "PhotoReport",
    "chroma_sampling",
    "color_and_write",
    "colored_path",
    "colorize_file",
    "colorize_photo",
    "encode_photo",
    "format_of",
    "read_photo",
]

# Loaded on first use: job.py imports the colorizer, which most users of names and formats do not need.
_MODULES = {
    "job": ("color_and_write", "colorize_file", "colorize_photo"),
    "names": ("EXTENSIONS", "colored_path", "format_of"),
    "options": ("OutputOptions",),
    "read": ("Photo", "read_photo"),
    "report": ("PhotoReport",),
    "write": ("chroma_sampling", "encode_photo"),
}
_LAZY = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
