"""What is reported of a coloured picture: distances from the truth, and how colourful it is."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from skimage.color import deltaE_ciede2000

from ..chroma import rgb_to_lab
from .dataset import colorfulness


@dataclass(frozen=True)
class Scores:
    """Of one picture, or the means over many."""

    psnr: float
    """dB, over R, G and B of 8 bits. Plain grey scores 20 to 23: read it beside the grey picture's own."""
    ciede2000: float
    """Mean colour difference over the pixels (Sharma et al. 2005); 1 is just noticeable."""
    colorfulness: float
    """Hasler and Suesstrunk 2003, signed opponent axes. Grey is 0."""
    colorfulness_absolute: float
    """The same with absolute axes, as several colorizers' papers have it."""
    agreement: float
    """Share of pictures that an ImageNet classifier takes for the same thing as the true picture."""


def score(picture: np.ndarray, truth: np.ndarray, *, agrees: bool) -> Scores:
    """Scores of a picture against the true one, both RGB uint8 ``[H, W, 3]``."""
    return Scores(
        psnr=psnr(picture, truth),
        ciede2000=ciede2000(picture, truth),
        colorfulness=colorfulness(picture),
        colorfulness_absolute=colorfulness(picture, absolute=True),
        agreement=float(agrees),
    )


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio, dB; infinite for equal pictures. Computed in floating point: uint8 would overflow."""
    error = np.mean((picture.astype(np.float64) - truth) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ciede2000(picture: np.ndarray, truth: np.ndarray) -> float:
    """Mean CIEDE2000 of two RGB uint8 pictures."""
    return float(deltaE_ciede2000(*(rgb_to_lab(p.astype(np.float32) / 255) for p in (truth, picture))).mean())


def mean(scores: list[Scores]) -> Scores:
    """Field by field, over pictures."""
    return Scores(**{f.name: float(np.mean([getattr(s, f.name) for s in scores])) for f in fields(Scores)})
