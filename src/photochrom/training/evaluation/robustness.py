"""Measures a colorizer's robustness: aged luma, hints, alternatives, and whether confidence predicts errors.

All random choices are seeded by the photograph's hash, so that an evaluation can be repeated exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from ...color.gamut import gamut_factor, rgb_of_luma
from ...color.spaces import ab_to_cbcr, luma_of_rgb, rgb_to_lab
from ...colorizer.colorizer import Colorizer
from ...colorizer.hints import Hint
from ...colorizer.options import ColorOptions
from ...colorizer.suggestions import alternatives
from ..data.aging import age
from .metrics import ciede2000, ciede2000_map, mean, median, psnr, ratio

HINTS = 10  # number of hints in the trial with several hints
OTHERS = 3  # number of alternatives that are measured
NEAR = 2  # pixels on each side of a hint that are measured: 5 by 5
FAR = 0.25  # share of the short side: pixels farther than this from a hint count as elsewhere
EDGE = 10.0  # slope of a strong edge, in luma values per pixel after a blur of one pixel: a step of about 33 values
_MIN_SHARE = 0.01  # minimum share of the picture's pixels for a mean over them to be defined
_BINS = 1024  # bins of confidence
_AGED, _TEN, _ONE = 1, 2, 3  # numbers of the streams of random numbers


@dataclass(frozen=True)
class Trial:
    """Results of one colorizer with one photograph."""

    ciede2000: float
    """Mean CIEDE2000 of the picture coloured from clean luma."""
    aged_ciede2000: float
    """Mean CIEDE2000 of the picture with the clean luma, and the chroma predicted from the aged luma. Thus only colours
    are compared."""
    aged_psnr_gain: float
    """PSNR of the picture of ``aged_ciede2000`` minus that of the clean grey picture, in dB."""
    ten_hints_psnr_gain: float
    """Gain in PSNR from ten hints, true colours at random points, in dB."""
    hint_error: float
    """Mean CIEDE2000 between the pixels around one hint and the hint's colour; see the function ``hint_error``."""
    hint_error_without: float
    """``hint_error`` of the picture without the hint, for comparison."""
    elsewhere: float | None
    """Mean CIEDE2000 between the pictures with and without the one hint, far from it and across strong edges (see
    ``separated``); None if the photograph has too few such pixels."""
    sureness: np.ndarray | None
    """Number of pixels and sum of their CIEDE2000 in each bin of confidence, float64 ``[2, bins]``; None if the model
    has no confidence."""
    apart: float | None = None
    """Mean CIEDE2000 between any two of the picture and its ``OTHERS`` alternatives; None if the model has none."""
    best: float | None = None
    """Smallest error of the picture and its alternatives, mean CIEDE2000; None if the model has no alternatives."""


@dataclass(frozen=True)
class RobustnessSummary:
    """Mean results of one colorizer over a set of photographs.

    Fields that ``Trial`` also has are the means of its fields. A field is None if its mean is undefined, or if the
    model lacks confidence or alternatives.
    """

    aged_ciede2000: float | None
    aged_ciede2000_ratio: float | None
    """``aged_ciede2000`` divided by the CIEDE2000 of the pictures coloured from clean luma."""
    aged_psnr_gain: float | None
    ten_hints_psnr_gain: float | None
    hint_error_median: float | None
    """Median of ``Trial.hint_error``."""
    hint_error_mean: float | None
    """Mean of ``Trial.hint_error``."""
    hint_error_without: float | None
    elsewhere: float | None
    elsewhere_photographs: int
    """Number of photographs that ``elsewhere`` is the mean of."""
    confidence_ratio: float | None
    """Mean CIEDE2000 over the half of the set's pixels with higher confidence, divided by that over the other half."""
    confidence_ratio_each: float | None
    """Mean of the same ratio within each photograph, which shows whether confidence tells parts of a picture apart."""
    alternatives_apart: float | None
    """Mean of ``Trial.apart``."""
    alternatives_best_ratio: float | None
    """Mean of ``Trial.best`` divided by the mean CIEDE2000 of the pictures; under 1 if alternatives are nearer to the
    truth."""


def measure_robustness(
    colorizer: Colorizer, sha1: str, truth: np.ndarray, clean: np.ndarray, options: ColorOptions
) -> Trial:
    """Measure the robustness of a colorizer with one photograph.

    Args:
        colorizer: The colorizer to measure.
        sha1: Hash of the photograph, hexadecimal; the seed for ageing and hints.
        truth: The photograph, RGB uint8 ``[H, W, 3]``, at least 5 by 5.
        clean: The photograph's luma as the colorizer coloured it, without ageing and hints, RGB uint8 ``[H, W, 3]``.
        options: Options with which ``clean`` was made.

    Raises:
        TrainingError: The two pictures differ in size, or are not uint8.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    luma = luma_of_rgb(truth)
    errors = ciede2000_map(clean, truth)
    aged = rgb_of_luma(luma, *colorizer.chroma(age(truth, _rng(sha1, _AGED)), options))
    ten = _hinted(colorizer, luma, hints(truth, HINTS, _rng(sha1, _TEN)), options)
    (hint,) = hints(truth, 1, _rng(sha1, _ONE))
    one = _hinted(colorizer, luma, [hint], options)
    confidence = colorizer.predict(luma, options).confidence
    candidates = [clean, *_alternatives(colorizer, luma, options)]
    return Trial(
        ciede2000=float(errors.mean(dtype=np.float64)),
        aged_ciede2000=ciede2000(aged, truth),
        aged_psnr_gain=psnr(aged, truth) - psnr(np.repeat(luma[..., None], 3, axis=2), truth),
        ten_hints_psnr_gain=psnr(ten, truth) - psnr(clean, truth),
        hint_error=hint_error(one, hint),
        hint_error_without=hint_error(clean, hint),
        elsewhere=_change(one, clean, separated(luma, *hint.pixel(luma.shape)[::-1])),
        sureness=None if confidence is None else sureness(confidence, errors),
        apart=mean(ciede2000(one, other) for one, other in combinations(candidates, 2)),
        best=min(ciede2000(picture, truth) for picture in candidates) if len(candidates) > 1 else None,
    )


def _rng(sha1: str, stream: int) -> np.random.Generator:
    return np.random.default_rng([int(sha1[:8], 16), stream])


def _hinted(colorizer: Colorizer, luma: np.ndarray, points: Sequence[Hint], options: ColorOptions) -> np.ndarray:
    """Return the picture of a luma coloured with hints, RGB uint8 ``[H, W, 3]``."""
    return colorizer.colorize(luma, options.with_hints(tuple(points)))


def _alternatives(colorizer: Colorizer, luma: np.ndarray, options: ColorOptions) -> list[np.ndarray]:
    """Return the ``OTHERS`` alternative pictures of a luma; none if the model has no distribution."""
    if not colorizer.card.bins:
        return []
    return [colorizer.colorize(luma, each) for each in alternatives(colorizer, luma, OTHERS, options)]


def hints(truth: np.ndarray, count: int, rng: np.random.Generator) -> list[Hint]:
    """Draw hints at random places at least two pixels from a photograph's border, with the true colours there.

    Args:
        truth: The photograph, RGB uint8 ``[H, W, 3]``, at least 5 by 5.
        count: Number of hints.
        rng: Source of the random places.
    """
    height, width = truth.shape[:2]
    drawn = []
    for _ in range(count):
        x, y = int(rng.integers(NEAR, width - NEAR)), int(rng.integers(NEAR, height - NEAR))
        red, green, blue = (int(v) for v in truth[y, x])
        drawn.append(Hint((x + 0.5) / width, (y + 0.5) / height, (red, green, blue)))
    return drawn


def hint_error(picture: np.ndarray, hint: Hint) -> float:
    """Return the mean CIEDE2000 between the 5 by 5 pixels around a hint and the hint's colour at each pixel's luma.

    A hint only determines a*b*, so the luma is that of the picture. Where the hint's a*b* are out of gamut at that
    luma, they are reduced for the comparison.

    Args:
        picture: The coloured picture, RGB uint8 ``[H, W, 3]``.
        hint: The hint, at least two pixels from the border.

    Raises:
        TrainingError: ``picture`` is not uint8.
    """
    y, x = hint.pixel(picture.shape)
    near = picture[y - NEAR : y + NEAR + 1, x - NEAR : x + NEAR + 1]
    return ciede2000(near, at_luma(hint.color, luma_of_rgb(near)))


def at_luma(color: tuple[int, int, int], luma: np.ndarray) -> np.ndarray:
    """Return pixels with a given luma, uint8 ``[h, w]``, and a colour's a*b*, as RGB uint8 ``[h, w, 3]``.

    Where the a*b* are out of gamut at a pixel's luma, they are reduced.
    """
    ab = rgb_to_lab(np.array(color, np.float32) / 255)[1:]
    brightness = luma.astype(np.float32) / 255
    cb, cr = ab_to_cbcr(brightness, np.broadcast_to(ab[:, None, None], (2, *luma.shape))).astype(np.float32)
    factor = gamut_factor(cb, cr, brightness, brightness)
    planes = (np.clip(np.rint(128 + 255 * factor * plane), 0, 255).astype(np.uint8) for plane in (cb, cr))
    return rgb_of_luma(luma, *planes)


def separated(luma: np.ndarray, x: int, y: int) -> np.ndarray:
    """Return a mask of the pixels that are far from a point and separated from it by strong edges, bool ``[H, W]``.

    Edges are the pixels at which the luma, blurred by one pixel, changes by ``EDGE`` or more per pixel; gaps of one
    pixel between them are closed. The mask contains the pixels that are more than ``FAR`` of the short side away and
    that no path from the 5 by 5 pixels around the point reaches without crossing an edge. It excludes the edges
    themselves, where the colours of both sides mix.

    Args:
        luma: uint8 ``[H, W]``.
        x: Column of the point.
        y: Row of the point.
    """
    smooth = cv2.GaussianBlur(luma.astype(np.float32), (0, 0), 1)
    slope = cv2.magnitude(*(cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0)))
    edges = cv2.morphologyEx((slope >= EDGE).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    edges[max(0, y - NEAR) : y + NEAR + 1, max(0, x - NEAR) : x + NEAR + 1] = 0
    _, regions = cv2.connectedComponents(1 - edges, connectivity=4)
    rows, columns = np.ogrid[: luma.shape[0], : luma.shape[1]]
    far = np.hypot(columns - x, rows - y) > FAR * min(luma.shape)
    return (edges == 0) & (regions != regions[y, x]) & far


def _change(picture: np.ndarray, other: np.ndarray, where: np.ndarray) -> float | None:
    """Return the mean CIEDE2000 between two pictures within a mask; None if the mask is too small."""
    if where.mean() < _MIN_SHARE:
        return None
    return ciede2000(picture[where], other[where])


def sureness(confidence: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the number of pixels and the sum of their errors in each bin of confidence, float64 ``[2, bins]``.

    Args:
        confidence: float32 ``[h, w]``, 0..1, of any size.
        errors: Error of each pixel, float32 ``[H, W]``.
    """
    full = cv2.resize(confidence, errors.shape[::-1], interpolation=cv2.INTER_LINEAR)
    bins = np.clip((full * _BINS).astype(np.int64), 0, _BINS - 1).ravel()
    return np.stack([np.bincount(bins, weights, _BINS) for weights in (None, errors.ravel())]).astype(np.float64)


def surer_half_ratio(histogram: np.ndarray) -> float | None:
    """Return the mean error of the half of the pixels with higher confidence, divided by that of the other half.

    The middle bin is divided between the halves, so that an uninformative confidence gives 1. The result is None if the
    other half has no error.

    Args:
        histogram: Result of ``sureness``, or the sum of several results.
    """
    counts, errors = histogram
    lower = np.clip(counts.sum() / 2 - (np.cumsum(counts) - counts), 0, counts)  # pixels in the less sure half
    unsure = float(np.sum(errors * np.divide(lower, counts, out=np.zeros_like(counts), where=counts > 0)))
    return ratio(float(errors.sum()) - unsure, unsure)


def summary(trials: Sequence[Trial]) -> RobustnessSummary:
    """Return the mean results of a colorizer's trials with a set of photographs."""
    aged = mean(t.aged_ciede2000 for t in trials)
    histograms = [t.sureness for t in trials if t.sureness is not None]
    return RobustnessSummary(
        aged_ciede2000=aged,
        aged_ciede2000_ratio=ratio(aged, mean(t.ciede2000 for t in trials)),
        aged_psnr_gain=mean(t.aged_psnr_gain for t in trials),
        ten_hints_psnr_gain=mean(t.ten_hints_psnr_gain for t in trials),
        hint_error_median=median(t.hint_error for t in trials),
        hint_error_mean=mean(t.hint_error for t in trials),
        hint_error_without=mean(t.hint_error_without for t in trials),
        elsewhere=mean(t.elsewhere for t in trials),
        elsewhere_photographs=sum(t.elsewhere is not None for t in trials),
        confidence_ratio=surer_half_ratio(np.sum(histograms, axis=0)) if histograms else None,
        confidence_ratio_each=mean(map(surer_half_ratio, histograms)),
        alternatives_apart=mean(t.apart for t in trials),
        alternatives_best_ratio=ratio(mean(t.best for t in trials), mean(t.ciede2000 for t in trials)),
    )
