"""Handles pictures whose luma is not that of the scene: negatives, linear scans and halftones.

The network gets a copy of the luma that is converted to that of the scene. The luma that is written is not changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from ..colorizer.options import ColorOptions

if TYPE_CHECKING:
    from ..colorizer.colorizer import Colorizer, Prediction

PictureKind = Literal["ordinary", "negative", "linear", "halftone"]
_SCREEN: Final = 2.5  # standard deviation, in pixels, of the blur that turns a newspaper's screen into grey tones
_SAMPLED_ROWS: Final = 64  # rows that are sampled first
_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def is_halftone(luma: np.ndarray) -> bool:
    """Return whether a luma plane has black and white pixels and no others."""
    if not _is_black_and_white(luma[:: max(1, luma.shape[0] // _SAMPLED_ROWS)]):  # decides most pictures quickly
        return False
    low, high = luma.min(), luma.max()
    return bool(low == 0 and high == np.iinfo(luma.dtype).max and _is_black_and_white(luma))


def _is_black_and_white(luma: np.ndarray) -> bool:
    return bool(((luma == 0) | (luma == np.iinfo(luma.dtype).max)).all())


def for_network(luma: np.ndarray, kind: PictureKind) -> np.ndarray:
    """Return the luma of the scene, from which the network predicts colours, for a picture of any kind.

    Args:
        luma: uint8 or uint16 ``[H, W]``.
        kind: Kind of picture.
    """
    top = np.iinfo(luma.dtype).max
    if kind == "negative":
        return top - luma
    if kind == "linear":
        from ..color.spaces import linear_to_srgb

        levels = np.arange(top + 1, dtype=np.float64) / top
        return np.rint(linear_to_srgb(levels) * top).astype(luma.dtype)[luma]
    if kind == "halftone":
        import cv2

        return cv2.GaussianBlur(luma, (0, 0), _SCREEN)
    return luma


def chroma(
    colorizer: Colorizer,
    luma: np.ndarray,
    kind: PictureKind,
    options: ColorOptions,
    prediction: Prediction,
    subsampling: tuple[int, int],
    *,
    reduced: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute Cb and Cr for the luma as stored, for a picture of any kind.

    A negative gets complementary colours, so that inverting the output gives the coloured positive. The chroma of a
    linear scan is converted to linear light.

    Args:
        colorizer: The model.
        luma: uint8 or uint16 ``[H, W]``.
        kind: Kind of picture.
        options: How to colour.
        prediction: Result of ``Colorizer.predict`` for ``for_network(luma, kind)``.
        subsampling: Rows and columns of luma that share one chroma sample, 1 or 2 each.
        reduced: Whether ``luma`` is a copy at half the picture's height and width; ``subsampling`` is relative to the
            copy.
    """
    if kind in ("ordinary", "halftone"):
        return colorizer.chroma(luma, options, subsampling=subsampling, prediction=prediction, reduced=reduced)
    from ..color.bands import threads
    from ..color.spaces import ab_to_cbcr
    from ..color.upsample import apply_to_luma, linear_coefficients

    y = prediction.luma.astype(np.float32) / 255
    cbcr = ab_to_cbcr(y, colorizer.ab(prediction, options.hints))  # [2, h, w]
    y, cbcr = (1 - y, -cbcr) if kind == "negative" else _linear(y, cbcr)
    coefficients = linear_coefficients(y, cbcr)
    settings: dict[str, Any] = {"strength": options.strength, "subsampling": subsampling, "reduced": reduced}
    return apply_to_luma(coefficients, luma, threads=threads(), **settings)


def _linear(y: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert sRGB luma ``[h, w]`` and chroma ``[2, h, w]`` to luma and chroma of linear light."""
    cb, cr = cbcr
    from ..color.spaces import srgb_to_linear

    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1)
    rgb = np.clip(rgb, 0, 1)
    light = srgb_to_linear(rgb).astype(np.float32)
    linear = light @ _WEIGHTS
    return linear, np.stack([(light[..., 2] - linear) / 1.772, (light[..., 0] - linear) / 1.402])
