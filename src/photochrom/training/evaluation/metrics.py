"""Metrics of coloured pictures: distance from the true picture, colourfulness, and recognition by a classifier.

Published scripts make three mistakes that this module avoids: differences of uint8 that wrap around, colourfulness with
absolute axes under the name of Hasler and Suesstrunk's, and pictures compared at another size or another luma.
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
    """PSNR in dB over 8-bit R, G and B. Compare it with that of the grey picture, which already has 20 to 23 dB."""
    ssim: float
    """Structural similarity (Wang et al. 2004), mean over R, G and B; 1 for equal pictures. The grey picture has over
    0.9, because its luma is the true one."""
    ciede2000: float
    """Mean CIEDE2000 colour difference over the pixels (Sharma et al. 2005); 1 is just noticeable."""
    luma_kept: float
    """Share of pixels whose 8-bit luma equals the true picture's."""
    colorfulness: float
    """Colourfulness with signed opponent axes (Hasler and Suesstrunk 2003); 0 for the grey picture."""
    colorfulness_absolute: float
    """Colourfulness with absolute opponent axes, as in the papers of several colorizers."""
    agreement: float
    """1 if an ImageNet classifier assigns the picture and the true one to the same class, else 0."""
    lpips: float | None = None
    """Learned perceptual distance (LPIPS, Zhang et al. 2018), with VGG16; None if not measured."""


@dataclass(frozen=True)
class Summary:
    """Mean metrics of one kind of picture (grey, a model's, true) over a set; None if undefined or not measured.

    Fields that ``Scores`` also has are the means of its fields.
    """

    psnr: float | None
    psnr_gain: float | None
    """PSNR minus that of the grey pictures, in dB."""
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
    """Absolute difference between the mean colourfulness and that of the true pictures, as in papers; pictures with too
    much and too little colour cancel each other out."""
    colorfulness_delta_each: float | None
    """Mean absolute difference between the colourfulness of each picture and that of its true picture."""
    colorfulness_absolute: float | None
    colorfulness_absolute_ratio: float | None
    """``colorfulness_ratio`` with absolute opponent axes."""
    colorfulness_absolute_delta: float | None
    """``colorfulness_delta`` with absolute opponent axes."""
    agreement: float | None
    recovered: float | None
    """Share of the agreement lost in the grey pictures that colouring recovers: (agreement - grey's) / (1 - grey's)."""
    frechet_lite1: float | None = None
    """Fréchet distance from the true pictures in EfficientNet-Lite1's features; see ``Evaluation``."""
    fid: float | None = None
    """FID; see ``Evaluation``."""


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of CIEDE2000 between two kinds of picture of the same photographs."""

    ciede2000: float
    """Mean difference; negative if the first kind is nearer to the truth."""
    standard_error: float | None
    """Standard error of the mean; None for a single photograph."""

    @property
    def is_clear(self) -> bool:
        """Whether the difference is larger than two standard errors."""
        return self.standard_error is not None and abs(self.ciede2000) > 2 * self.standard_error

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2f}"
        return f"{self.ciede2000:+.2f}{error}{'' if self.is_clear else ', no clear difference'}"


def paired_difference(scores: Sequence[Scores], others: Sequence[Scores]) -> PairedDifference:
    """Return the difference in CIEDE2000 between two kinds of picture of the same photographs, at least one."""
    each = np.array([s.ciede2000 - o.ciede2000 for s, o in zip(scores, others, strict=True)])
    error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else None
    return PairedDifference(float(each.mean()), error)


def score(picture: np.ndarray, truth: np.ndarray, *, agrees: bool, lpips: float | None = None) -> Scores:
    """Compute the metrics of a picture.

    Args:
        picture: The picture, RGB uint8 ``[H, W, 3]``, at least 11 by 11.
        truth: The true picture, RGB uint8 ``[H, W, 3]``.
        agrees: Whether a classifier assigns both to the same class.
        lpips: The pictures' LPIPS; None if not measured.

    Raises:
        TrainingError: The pictures differ in size, or are not uint8.
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
    """Return the peak signal-to-noise ratio of two RGB uint8 pictures in dB; infinite if they are equal.

    Raises:
        TrainingError: The pictures differ in size, or are not uint8.
    """
    _check(picture, truth)
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(picture: np.ndarray, truth: np.ndarray) -> float:
    """Return the structural similarity (Wang et al. 2004) of two RGB uint8 pictures of at least 11 by 11 pixels.

    Raises:
        TrainingError: The pictures differ in size, or are not uint8.
    """
    _check(picture, truth)
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(picture, truth, channel_axis=-1, data_range=255, **settings))


def ciede2000(picture: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean CIEDE2000 of two RGB uint8 pictures; see ``ciede2000_map``.

    Raises:
        TrainingError: The pictures differ in size, or are not uint8.
    """
    return float(ciede2000_map(picture, truth).mean(dtype=np.float64))


def ciede2000_map(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the CIEDE2000 of each pixel, float32 ``[...]``, between two RGB uint8 pictures ``[..., 3]``.

    Raises:
        TrainingError: The pictures differ in size, or are not uint8.
    """
    _check(picture, truth)
    difference: np.ndarray = deltaE_ciede2000(*(rgb_to_lab(p.astype(np.float32) / 255) for p in (truth, picture)))
    return difference


def _check(picture: np.ndarray, truth: np.ndarray) -> None:
    if picture.shape != truth.shape or not picture.dtype == truth.dtype == np.uint8:
        kinds = " and ".join(f"{p.dtype} {list(p.shape)}" for p in (picture, truth))
        raise TrainingError(f"only RGB uint8 pictures of the same size can be compared, but these are {kinds}")


def summary(scores: Sequence[Scores], grey: Sequence[Scores], truth: Sequence[Scores]) -> Summary:
    """Compare the mean scores of one kind of picture over a set with those of the grey and the true pictures.

    Args:
        scores: Scores of the pictures.
        grey: Scores of the grey pictures, in the same order.
        truth: Scores of the true pictures, in the same order.
    """
    means, grey_means, true_means = (_means(s) for s in (scores, grey, truth))
    lost = None if grey_means["agreement"] is None else 1 - grey_means["agreement"]
    return Summary(
        **means,
        psnr_gain=difference(means["psnr"], grey_means["psnr"]),
        ciede2000_ratio=ratio(means["ciede2000"], grey_means["ciede2000"]),
        colorfulness_ratio=ratio(means["colorfulness"], true_means["colorfulness"]),
        colorfulness_delta=_distance(means["colorfulness"], true_means["colorfulness"]),
        colorfulness_delta_each=mean(abs(s.colorfulness - t.colorfulness) for s, t in zip(scores, truth, strict=True)),
        colorfulness_absolute_ratio=ratio(means["colorfulness_absolute"], true_means["colorfulness_absolute"]),
        colorfulness_absolute_delta=_distance(means["colorfulness_absolute"], true_means["colorfulness_absolute"]),
        recovered=ratio(difference(means["agreement"], grey_means["agreement"]), lost),
    )


def _means(scores: Sequence[Scores]) -> dict[str, float | None]:
    return {field.name: mean(getattr(s, field.name) for s in scores) for field in fields(Scores)}


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are defined and finite, or None if there are none.

    The PSNR of equal pictures, for example, is infinite.
    """
    known = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.mean(known)) if known else None


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that are defined and finite, or None if there are none."""
    known = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.median(known)) if known else None


def ratio(a: float | None, b: float | None) -> float | None:
    """Return a / b, or None if either is None or b is 0."""
    return None if a is None or not b else a / b


def difference(a: float | None, b: float | None) -> float | None:
    """Return a - b, or None if either is None."""
    return None if a is None or b is None else a - b


def _distance(a: float | None, b: float | None) -> float | None:
    return None if (signed := difference(a, b)) is None else abs(signed)
