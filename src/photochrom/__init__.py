"""Photochrom colours black-and-white photographs and films. It keeps the luma and computes the chroma.

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
from .version import __version__

if TYPE_CHECKING:
    from .batch.coordinator import color_batch
    from .batch.items import Item
    from .batch.options import BatchOptions
    from .batch.report import Row
    from .batch.summary import BatchSummary
    from .color.coding import Coding
    from .color.luma_range import Sampling
    from .color.spaces import Matrix
    from .color.tones import Tones
    from .colorizer.alternative_captions import name_alternatives
    from .colorizer.colorizer import Colorizer
    from .colorizer.hints import Hint, read_hints
    from .colorizer.margins import Box
    from .colorizer.options import ColorOptions
    from .colorizer.prediction import Prediction
    from .colorizer.suggestions import alternatives, likely_colors
    from .content_credentials import Identity
    from .film import FilmOptions, FilmReport, Progress, colorize_film, parse_time
    from .film.colored_stills import Still, read_still
    from .film.hint_spans import HintSpan
    from .film.hints import FilmHint, read_film_hints
    from .film.shots.options import ShotOptions, read_shots
    from .models.engines import Engine
    from .models.registry import ModelCard
    from .photo.job import colorize_file
    from .photo.options import OutputOptions

__all__ = [
    "BatchOptions",
    "BatchSummary",
    "Box",
    "Coding",
    "ColorOptions",
    "Colorizer",
    "Engine",
    "EngineError",
    "FilmError",
    "FilmHint",
    "FilmOptions",
    "FilmReport",
    "Hint",
    "HintSpan",
    "Identity",
    "Item",
    "Matrix",
    "ModelCard",
    "ModelError",
    "OptionError",
    "OutputOptions",
    "PhotoError",
    "PhotochromError",
    "Prediction",
    "Progress",
    "Row",
    "Sampling",
    "ShotOptions",
    "Still",
    "StudioError",
    "Tones",
    "TrainingError",
    "__version__",
    "alternatives",
    "color_batch",
    "colorize_file",
    "colorize_film",
    "likely_colors",
    "name_alternatives",
    "parse_time",
    "read_film_hints",
    "read_hints",
    "read_shots",
    "read_still",
]

# Modules are imported on first use of a name, so that `import photochrom` is fast and the command line starts quickly.
_MODULES = {
    "batch.items": ("Item",),
    "batch.coordinator": ("color_batch",),
    "batch.summary": ("BatchSummary",),
    "batch.options": ("BatchOptions",),
    "batch.report": ("Row",),
    "content_credentials": ("Identity",),
    "color.coding": ("Coding",),
    "color.luma_range": ("Sampling",),
    "color.spaces": ("Matrix",),
    "color.tones": ("Tones",),
    "colorizer.alternative_captions": ("name_alternatives",),
    "colorizer.colorizer": ("Colorizer",),
    "colorizer.prediction": ("Prediction",),
    "colorizer.hints": ("Hint", "read_hints"),
    "colorizer.margins": ("Box",),
    "colorizer.options": ("ColorOptions",),
    "colorizer.suggestions": ("alternatives", "likely_colors"),
    "film": ("FilmOptions", "FilmReport", "Progress", "colorize_film", "parse_time"),
    "film.hint_spans": ("HintSpan",),
    "film.hints": ("FilmHint", "read_film_hints"),
    "film.shots.options": ("ShotOptions", "read_shots"),
    "film.colored_stills": ("Still", "read_still"),
    "models.engines": ("Engine",),
    "models.registry": ("ModelCard",),
    "photo.job": ("colorize_file",),
    "photo.options": ("OutputOptions",),
}
_LAZY = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module 'photochrom' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
