"""Metrics of coloured pictures: distance from the truth, colourfulness, and recognition by a classifier.

This module avoids three mistakes of published scripts: differences of uint8 that wrap around, colourfulness with
unsigned axes passed off as Hasler and Suesstrunk's, and pictures compared at another size or another luma.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from ...color.spaces import luma_of_rgb, rgb_to_lab
from ...errors import TrainingError
from ..data.dataset import colorfulness


@dataclass(frozen=True)
class Scores:
    """Metrics of one picture."""

    psnr: float
    """PSNR in dB, over 8-bit R, G and B. The grey picture scores 20 to 23, so compare with its PSNR."""
    ssim: float
    """Structural similarity (Wang et al. 2004), mean over R, G and B; 1 is equal. Grey scores over 0.9, because its
    luma is the truth's."""
    ciede2000: float
    """Mean CIEDE2000 colour difference over the pixels (Sharma et al. 2005); 1 is just noticeable."""
    luma_kept: float
    """Share of pixels whose 8-bit luma equals the true picture's."""
    colorfulness: float
    """Colourfulness with signed opponent axes (Hasler and Suesstrunk 2003). Grey is 0."""
    colorfulness_absolute: float
    """The same with absolute axes, as in several colorizers' papers."""
    agreement: float
    """1 if an ImageNet classifier gives the picture and the true one the same class, else 0."""
    lpips: float | None = None
    """Learned perceptual distance (Zhang et al. 2018), with VGG16; None if not measured."""


@dataclass(frozen=True)
class Summary:
    """Mean metrics of one kind of picture (grey, a model's, the truth) over a set; None if undefined or unmeasured."""

    psnr: float | None
    psnr_gain: float | None
    """PSNR minus that of the grey pictures, dB."""
    ssim: float | None
    ciede2000: float | None
    ciede2000_ratio: float | None
    """CIEDE2000 divided by that of the grey pictures."""
    luma_kept: float | None
    lpips: float | None
    colorfulness: float | None
    colorfulness_ratio: float | None
    """Colourfulness divided by that of the true pictures."""
    colorfulness_delta: float | None
    """Absolute difference from the truth of the mean over the set, as in papers; too much and too little colour cancel
    out."""
    colorfulness_delta_each: float | None
    """Mean over pictures of the absolute difference from the picture's own truth."""
    colorfulness_absolute: float | None
    colorfulness_absolute_ratio: float | None
    colorfulness_absolute_delta: float | None
    agreement: float | None
    recovered: float | None
    """Share of the agreement lost in the grey picture that colouring recovers: (agreement - grey's) / (1 - grey's)."""


def score(picture: np.ndarray, truth: np.ndarray, *, agrees: bool, lpips: float | None = None) -> Scores:
    """Compare a picture with the true one, both RGB uint8 ``[H, W, 3]``.

    Raises:
        TrainingError: The arrays are not RGB pictures of equal size.
    """
    return Scores(
        psnr=psnr(picture, truth),
        ssim=ssim(picture, truth),
        ciede2000=ciede2000(picture, truth),
        luma_kept=float(np.mean(luma_of_rgb(picture) == luma_of_rgb(truth))),
        colorfulness=colorfulness(picture),
        colorfulness_absolute=colorfulness(picture, absolute=True),
        agreement=float(agrees),
        lpips=lpips,
    )


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB, infinite for equal pictures."""
    _check(picture, truth)
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """Return the structural similarity (Wang et al. 2004) of two RGB uint8 pictures of at least 11 by 11 pixels."""
    _check(picture, truth)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(picture, truth, channel_axis=-1, data_range=255, **settings))


def ciede2000(picture: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean CIEDE2000 of two RGB uint8 pictures."""
    return float(ciede2000_map(picture, truth).mean(dtype=np.float64))


def ciede2000_map(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the CIEDE2000 of each pixel, float32 ``[...]``, of RGB uint8 ``[..., 3]``."""
    _check(picture, truth)
    difference: np.ndarray = deltaE_ciede2000(*(rgb_to_lab(p.astype(np.float32) / 255) for p in (truth, picture)))
    return difference


def _check(picture: np.ndarray, truth: np.ndarray) -> None:
    if picture.shape != truth.shape or not picture.dtype == truth.dtype == np.uint8:
        kinds = " and ".join(f"{p.dtype} {list(p.shape)}" for p in (picture, truth))
        raise TrainingError(f"only RGB uint8 pictures of one size can be compared, and these are {kinds}")


def summary(scores: Sequence[Scores], grey: Sequence[Scores], truth: Sequence[Scores]) -> Summary:
    """Average scores over a set, relative to its grey and true pictures; all three in the same order."""
    own, floor, top = (_means(s) for s in (scores, grey, truth))
    lost = None if floor["agreement"] is None else 1 - floor["agreement"]
    return Summary(
        **own,
        psnr_gain=difference(own["psnr"], floor["psnr"]),
        ciede2000_ratio=ratio(own["ciede2000"], floor["ciede2000"]),
        colorfulness_ratio=ratio(own["colorfulness"], top["colorfulness"]),
        colorfulness_delta=_distance(own["colorfulness"], top["colorfulness"]),
        colorfulness_delta_each=mean(abs(s.colorfulness - t.colorfulness) for s, t in zip(scores, truth, strict=True)),
        colorfulness_absolute_ratio=ratio(own["colorfulness_absolute"], top["colorfulness_absolute"]),
        colorfulness_absolute_delta=_distance(own["colorfulness_absolute"], top["colorfulness_absolute"]),
        recovered=ratio(difference(own["agreement"], floor["agreement"]), lost),
    )


def _means(scores: Sequence[Scores]) -> dict[str, float | None]:
    return {field.name: mean(getattr(s, field.name) for s in scores) for field in fields(Scores)}


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are defined and finite (the PSNR of equal pictures is not), or None."""
    known = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.mean(known)) if known else None


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are defined and finite, or None."""
    known = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.median(known)) if known else None


def ratio(a: float | None, b: float | None) -> float | None:
    """Return a / b, or None where either is undefined or b is 0."""
    return None if a is None or not b else a / b


def difference(a: float | None, b: float | None) -> float | None:
    """Return a - b, or None where either is undefined."""
    return None if a is None or b is None else a - b


def _distance(a: float | None, b: float | None) -> float | None:
    return None if (found := difference(a, b)) is None else abs(found)
