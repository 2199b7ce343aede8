"""Accuracy against colourfulness: measures a colorizer along its dial, and interpolates at a given colourfulness.

More colour costs accuracy, so models can only be compared at equal colourfulness. A colorizer is measured at several
settings of its dial, and its figures between two settings are interpolated linearly over the colourfulness. The dial is
the vividness or, for a model without vividness, the strength.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from ...color.spaces import luma_of_rgb
from ...colorizer.colorizer import Colorizer
from ...colorizer.options import ColorOptions
from ..data.dataset import colorfulness
from .metrics import Scores, ciede2000, difference, mean, psnr, ratio

TARGETS = (0.72, 0.91)
"""Colourfulness, relative to that of the true pictures, at which models are compared."""

Dial = Literal["vividness", "strength"]
_SETTINGS: dict[Dial, tuple[float, ...]] = {
    "vividness": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "strength": (0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
}


@dataclass(frozen=True)
class DialScores:
    """Figures of one picture at one setting of the dial; see ``Scores``."""

    psnr: float
    ciede2000: float
    colorfulness: float


@dataclass(frozen=True)
class Point:
    """Figures over a set of photographs at one setting of the dial; None if undefined."""

    setting: float | None
    """Vividness or strength."""
    colorfulness_ratio: float | None
    """Mean colourfulness divided by that of the true pictures."""
    ciede2000_ratio: float | None
    """Mean CIEDE2000 divided by that of the grey pictures."""
    psnr_gain: float | None
    """Mean PSNR minus that of the grey pictures, in dB."""


@dataclass(frozen=True)
class Frontier:
    """Figures of one colorizer along its dial."""

    dial: Dial
    points: tuple[Point, ...]
    """Points in the order of the settings."""

    def at(self, colorfulness_ratio: float) -> Point | None:
        """Interpolate the figures at a colourfulness, between the first two neighbouring settings that enclose it.

        Args:
            colorfulness_ratio: Colourfulness relative to that of the true pictures.

        Returns:
            Interpolated figures; None if no two settings enclose the colourfulness.
        """
        for low, high in pairwise(self.points):
            share = _share(low.colorfulness_ratio, high.colorfulness_ratio, colorfulness_ratio)
            if share is not None:
                return Point(*(_between(getattr(low, f.name), getattr(high, f.name), share) for f in fields(Point)))
        return None


def dial_of(colorizer: Colorizer) -> Dial:
    """Return the dial that changes a colorizer's colourfulness: the vividness if it has one, else the strength."""
    return "strength" if colorizer.card.vividness is None else "vividness"


def along_dial(colorizer: Colorizer, truth: np.ndarray, options: ColorOptions) -> list[DialScores]:
    """Colour the luma of a photograph at each setting of the dial, and score each picture against the photograph.

    Args:
        colorizer: Colorizer to measure.
        truth: The photograph, RGB uint8 ``[H, W, 3]``.
        options: How to colour, apart from the dial.

    Returns:
        One ``DialScores`` per setting, from the lowest setting to the highest.

    Raises:
        TrainingError: ``truth`` is not uint8.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    luma, dial = luma_of_rgb(truth), dial_of(colorizer)
    pictures = (colorizer.colorize(luma, _with_dial(options, dial, v)) for v in _SETTINGS[dial])
    return [DialScores(psnr(p, truth), ciede2000(p, truth), colorfulness(p)) for p in pictures]


def _with_dial(options: ColorOptions, dial: Dial, setting: float) -> ColorOptions:
    return replace(options, vividness=setting) if dial == "vividness" else replace(options, strength=setting)


def frontier(
    dial: Dial, photographs: Sequence[Sequence[DialScores]], grey: Sequence[Scores], truth: Sequence[Scores]
) -> Frontier:
    """Return the mean figures of a colorizer along its dial, over many photographs.

    Args:
        dial: The dial that was varied.
        photographs: Result of ``along_dial`` for each photograph; at least one.
        grey: Scores of the grey pictures, in the same order.
        truth: Scores of the photographs themselves, in the same order.
    """
    grey_mean = {name: mean(getattr(s, name) for s in grey) for name in ("psnr", "ciede2000")}
    true_colorfulness = mean(s.colorfulness for s in truth)
    points = (
        Point(
            setting,
            ratio(mean(s.colorfulness for s in scores), true_colorfulness),
            ratio(mean(s.ciede2000 for s in scores), grey_mean["ciede2000"]),
            difference(mean(s.psnr for s in scores), grey_mean["psnr"]),
        )
        for setting, scores in zip(_SETTINGS[dial], zip(*photographs, strict=True), strict=True)
    )
    return Frontier(dial, tuple(points))


def _share(low: float | None, high: float | None, value: float) -> float | None:
    """Return the position of a value between two others, 0 to 1; None if it is outside, or if one is undefined."""
    if low is None or high is None or not min(low, high) <= value <= max(low, high):
        return None
    return 0.0 if low == high else (value - low) / (high - low)


def _between(low: float | None, high: float | None, share: float) -> float | None:
    """Interpolate linearly between two figures; None if one is undefined."""
    return None if low is None or high is None else low + share * (high - low)
