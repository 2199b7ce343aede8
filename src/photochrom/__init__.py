"""Photochrom colours black-and-white photographs: luma untouched, chroma computed beside it.

from photochrom import Colorizer, colorize_file, colorize_film

colorize_file("old.jpg")                      # writes old.color.jpg
colorize_film("reel.mp4")                     # writes reel.color.mp4
colored = Colorizer().colorize(pil_image)     # PIL in, PIL out; arrays in, arrays out
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    EngineError,
    FilmError,
    ModelError,
    OptionError,
    PhotochromError,
    PhotoError,
    StudioError,
    TrainingError,
)
from .hints import Hint, read_hints
from .options import ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer, Prediction
    from .files import colorize_file
    from .film.colorize import colorize_film
    from .film.options import FilmOptions
    from .models import ModelCard
    from .suggestions import alternatives, likely_colors

__version__ = "0.1.0"

__all__ = [
    "ColorOptions",
    "Colorizer",
    "EngineError",
    "FilmError",
    "FilmOptions",
    "Hint",
    "ModelCard",
    "ModelError",
    "OptionError",
    "PhotoError",
    "PhotochromError",
    "Prediction",
    "StudioError",
    "TrainingError",
    "__version__",
    "alternatives",
    "colorize_file",
    "colorize_film",
    "likely_colors",
    "read_hints",
]

# Loaded when first asked for: `import photochrom` costs nothing, and the command line answers at once.
_LAZY = {
    "Colorizer": "colorizer",
    "Prediction": "colorizer",
    "ModelCard": "models",
    "alternatives": "suggestions",
    "FilmOptions": "film.options",
    "colorize_file": "files",
    "colorize_film": "film.colorize",
    "likely_colors": "suggestions",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'photochrom' has no attribute {name!r}")
