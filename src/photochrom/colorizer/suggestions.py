"""What a model suggests: colours likely at a place, and other plausible pictures, each coherent over the whole of it.

An alternative leans the whole picture toward one hue: everywhere, of the colours that the network holds possible, those
of that hue are weighted up. Where it is sure (skin, grass) nothing else was possible and little changes; what it doubts
(a coat, a wall) takes the hue, and takes it throughout. It is given as hints on a grid over the picture, so that one
can see what an alternative has decided, keep it in a file, and change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..color.spaces import lab_to_rgb, lightness_of_luma, rgb_to_lab
from ..errors import ModelError, OptionError
from .hints import Hint, pixel_at
from .options import ColorOptions

if TYPE_CHECKING:
    from .colorizer import Colorizer, Prediction

MOST = 5
"""Alternatives of one picture."""
_HUES = 12  # that are tried, round the circle
_LEAN = 0.1  # per unit of a*b* toward the hue: logarithm of the factor of a colour's probability
_GRID = 8  # hints along the picture's short side
_PLACES = 400  # of the grid in all, about: a file of hints has its bounds
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

    Each is ``options`` with hints added; colour the picture with it, or take the hints further. The network runs once.

    Args:
        colorizer: of a model that predicts a distribution.
        luma: as for ``Colorizer.chroma``.
        count: 1 to ``MOST``.
        options: what they share; hints in them are kept, but for those of an earlier alternative, one of whose
            alternatives each is then.
        prediction: of ``luma`` with ``options``, where it is known already; it saves the run.

    Raises:
        OptionError: the model has no distribution, or the count is out of its range.
        ModelError: the model does not give the distribution that its card speaks of.
    """
    check_count(count)
    if not colorizer.card.bins:
        raise OptionError(f"the model {colorizer.card.name!r} knows no alternatives: choose another model")
    options = options or ColorOptions()
    prediction = prediction or colorizer.predict(luma, options)
    leaned = _most_distinct(_leanings(colorizer, prediction), prediction.ab, count)
    grid = _grid(*prediction.ab.shape[1:])
    kept = tuple(hint for hint in options.hints if not (hint.suggested and (hint.x, hint.y) in grid))
    return [replace(options, hints=(*kept, *_grid_hints(prediction, ab, grid, kept))) for ab in leaned]


def _leanings(colorizer: Colorizer, prediction: Prediction) -> list[np.ndarray]:
    """a*b* float64 ``[2, h, w]`` of the picture leaned toward each of ``_HUES`` hues."""
    probability, bins = _distribution(colorizer, prediction)
    mean = np.einsum("byx,bc->cyx", probability, bins)
    raised = float((prediction.ab * mean).sum() / max(1e-6, float((mean**2).sum())))  # by the network, for vividness
    found = []
    for angle in np.arange(_HUES) * (2 * np.pi / _HUES):
        weights = np.exp(_LEAN * bins @ (np.cos(angle), np.sin(angle)))
        leaned = probability * weights[:, None, None]
        found.append(raised * np.einsum("byx,bc->cyx", leaned / leaned.sum(0), bins))
    return found


def _most_distinct(candidates: list[np.ndarray], base: np.ndarray, count: int) -> list[np.ndarray]:
    """``count`` of the candidates, each as far as can be from the base and from those before it."""
    chosen = [base.astype(np.float64)]
    for _ in range(count):
        nearest = [min(float(np.hypot(*(c - other)).mean()) for other in chosen) for c in candidates]
        chosen.append(candidates[int(np.argmax(nearest))])
    return chosen[1:]


def _grid(height: int, width: int) -> list[tuple[float, float]]:
    """x and y of places spread evenly over a picture: the same for each of its alternatives."""
    step = _step(height, width)
    rows, columns = (max(1, round(side / step)) for side in (height, width))
    return [((x + 0.5) / columns, (y + 0.5) / rows) for y, x in np.ndindex(rows, columns)]


def _step(height: int, width: int) -> float:
    return max(min(height, width) / _GRID, (height * width / _PLACES) ** 0.5)


def _grid_hints(
    prediction: Prediction, ab: np.ndarray, grid: Sequence[tuple[float, float]], known: Sequence[Hint]
) -> list[Hint]:
    """Hints of a picture's colours at the places of a grid, but for those near hints that are known."""
    height, width = ab.shape[1:]
    step = _step(height, width)
    smooth = np.stack([cv2.blur(plane, (3, 3)) for plane in ab])
    found = []
    for place in grid:
        if any(np.hypot((hint.x - place[0]) * width, (hint.y - place[1]) * height) < step for hint in known):
            continue
        row, column = pixel_at(*place, (height, width))
        lightness = lightness_of_luma(prediction.luma[pixel_at(*place, prediction.luma.shape)])
        color = _within_srgb(smooth[None, :, row, column], float(np.clip(lightness, *_TONES)))[0]
        found.append(Hint(*place, _triple(color), suggested=True))
    return found


def check_count(count: int) -> None:
    """Raises: OptionError: so many alternatives cannot be had."""
    if not 1 <= count <= MOST:
        raise OptionError(f"{count} alternatives: ask for 1 to {MOST}")


def likely_colors(
    colorizer: Colorizer,
    luma: np.ndarray,
    x: float,
    y: float,
    count: int = 6,
    options: ColorOptions | None = None,
    *,
    prediction: Prediction | None = None,
) -> list[Hint]:
    """Hints of the colours that the model holds likely at a place, the likeliest first.

    Args:
        colorizer: of a model that predicts a distribution.
        luma: as for ``Colorizer.chroma``.
        x: 0 (left) to 1 (right).
        y: 0 (top) to 1 (bottom).
        count: at most so many.
        options: what the picture is coloured with; what is likely depends on the hints in them.
        prediction: of ``luma`` with ``options``, where it is known already; it saves the run.

    Raises:
        OptionError: the model has no distribution, or a number is out of its range.
        ModelError: the model does not give the distribution that its card speaks of.
    """
    if count < 1:
        raise OptionError(f"{count} colours: ask for 1 or more")
    if not colorizer.card.bins:
        raise OptionError(f"the model {colorizer.card.name!r} predicts no distribution: choose another model")
    place = Hint(x, y, (0, 0, 0))  # refuses what is no place
    return _likely(colorizer, prediction or colorizer.predict(luma, options), place.x, place.y)[:count]


def _likely(colorizer: Colorizer, prediction: Prediction, x: float, y: float) -> list[Hint]:
    """Hints of the colours likely at a place, the likeliest first; two at least, unless all the bins are alike.

    Each stands for the colours around it, and takes their probability away from what the next are chosen by: else the
    flanks of one peak would pass for colours of their own.
    """
    probability, bins = _distribution(colorizer, prediction)
    row, column = pixel_at(x, y, probability.shape[1:])
    near = probability[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean((1, 2))
    lightness = lightness_of_luma(prediction.luma[pixel_at(x, y, prediction.luma.shape)])
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
