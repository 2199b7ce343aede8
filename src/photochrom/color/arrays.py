"""Checks arrays that callers give as pictures, and takes their luma."""

from __future__ import annotations

import numpy as np

from ..errors import PhotoError
from .spaces import luma_of_rgb


def luma_of(picture: np.ndarray) -> np.ndarray:
    """Return the luma of an array ``[H, W]``, which is luma already, or RGB ``[H, W, 3]``.

    Raises:
        PhotoError: ``picture`` is not uint8 or uint16, or has another shape.
    """
    is_rgb = picture.ndim == 3 and picture.shape[2] == 3
    if picture.dtype.newbyteorder("=") not in (np.uint8, np.uint16) or not (is_rgb or picture.ndim == 2):
        raise PhotoError(
            f"a picture is uint8 or uint16, [H, W] or [H, W, 3], not {picture.dtype} {list(picture.shape)}",
            remedy="convert it",
        )
    return luma_of_rgb(picture) if is_rgb else picture


def checked_luma(luma: np.ndarray) -> np.ndarray:
    """Return a luma plane in native byte order.

    Raises:
        PhotoError: ``luma`` is not a luma plane, or has no pixels.
    """
    luma = luma.astype(luma.dtype.newbyteorder("="), copy=False)
    if luma.ndim != 2 or luma.dtype not in (np.uint8, np.uint16):
        raise PhotoError(
            f"a luma plane is uint8 or uint16 [H, W], not {luma.dtype} {list(luma.shape)}", remedy="convert it"
        )
    if 0 in luma.shape:
        raise PhotoError(f"the picture has no pixels (it is {luma.shape[1]} by {luma.shape[0]})", remedy="give another")
    return luma
