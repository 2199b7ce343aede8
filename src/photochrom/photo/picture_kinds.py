"""Handles pictures whose luma is not that of the scene: negatives, linear scans and halftones.

The network gets a copy of the luma that is converted to that of the scene. The luma that is written is not changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from ..color.bands import threads
from ..color.spaces import ab_to_cbcr, linear_to_srgb, srgb_to_linear
from ..color.upsample import apply_to_luma, linear_coefficients

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer
    from ..colorizer.options import ColorOptions
    from ..colorizer.prediction import Prediction
    from .read import Photo, PictureKind

_SCREEN: Final = 2.5  # standard deviation, in pixels, of the blur that turns a newspaper's screen into grey tones
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def luma_of_scene(luma: np.ndarray, kind: PictureKind) -> np.ndarray:
    """Convert the luma of a picture of an unusual kind to that of the scene, with the same shape and dtype."""
    top = np.iinfo(luma.dtype).max
    if kind == "negative":
        return top - luma
    if kind == "linear":
        levels = np.arange(top + 1, dtype=np.float64) / top
        return np.rint(linear_to_srgb(levels) * top).astype(luma.dtype)[luma]
    return cv2.GaussianBlur(luma, (0, 0), _SCREEN)


def chroma_of_unusual(
    colorizer: Colorizer, photo: Photo, options: ColorOptions, prediction: Prediction, subsampling: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Compute Cb and Cr for the luma of a negative or of a linear scan, as ``Colorizer.chroma`` does for others.

    A negative gets complementary colours, so that inverting the output gives the coloured positive. The chroma of a
    linear scan is converted to linear light.

    Args:
        colorizer: The model.
        photo: The photograph.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for ``photo.scene``.
        subsampling: Rows and columns of ``photo.luma`` that share one chroma sample.
    """
    y = prediction.luma.astype(np.float32) / 255
    cbcr = ab_to_cbcr(y, colorizer.ab(prediction, options.hints))  # [2, h, w]
    y, cbcr = (1 - y, -cbcr) if photo.kind == "negative" else _linear(y, cbcr)
    coefficients = linear_coefficients(y, cbcr)
    return apply_to_luma(
        coefficients,
        photo.luma,
        strength=options.strength,
        subsampling=subsampling,
        reduced=photo.reduced,
        threads=threads(),
    )


def _linear(y: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert sRGB luma ``[h, w]`` and chroma ``[2, h, w]`` to luma and chroma of linear light."""
    cb, cr = cbcr
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1)
    rgb = np.clip(rgb, 0, 1)
    light = srgb_to_linear(rgb).astype(np.float32)
    linear = light @ _LUMA
    return linear, np.stack([(light[..., 2] - linear) / 1.772, (light[..., 0] - linear) / 1.402])
