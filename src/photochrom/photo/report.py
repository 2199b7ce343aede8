"""``PhotoReport``: facts about one photograph that was coloured and written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..color.coding import Coding
from ..colorizer.options import ColorOptions
from .appearance import in_srgb, own_look
from .formats.image import extra_channels
from .formats.splice import LumaScans
from .metadata import format_warnings
from .options import JpegLayout
from .read import Photo

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer
    from ..colorizer.prediction import Prediction

_SAMPLE = 500  # approximate number of rows and of columns of chroma on which colourfulness is measured


@dataclass(frozen=True)
class PhotoReport:
    """Facts about one photograph that was coloured and written."""

    outputs: tuple[Path, ...]
    """Files written: the coloured photograph, then companion files. Empty for an open file."""
    width: int
    """Width of the upright picture, in pixels."""
    height: int
    """Height of the upright picture, in pixels."""
    confidence: float | None
    """Mean confidence of the model, 0 to 1; None if the model does not predict it."""
    colorfulness: float
    """Colourfulness of the output (Hasler and Suesstrunk 2003): 0 is grey, 15 slightly and 59 quite colourful."""
    least_sure: tuple[tuple[float, float, float], ...] = ()
    """Places where the model is least sure, if a confidence map was written: x and y from 0 to 1, and confidence."""
    alternatives: tuple[str, ...] = ()
    """Names of the alternatives in their order, such as ``warmer`` or ``blue, lower left``."""
    pages: int = 1
    """Number of pages coloured. If there are several, ``width`` and ``height`` are those of the first page."""
    warnings: tuple[str, ...] = ()
    """Warnings about damage, about content of the source that the output does not keep, and about a likely negative."""
    luma_coding: str = ""
    """Sentence on whether a JPEG output keeps the coded luma of its source, or why not; empty for other formats."""
    preview: tuple[np.ndarray, np.ndarray] | None = None
    """Before and after at the thumbnail's size, sRGB uint8 ``[h, w, 3]`` each; None unless ``OutputOptions.preview`` is
    set. A photograph that is stored in colour has its own colours before. Negatives are shown as positives."""
    alternative_previews: tuple[np.ndarray, ...] = ()
    """Alternatives at the thumbnail's size, sRGB uint8 ``[h, w, 3]``, if ``OutputOptions.preview`` is set."""


def preview(
    colorizer: Colorizer, photo: Photo, prediction: Prediction, options: ColorOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Return small pictures of before and after, in the form of ``PhotoReport.preview``."""
    luma = prediction.luma
    grey, before = in_srgb(photo, np.dstack([luma] * 3)), own_look(photo, luma.shape)
    if photo.kind == "halftone":  # its pixels hold no colours, though their mean could
        after = grey
    else:
        after = in_srgb(photo, colorizer.colorize(luma, options, prediction=prediction))
    return grey if before is None else before, after


def colorfulness(cb: np.ndarray, cr: np.ndarray) -> float:
    """Measure how colourful chroma is (Hasler and Suesstrunk, Measuring colourfulness in natural images, 2003).

    The measure depends only on differences of R', G' and B', so the luma cancels out.

    Args:
        cb: uint8 or uint16 ``[H, W]``, neutral at 128 or 32768.
        cr: Like ``cb``.

    Returns:
        0 for grey; 15 is slightly, 33 moderately, 59 quite and 109 extremely colourful.
    """
    import cv2

    blue, red = (_centered(plane) for plane in (cb, cr))

    def spread_and_mean(of_red: float, of_blue: float) -> tuple[float, float]:
        mean, deviation = cv2.meanStdDev(cv2.addWeighted(red, of_red, blue, of_blue, 0))
        return deviation.item(), mean.item()

    rg = spread_and_mean(2.116136, 0.344136)  # R' - G'
    yb = spread_and_mean(0.343932, -1.944068)  # (R' + G') / 2 - B'
    return math.hypot(rg[0], yb[0]) + 0.3 * math.hypot(rg[1], yb[1])


def _centered(plane: np.ndarray) -> np.ndarray:
    """Return a sample of the pixels of a chroma plane, float32, scaled to 8 bits and centred at 0."""
    down, across = (max(1, side // _SAMPLE) for side in plane.shape)
    centered = plane[::down, ::across].astype(np.float32)
    centered -= Coding.of_photograph(plane.dtype).neutral
    return centered if plane.dtype == np.uint8 else centered / 257


def report_on(
    photo: Photo,
    format: str,
    prediction: Prediction,
    cb: np.ndarray,
    cr: np.ndarray,
    layout: JpegLayout = "scan",
) -> PhotoReport:
    """Build the report on a photograph that has been coloured with the given chroma; it names no files yet.

    Args:
        photo: The photograph.
        format: Format of the output, a key of ``EXTENSIONS``.
        prediction: Result of ``Colorizer.predict`` for the photograph.
        cb: Cb of the output, of luma's dtype, perhaps subsampled.
        cr: Cr of the output, of the same shape and dtype.
        layout: Layout of a JPEG whose luma is kept; see ``OutputOptions.jpeg_layout``.
    """
    height, width = photo.shape
    confidence = None if prediction.confidence is None else float(np.clip(prediction.confidence, 0, 1).mean())
    warnings = (
        *photo.warnings,
        *format_warnings(photo.metadata, 8 * photo.luma.itemsize, format),
        *_channel_warnings(photo, format),
    )
    return PhotoReport(
        (),
        width,
        height,
        confidence,
        colorfulness(cb, cr),
        warnings=warnings,
        luma_coding=_luma_coding(photo, format, layout),
    )


def _channel_warnings(photo: Photo, format: str) -> Iterator[str]:
    """Yield warnings about channels and masks that only TIFF can store, if another format is written."""
    if format == "TIFF":
        return
    remedy = f"not kept in {format}: write TIFF to keep"
    if photo.extra is not None:
        count = photo.extra.shape[2]
        yield f"{extra_channels(count)} {remedy} {'it' if count == 1 else 'them'}"
    if photo.masks:
        pages = "page of a mask (or of infrared, as film scanners store it) is"
        yield f"its {pages if len(photo.masks) == 1 else f'{len(photo.masks)} pages of masks are'} {remedy} " + (
            "it" if len(photo.masks) == 1 else "them"
        )


def _luma_coding(photo: Photo, format: str, layout: JpegLayout) -> str:
    if (photo.format, format) != ("JPEG", "JPEG"):
        return ""
    if photo.coded_luma is None:
        return f"its luma is re-encoded: {photo.recoded or 'it has been replaced'}"
    if layout == "scan" and isinstance(photo.coded_luma, LumaScans):
        return "its coded luma is kept byte for byte"
    return "its luma's coefficients are kept, in a new order"
