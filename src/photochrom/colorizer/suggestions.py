"""Suggests likely colours at a place, and alternative colourings of the whole picture.

An alternative raises the probabilities of one hue in the whole picture. Where the model is certain (skin, grass), no
other colour has any probability, and little changes. Where it is uncertain (a coat, a wall), whole objects get the
hue. An alternative is returned as hints on a grid over the picture, so that users can see its colours, save them and
change them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..color.spaces import lab_to_rgb, lightness_of_luma, rgb_to_lab
from ..errors import OptionError
from .coherence import checked_probability, mean_color
from .hint_propagation import hint_influence, propagate_hints
from .hints import Hint, pixel_at
from .network import vividness_of
from .options import ColorOptions
from .vividness import chroma_gain

if TYPE_CHECKING:
    from .colorizer import Colorizer
    from .prediction import Prediction

MAX_ALTERNATIVES = 5
"""Maximum number of alternatives for one picture."""
_HUES = 12  # number of hues that are tried, evenly spaced
_LEAN = 0.1  # change of a colour's log probability per unit of a*b* toward the hue
_COLORFUL = 1.2  # greatest mean chroma of an alternative, relative to the first colouring
_PALE = 8.0  # the same in units of a*b*, if the first colouring has hardly any colour
_GARISH = 30.0  # greatest increase in chroma, in any cell, over the first colouring
_GRID = 8  # number of hints along the short side
_MAX_PLACES = 400  # approximate number of hints for a panorama, since files of hints are limited in size
_SMOOTH = 12.0  # distance in a*b* over which probabilities are pooled
_DISTINCT = 24.0  # least distance in a*b* between two suggestions
_POSSIBLE = 1e-3  # least probability of a suggestion relative to the likeliest
_TONES = (35, 80)  # range of L* to which shown colours are limited: very dark and very light ones show no chroma


def alternatives(
    colorizer: Colorizer,
    luma: np.ndarray,
    count: int = 4,
    options: ColorOptions | None = None,
    *,
    prediction: Prediction | None = None,
) -> list[ColorOptions]:
    """Find other plausible colourings of a picture, distinct from the first colouring and from each other.

    The first colouring is the one with ``options`` themselves. Each alternative is ``options`` with added hints. Where
    hints in ``options`` have influence, all alternatives keep the colours of the first colouring.

    Args:
        colorizer: A colorizer whose model predicts a distribution.
        luma: As for ``Colorizer.chroma``.
        count: Number of alternatives, 1 to ``MAX_ALTERNATIVES``.
        options: Options of the first colouring. Their hints are kept, except those of an earlier alternative.
        prediction: Result of ``Colorizer.predict`` for ``luma`` and ``options``, if already computed; the network is
            then not run.

    Returns:
        ``count`` alternatives, the most distinct first.

    Raises:
        OptionError: The model predicts no distribution, the options ask for something that the model cannot do, or
            ``count`` is out of range.
        ModelError: The model does not give the distribution that its card declares.
        EngineError: The network could not be run.
        PhotoError: ``luma`` is not a luma plane, or has no pixels.
    """
    check_count(count)
    if not colorizer.card.bins:
        raise OptionError(
            f"the model {colorizer.card.name!r} cannot suggest alternatives", remedy="choose another model"
        )
    options = options or ColorOptions()
    prediction = prediction or colorizer.predict(luma, options)
    grid = _grid(*prediction.ab.shape[1:])
    kept = tuple(hint for hint in options.hints if not (hint.suggested and (hint.x, hint.y) in grid))
    candidates = _keep_hints(kept, prediction, _shifted_to_hues(colorizer, prediction, options))
    leaned = _most_distinct(candidates, prediction.ab, count)
    return [replace(options, hints=(*kept, *_grid_hints(prediction, ab, grid, kept))) for ab in leaned]


def _shifted_to_hues(colorizer: Colorizer, prediction: Prediction, options: ColorOptions) -> list[np.ndarray]:
    """Return the picture's a*b* shifted towards each of ``_HUES`` evenly spaced hues, ``[2, h, w]`` each.

    Raises:
        ModelError: The model does not give the distribution that its card declares.
        OptionError: The options ask for a vividness, and the model has no dial.
    """
    probability = checked_probability(prediction.probability, colorizer.card).astype(np.float64)
    bins = np.array(colorizer.card.bins, np.float64)
    gain = chroma_gain(vividness_of(options, colorizer.card) or 0)
    found = []
    for angle in np.arange(_HUES) * (2 * np.pi / _HUES):
        weights = np.exp(_LEAN * bins @ (np.cos(angle), np.sin(angle)))
        leaned = probability * weights[:, None, None]
        found.append(_limit_chroma(gain * mean_color(leaned / leaned.sum(0), bins), prediction.ab))
    return found


def _limit_chroma(ab: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Limit an alternative's chroma relative to the first colouring, in each cell and on average.

    Cells that are certain have about the chroma of the first colouring, and keep it.

    Args:
        ab: a*b* of the alternative, float32 ``[2, h, w]``.
        first: a*b* of the first colouring, float32 ``[2, h, w]``.

    Returns:
        a*b* of the same hues, float32 ``[2, h, w]``.
    """
    # Raising one hue narrows the distributions, so that their means lie farther from grey. Without a limit, paper would
    # be yellow and coats would be garish.
    chroma, first_chroma = np.hypot(*ab), np.hypot(*first)
    limit = max(_COLORFUL * float(first_chroma.mean()), _PALE)
    allowed = first_chroma + np.linspace(0, _GARISH, 2 * int(_GARISH) + 1, dtype=np.float32)[:, None, None]  # [n, h, w]
    limited = np.minimum(chroma, allowed)
    chosen = max(0, int(np.searchsorted(limited.mean((1, 2)), limit, side="right")) - 1)
    return ab * (limited[chosen] / np.maximum(chroma, np.float32(1e-6)))


def _keep_hints(hints: Sequence[Hint], prediction: Prediction, candidates: list[np.ndarray]) -> list[np.ndarray]:
    """Blend candidates ``[2, h, w]`` with the first colouring where hints have influence."""
    if not hints:
        return candidates
    size = prediction.ab.shape[:0:-1]
    lightness = cv2.resize(lightness_of_luma(prediction.luma), size, interpolation=cv2.INTER_AREA)
    known = propagate_hints(prediction.ab.astype(np.float32), lightness, hints)
    near = hint_influence(lightness, hints)
    return [ab + near * (known - ab) for ab in candidates]


def _most_distinct(candidates: list[np.ndarray], base: np.ndarray, count: int) -> list[np.ndarray]:
    """Choose ``count`` candidates greedily, each as far as possible from the base and from those already chosen."""
    chosen = [base.astype(np.float64)]
    for _ in range(count):
        nearest = [min(float(np.hypot(*(c - other)).mean()) for other in chosen) for c in candidates]
        chosen.append(candidates[int(np.argmax(nearest))])
    return chosen[1:]


def _grid(height: int, width: int) -> list[tuple[float, float]]:
    """Return the (x, y) positions, 0 to 1, of an evenly spaced grid for a picture of ``height`` by ``width`` cells.

    They are listed row by row.
    """
    step = _step(height, width)
    rows, columns = (max(1, round(side / step)) for side in (height, width))
    return [((x + 0.5) / columns, (y + 0.5) / rows) for y, x in np.ndindex(rows, columns)]


def _step(height: int, width: int) -> float:
    return max(min(height, width) / _GRID, (height * width / _MAX_PLACES) ** 0.5)


def _grid_hints(
    prediction: Prediction, ab: np.ndarray, grid: Sequence[tuple[float, float]], known: Sequence[Hint]
) -> list[Hint]:
    """Return the colouring ``ab`` (float32 ``[2, h, w]``) as hints at the places of a grid, except near known hints."""
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
    """Raise ``OptionError`` unless the number of alternatives is from 1 to ``MAX_ALTERNATIVES``."""
    if not 1 <= count <= MAX_ALTERNATIVES:
        raise OptionError(f"cannot make {count} alternatives", remedy=f"ask for 1 to {MAX_ALTERNATIVES}")


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
    """Find the colours that the model considers likely at a place.

    Args:
        colorizer: A colorizer whose model predicts a distribution.
        luma: As for ``Colorizer.chroma``.
        x: Horizontal position, 0 (left) to 1 (right).
        y: Vertical position, 0 (top) to 1 (bottom).
        count: Maximum number of colours.
        options: Options with which the picture is coloured; their hints change which colours are likely.
        prediction: Result of ``Colorizer.predict`` for ``luma`` and ``options``, if already computed; the network is
            then not run.

    Returns:
        Hints at that place, marked as suggested, the likeliest colour first.

    Raises:
        OptionError: The model predicts no distribution, the options ask for something that the model cannot do, or
            ``x``, ``y`` or ``count`` is out of range.
        ModelError: The model does not give the distribution that its card declares.
        EngineError: The network could not be run.
        PhotoError: ``luma`` is not a luma plane, or has no pixels.
    """
    if count < 1:
        raise OptionError(f"cannot suggest {count} colours", remedy="ask for 1 or more")
    if not colorizer.card.bins:
        raise OptionError(f"the model {colorizer.card.name!r} predicts no distribution", remedy="choose another model")
    place = Hint(x, y, (0, 0, 0))  # checks x and y
    return _likely(colorizer, prediction or colorizer.predict(luma, options), place.x, place.y)[:count]


def _likely(colorizer: Colorizer, prediction: Prediction, x: float, y: float) -> list[Hint]:
    """Find the peaks of the distribution at a place, highest first.

    The first two are always returned, unless no two bins differ enough in colour. Further ones need a share of the
    highest peak's probability.

    Each chosen colour removes the bins around it, so that the flanks of a peak do not count as separate colours.

    Raises:
        ModelError: The model does not give the distribution that its card declares.
    """
    probability = checked_probability(prediction.probability, colorizer.card).astype(np.float64)
    bins = np.array(colorizer.card.bins, np.float64)
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
    """Convert a*b* ``[N, 2]`` at one lightness to sRGB uint8 ``[N, 3]``, reducing chroma that is out of gamut."""
    shares = np.linspace(1, 0, 41)[:, None, None]
    lab = np.concatenate([np.full((len(shares), len(ab), 1), lightness), shares * ab], axis=-1)
    rgb = lab_to_rgb(lab)
    fits = ((rgb >= -1e-3) & (rgb <= 1 + 1e-3)).all(-1)
    best = rgb[fits.argmax(0), np.arange(len(ab))]
    return np.rint(255 * np.clip(best, 0, 1)).astype(np.uint8)


def _triple(color: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in color)
    return red, green, blue
