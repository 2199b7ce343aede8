"""Other plausible colours of the same picture, each coherent over the whole of it.

An alternative is a set of hints: at the places that the network is least sure of, colours that it holds possible. The
network then carries them through the picture, so that a coat that turns green does so whole, and what belongs with it
follows. As they are hints, one can see what an alternative has decided, keep it in a file, and change it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .chroma import lab_to_rgb, lightness_of_luma
from .errors import OptionError
from .hints import Hint
from .options import ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer, Prediction

MOST = 5
_PLACES = 3  # that an alternative decides on, one after another
_APART = 0.25  # of the short side: between two of them
_SMOOTH = 12.0  # a*b*: colours nearer than this count as one
_DISTINCT = 24.0  # and suggested ones are at least so far apart


def alternatives(
    colorizer: Colorizer, luma: np.ndarray, count: int = 4, options: ColorOptions | None = None
) -> list[ColorOptions]:
    """Options that give ``count`` plausible pictures, different from the automatic one and from one another.

    Each is ``options`` with hints added; colour the picture with it, or take the hints further. The network runs
    ``1 + _PLACES`` times, on all alternatives at once.

    Args:
        colorizer: of a model that predicts a distribution and takes hints.
        luma: as for ``Colorizer.chroma``.
        count: 1 to ``MOST``.
        options: what they share; hints in them are kept.

    Raises:
        OptionError: the model has no distribution or takes no hints, or the count is out of its range.
    """
    if not 1 <= count <= MOST:
        raise OptionError(f"{count} alternatives: ask for 1 to {MOST}")
    if not (colorizer.card.hints and colorizer.card.bins):
        raise OptionError(f"the model {colorizer.card.name!r} knows no alternatives: choose another model")
    found = [options or ColorOptions()] * count
    for turn in range(_PLACES):
        predictions = colorizer.predict_several(luma, found)
        found = [
            replace(o, hints=(*o.hints, _decide(colorizer, prediction, o.hints, rank + 1 if turn == 0 else rank % 2)))
            for rank, (o, prediction) in enumerate(zip(found, predictions, strict=True))
        ]
    return found


def likely_colors(colorizer: Colorizer, luma: np.ndarray, x: float, y: float, count: int = 6) -> list[Hint]:
    """Hints of the colours that the model holds likely at a place, the likeliest first.

    Args:
        colorizer: of a model that predicts a distribution.
        luma: as for ``Colorizer.chroma``.
        x: 0 (left) to 1 (right).
        y: 0 (top) to 1 (bottom).
        count: at most so many.

    Raises:
        OptionError: the model has no distribution.
    """
    if not colorizer.card.bins:
        raise OptionError(f"the model {colorizer.card.name!r} predicts no distribution: choose another model")
    prediction = colorizer.predict(luma)
    assert prediction.probability is not None
    height, width = prediction.probability.shape[1:]
    cell = min(int(y * height), height - 1), min(int(x * width), width - 1)
    return [_hint(prediction, cell, ab) for ab in _modes(colorizer, prediction, cell)[:count]]


def _decide(colorizer: Colorizer, prediction: Prediction, known: tuple[Hint, ...], rank: int) -> Hint:
    """A hint at the least sure place: of the colours that are likely there, the one of the given rank."""
    cell = _open_question(colorizer, prediction, known)
    modes = _modes(colorizer, prediction, cell)
    return _hint(prediction, cell, modes[rank % len(modes)])


def _open_question(colorizer: Colorizer, prediction: Prediction, known: tuple[Hint, ...]) -> tuple[int, int]:
    """The cell amid the largest area of doubt, away from what is known."""
    assert prediction.probability is not None
    bins = np.array(colorizer.card.bins, np.float32)
    mean = np.einsum("byx,bc->cyx", prediction.probability, bins)
    square = np.einsum("byx,b->yx", prediction.probability, (bins**2).sum(1))
    doubt = cv2.GaussianBlur(np.sqrt(np.maximum(0, square - (mean**2).sum(0))), (0, 0), 2.0)
    height, width = doubt.shape
    y, x = np.mgrid[:height, :width] + 0.5
    for hint in known:
        away = np.hypot(y - hint.y * height, x - hint.x * width) / (_APART * min(height, width))
        doubt = doubt * np.minimum(1, away).astype(np.float32)
    row, column = np.unravel_index(int(doubt.argmax()), doubt.shape)
    return int(row), int(column)


def _modes(colorizer: Colorizer, prediction: Prediction, cell: tuple[int, int]) -> list[np.ndarray]:
    """a*b* of the colours likely at a cell, the likeliest first, no two alike."""
    assert prediction.probability is not None
    bins = np.array(colorizer.card.bins, np.float32)
    row, column = cell
    near = prediction.probability[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean((1, 2))
    alike = np.exp(-(((bins[:, None] - bins) / _SMOOTH) ** 2).sum(2) / 2)
    density = alike @ near
    modes: list[np.ndarray] = []
    for i in np.argsort(-density):
        if all(np.hypot(*(bins[i] - mode)) >= _DISTINCT for mode in modes):
            modes.append(bins[i])
    return modes


def _hint(prediction: Prediction, cell: tuple[int, int], ab: np.ndarray) -> Hint:
    """The colour as it looks at the picture's own lightness there, within sRGB."""
    height, width = prediction.ab.shape[1:]
    y, x = (cell[0] + 0.5) / height, (cell[1] + 0.5) / width
    rows, columns = prediction.luma.shape
    lightness = float(lightness_of_luma(prediction.luma)[int(y * rows), int(x * columns)])
    lab = np.array([np.clip(lightness, 35, 80), *ab], np.float32)  # very dark or light colours have no chroma to show
    red, green, blue = (int(v) for v in np.rint(255 * np.clip(lab_to_rgb(lab), 0, 1)))
    return Hint(x, y, (red, green, blue))
