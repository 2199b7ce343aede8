"""What a model suggests: colours likely at a place, and other plausible pictures, each coherent over the whole of it.

An alternative is a set of hints: at the places that the network is least sure of, colours that it holds possible. The
network then carries them through the picture, so that a coat that turns green does so whole, and what belongs with it
follows. As they are hints, one can see what an alternative has decided, keep it in a file, and change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .chroma import lab_to_rgb, lightness_of_luma, rgb_to_lab
from .errors import ModelError, OptionError
from .hints import Hint
from .options import ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer, Prediction

MOST = 5
"""Alternatives of one picture. With two colours or more to choose from at each place, that many differ."""
_PLACES = 3  # that an alternative decides on, one after another
_APART = 0.25  # of the short side: between two of them
_SMOOTH = 12.0  # a*b*: colours nearer than this count as one
_DISTINCT = 24.0  # and suggested ones are at least so far apart
_POSSIBLE = 1e-3  # of the likeliest's probability: what is less likely is no suggestion
_TONES = (35, 80)  # L* that a suggestion is shown at: very dark and very light colours have no chroma to show


def alternatives(
    colorizer: Colorizer,
    luma: np.ndarray,
    count: int = 4,
    options: ColorOptions | None = None,
    *,
    prediction: Prediction | None = None,
) -> list[ColorOptions]:
    """Options that give ``count`` plausible pictures, different from the automatic one and from one another.

    Each is ``options`` with hints added; colour the picture with it, or take the hints further. The network runs
    ``_PLACES`` times, on all alternatives at once.

    Args:
        colorizer: of a model that predicts a distribution and takes hints.
        luma: as for ``Colorizer.chroma``.
        count: 1 to ``MOST``.
        options: what they share; hints in them are kept.
        prediction: of ``luma`` with ``options``, where it is known already; it saves the first run.

    Raises:
        OptionError: the model has no distribution or takes no hints, or the count is out of its range.
        ModelError: the model does not give the distribution that its card speaks of.
    """
    check_count(count)
    if not (colorizer.card.hints and colorizer.card.bins):
        raise OptionError(f"the model {colorizer.card.name!r} knows no alternatives: choose another model")
    options = options or ColorOptions()
    start = tuple(options.hints)
    known = {} if prediction is None else {start: prediction}
    # The digits of its number say what an alternative decides at each place. Nought is the likeliest colour, and all
    # noughts would be the automatic picture.
    found = [(start, number) for number in range(1, count + 1)]
    for _ in range(_PLACES):
        asked = [hints for hints in dict.fromkeys(hints for hints, _ in found) if hints not in known]
        if asked:
            predictions = colorizer.predict_several(luma, [replace(options, hints=hints) for hints in asked])
            known |= zip(asked, predictions, strict=True)
        found = [_decided(colorizer, known[hints], hints, number) for hints, number in found]
    return [replace(options, hints=hints) for hints, _ in found]


def check_count(count: int) -> None:
    """Raises: OptionError: so many alternatives cannot be had."""
    if not 1 <= count <= MOST:
        raise OptionError(f"{count} alternatives: ask for 1 to {MOST}")


def likely_colors(
    colorizer: Colorizer, luma: np.ndarray, x: float, y: float, count: int = 6, options: ColorOptions | None = None
) -> list[Hint]:
    """Hints of the colours that the model holds likely at a place, the likeliest first.

    Args:
        colorizer: of a model that predicts a distribution.
        luma: as for ``Colorizer.chroma``.
        x: 0 (left) to 1 (right).
        y: 0 (top) to 1 (bottom).
        count: at most so many.
        options: what the picture is coloured with; what is likely depends on the hints in them.

    Raises:
        OptionError: the model has no distribution, or a number is out of its range.
        ModelError: the model does not give the distribution that its card speaks of.
    """
    if count < 1:
        raise OptionError(f"{count} colours: ask for 1 or more")
    if not colorizer.card.bins:
        raise OptionError(f"the model {colorizer.card.name!r} predicts no distribution: choose another model")
    place = Hint(x, y, (0, 0, 0))  # refuses what is no place
    return _likely(colorizer, colorizer.predict(luma, options), place.x, place.y)[:count]


def _decided(
    colorizer: Colorizer, prediction: Prediction, hints: tuple[Hint, ...], number: int
) -> tuple[tuple[Hint, ...], int]:
    """Hints with one more, at the least sure place, which the last digit of a number chooses; and the other digits."""
    likely = _likely(colorizer, prediction, *_open_question(colorizer, prediction, hints))
    others, choice = divmod(number, len(likely))
    return (*hints, likely[choice]), others


def _open_question(colorizer: Colorizer, prediction: Prediction, known: Sequence[Hint]) -> tuple[float, float]:
    """x and y amid the largest area of doubt, away from what is known."""
    probability, bins = _distribution(colorizer, prediction)
    mean = np.einsum("byx,bc->cyx", probability, bins)
    square = np.einsum("byx,b->yx", probability, (bins**2).sum(1))
    doubt = cv2.GaussianBlur(np.sqrt(np.maximum(0, square - (mean**2).sum(0))), (0, 0), 2.0)
    doubt += 1e-3  # where there is none at all, places are still to be apart
    height, width = doubt.shape
    y, x = np.mgrid[:height, :width] + 0.5
    for hint in known:
        away = np.hypot(y - hint.y * height, x - hint.x * width) / (_APART * min(height, width))
        doubt *= np.minimum(1, away)
    row, column = np.unravel_index(int(doubt.argmax()), doubt.shape)
    return float(column + 0.5) / width, float(row + 0.5) / height


def _likely(colorizer: Colorizer, prediction: Prediction, x: float, y: float) -> list[Hint]:
    """Hints of the colours likely at a place, the likeliest first; two at least, unless all the bins are alike.

    Each stands for the colours around it, and takes their probability away from what the next are chosen by: else the
    flanks of one peak would pass for colours of their own.
    """
    probability, bins = _distribution(colorizer, prediction)
    row, column = _index(x, y, probability.shape[1:])
    near = probability[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean((1, 2))
    lightness = lightness_of_luma(prediction.luma[_index(x, y, prediction.luma.shape)])
    colors = _within_srgb(bins, float(np.clip(lightness, *_TONES)))
    ab = rgb_to_lab(colors / np.float32(255))[:, 1:]
    distance = np.hypot(*np.moveaxis(ab[:, None] - ab, -1, 0))
    alike = np.exp(-((distance / _SMOOTH) ** 2) / 2)
    chosen: list[int] = []
    free, first = np.ones(len(bins), bool), 0.0
    while free.any():
        density = np.where(free, alike @ (near * free), -1)
        best = int(density.argmax())
        first = max(first, float(density[best]))
        if len(chosen) >= 2 and density[best] < _POSSIBLE * first:
            break
        chosen.append(best)
        free &= distance[best] >= _DISTINCT
    return [Hint(x, y, _triple(colors[i]), suggested=True) for i in chosen]


def _within_srgb(ab: np.ndarray, lightness: float) -> np.ndarray:
    """a*b* ``[N, 2]`` as it looks at a lightness, sRGB uint8 ``[N, 3]``: of the same hue, with the chroma that fits."""
    shares = np.linspace(1, 0, 41)[:, None, None]
    lab = np.concatenate([np.full((len(shares), len(ab), 1), lightness), shares * ab], axis=-1)
    rgb = lab_to_rgb(lab)
    fits = ((rgb >= -1e-3) & (rgb <= 1 + 1e-3)).all(-1)
    best = rgb[fits.argmax(0), np.arange(len(ab))]
    return np.rint(255 * np.clip(best, 0, 1)).astype(np.uint8)


def _triple(color: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in color)
    return red, green, blue


def _index(x: float, y: float, shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = shape
    return min(int(y * height), height - 1), min(int(x * width), width - 1)


def _distribution(colorizer: Colorizer, prediction: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities ``[bins, h, w]`` and a*b* ``[bins, 2]``, both float64: variances are differences of large numbers.

    Raises:
        ModelError: the model's file contradicts its card.
    """
    bins = np.array(colorizer.card.bins, np.float64)
    if prediction.probability is None or len(prediction.probability) != len(bins):
        name = colorizer.card.name
        raise ModelError(f"the model {name!r} does not give the {len(bins)} probabilities that its card speaks of")
    return prediction.probability.astype(np.float64), bins
