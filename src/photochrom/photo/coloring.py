"""``color`` computes the colours of one photograph or page, and the report on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..colorizer.options import ColorOptions
from .negatives import LOOKS_NEGATIVE, looks_negative
from .options import OutputOptions
from .read import Photo
from .report import PhotoReport, preview, report_on
from .write import chroma_sampling

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer
    from ..colorizer.prediction import Prediction


class Colors(NamedTuple):
    """Chroma of a photograph, as ``encode_photo`` takes it, and the report on it."""

    cb: np.ndarray
    """Cb, of luma's dtype."""
    cr: np.ndarray
    """Cr, of the same shape and dtype."""
    report: PhotoReport
    """The report, without the files that are not written yet."""


def color(
    colorizer: Colorizer,
    photo: Photo,
    options: ColorOptions,
    prediction: Prediction,
    format: str,
    output: OutputOptions,
    *,
    may_be_negative: bool = False,
) -> Colors:
    """Compute the chroma of a photograph, and the report on it.

    Args:
        colorizer: The model.
        photo: The photograph.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for this photograph and these options.
        format: Format of the output, a key of ``EXTENSIONS``.
        output: How to write, and whether to make a preview.
        may_be_negative: Whether to warn of a photograph that looks like a negative, for which the network may run
            again.

    Raises:
        ModelError, EngineError: As for ``Colorizer.predict``.
    """
    # A reduced luma has the size of the output's chroma already.
    subsampling = (1, 1) if photo.reduced else chroma_sampling(photo, format, output.jpeg_layout)
    cb, cr = colorizer.chroma(
        photo.luma,
        options,
        prediction=prediction,
        subsampling=subsampling,
        reduced=photo.reduced,
        tones=photo.tones,
    )
    report = report_on(photo, format, prediction, cb, cr, output.jpeg_layout)
    is_ordinary = may_be_negative and photo.kind == "ordinary" and not options.hints
    if is_ordinary and looks_negative(colorizer, prediction, options):
        report = replace(report, warnings=(*report.warnings, LOOKS_NEGATIVE))
    if output.preview:
        report = replace(report, preview=preview(colorizer, photo, prediction, options))
    return Colors(cb, cr, report)
