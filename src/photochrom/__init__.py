"""Photochrom colours black-and-white photographs: luma untouched, chroma computed beside it.

from photochrom import Colorizer, colorize_file, colorize_film

colorize_file("old.jpg")                      # writes old.color.jpg
colorize_film("reel.mp4")                     # writes reel.color.mp4
colored = Colorizer().colorize(pil_image)     # PIL in, PIL out; arrays in, arrays out
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .colorizer.hints import Hint, read_hints
from .colorizer.options import ColorOptions
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
from .version import __version__

if TYPE_CHECKING:
    from .colorizer.colorizer import Colorizer, Prediction
    from .colorizer.suggestions import alternatives, likely_colors
    from .film.job import colorize_film
    from .film.options import FilmOptions
    from .models.registry import ModelCard
    from .photo.job import colorize_file

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
    "Colorizer": "colorizer.colorizer",
    "Prediction": "colorizer.colorizer",
    "ModelCard": "models.registry",
    "alternatives": "colorizer.suggestions",
    "FilmOptions": "film.options",
    "colorize_file": "photo.job",
    "colorize_film": "film.job",
    "likely_colors": "colorizer.suggestions",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'photochrom' has no attribute {name!r}")
