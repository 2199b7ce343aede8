"""Computes luma and alpha of Pillow images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import PhotoError

if TYPE_CHECKING:
    from PIL import Image


def from_pillow(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Compute luma and alpha of an 8-bit grey or RGB image, uint8 ``[H, W]`` each; alpha is None without transparency.

    Raises:
        PhotoError: The pixels are of another kind, such as CMYK, Lab, floating point, or integers of 16 or 32 bits.
    """
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise PhotoError(f"holds {image.mode} pixels: convert it to grey or RGB of 8 or 16 bits")
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")), None
    image = image.convert("LA" if image.mode in ("1", "L", "La", "LA") else "RGBA")
    return np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))
