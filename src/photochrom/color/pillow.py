"""Luma and alpha of Pillow's images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image


def from_pillow(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Return luma and alpha of an 8-bit picture that is not CMYK, uint8 ``[H, W]`` each; alpha is None if it is opaque.

    Raises:
        PhotoError: The luma of the pixels is not defined: floating point, 32-bit integers, Lab.
    """
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise PhotoError(f"holds {image.mode} pixels: convert it to grey or RGB of 8 or 16 bits")
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")), None
    image = image.convert("LA" if image.mode in ("1", "L", "La", "LA") else "RGBA")
    return np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
