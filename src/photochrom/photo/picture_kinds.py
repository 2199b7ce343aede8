"""Handles pictures whose luma is not that of the scene: negatives, linear scans and halftones.

The network gets a copy of the luma that is converted to that of the scene. The luma that is written is not changed.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from ..color.bands import threads
from ..color.spaces import ab_to_cbcr, linear_to_srgb, srgb_to_linear
from ..color.upsample import apply_to_luma, linear_coefficients
from ..colorizer.colorizer import Colorizer
from ..colorizer.options import ColorOptions
from ..colorizer.prediction import Prediction
from .options import JpegLayout
from .read import Photo
from .write import chroma_sampling

_SCREEN: Final = 2.5  # standard deviation, in pixels, of the blur that turns a newspaper's screen into grey tones
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def for_network(photo: Photo) -> np.ndarray:
    """Return the luma of the scene, from which the network predicts colours; its shape and dtype are the photo's."""
    luma, top = photo.luma, np.iinfo(photo.luma.dtype).max
    if photo.kind == "negative":
        return top - luma
    if photo.kind == "linear":
        levels = np.arange(top + 1, dtype=np.float64) / top
        return np.rint(linear_to_srgb(levels) * top).astype(luma.dtype)[luma]
    if photo.kind == "halftone":
        return cv2.GaussianBlur(luma, (0, 0), _SCREEN)
    return luma


def chroma_of_photo(
    colorizer: Colorizer,
    photo: Photo,
    format: str,
    options: ColorOptions,
    prediction: Prediction,
    layout: JpegLayout = "scan",
) -> tuple[np.ndarray, np.ndarray]:
    """Compute Cb and Cr for the luma as stored, for a picture of any kind.

    A negative gets complementary colours, so that inverting the output gives the coloured positive. The chroma of a
    linear scan is converted to linear light.

    Args:
        colorizer: The model.
        photo: The photograph.
        format: Format of the output, a key of ``EXTENSIONS``.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for ``for_network(photo)``.
        layout: Layout of a JPEG whose luma is kept; see ``OutputOptions.jpeg_layout``.

    Returns:
        Planes as ``encode_photo`` needs them.
    """
    sampling = (1, 1) if photo.reduced else chroma_sampling(photo, format, layout)
    how: dict[str, Any] = {"subsampling": sampling, "reduced": photo.reduced}
    if photo.kind in ("ordinary", "halftone"):
        return colorizer.chroma(photo.luma, options, prediction=prediction, **how)
    y = prediction.luma.astype(np.float32) / 255
    cbcr = ab_to_cbcr(y, colorizer.ab(prediction, options.hints))  # [2, h, w]
    y, cbcr = (1 - y, -cbcr) if photo.kind == "negative" else _linear(y, cbcr)
    coefficients = linear_coefficients(y, cbcr)
    return apply_to_luma(coefficients, photo.luma, strength=options.strength, threads=threads(), **how)


def _linear(y: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert sRGB luma ``[h, w]`` and chroma ``[2, h, w]`` to luma and chroma of linear light."""
    cb, cr = cbcr
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1)
    rgb = np.clip(rgb, 0, 1)
    light = srgb_to_linear(rgb).astype(np.float32)
    linear = light @ _LUMA
    return linear, np.stack([(light[..., 2] - linear) / 1.772, (light[..., 0] - linear) / 1.402])
