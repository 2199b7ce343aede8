"""Computes the chroma of photographs, including negatives and linear scans, whose luma is not that of the scene.

For those, the network gets a converted luma (``Photo.scene``). The luma that is written is not changed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..color.bands import threads
from ..color.spaces import BT601, ab_to_cbcr, srgb_to_linear
from ..color.upsample import apply_to_luma, linear_coefficients

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer
    from ..colorizer.options import ColorOptions
    from ..colorizer.prediction import Prediction
    from .read import Photo


def chroma_of(
    colorizer: Colorizer, photo: Photo, options: ColorOptions, prediction: Prediction, subsampling: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Compute Cb and Cr for a photograph's luma, as ``Colorizer.chroma`` does, but for photographs of any kind.

    A negative gets complementary colours, so that inverting the output gives the coloured positive. The chroma of a
    linear scan is converted to linear light.

    Args:
        colorizer: The model.
        photo: The photograph.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for ``photo.scene``.
        subsampling: Rows and columns of ``photo.luma`` that share one chroma sample.
    """
    if photo.kind not in ("negative", "linear"):
        return colorizer.chroma(
            photo.luma, options, prediction=prediction, subsampling=subsampling, reduced=photo.reduced
        )
    y = prediction.luma.astype(np.float32) / 255
    cbcr = ab_to_cbcr(y, colorizer.ab(prediction, options.hints))  # [2, h, w]
    y, cbcr = (1 - y, -cbcr) if photo.kind == "negative" else _linear(y, cbcr)
    coefficients = linear_coefficients(y, cbcr)
    cb, cr = apply_to_luma(
        coefficients,
        photo.luma,
        strength=options.strength,
        subsampling=subsampling,
        reduced=photo.reduced,
        threads=threads(),
    )
    prediction.clear_margins(cb, cr, options.hints)
    return cb, cr


def as_displayed(photo: Photo) -> Photo:
    """Return a photograph as viewers show it: the luma of a linear scan is that of the scene, others are unchanged."""
    return replace(photo, luma=photo.scene, kind="ordinary") if photo.kind == "linear" else photo


def _linear(y: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert sRGB luma ``[h, w]`` and chroma ``[2, h, w]`` to luma and chroma of linear light."""
    light = srgb_to_linear(np.clip(BT601.rgb(y, *cbcr), 0, 1)).astype(np.float32)
    linear = light @ BT601.luma
    return linear, np.stack([(light[..., 2] - linear) / BT601.cb_to_b, (light[..., 0] - linear) / BT601.cr_to_r])
