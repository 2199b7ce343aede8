"""Computes luma and alpha of Pillow images, and converts those that are CMYK or have 16 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import PhotoError
from .bands import at_8_bits

if TYPE_CHECKING:
    from PIL import Image


def from_pillow(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Compute luma and alpha of an image, uint8 ``[H, W]`` each; alpha is None without transparency.

    Args:
        image: Grey, RGB, YCbCr or a palette, of at most 8 bits.

    Raises:
        PhotoError: The pixels are of another kind, such as CMYK, Lab, floating point, or integers of 16 or 32 bits.
        OSError: Pillow reads the image's file only now, and the file is damaged.
    """
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise PhotoError(f"holds {image.mode} pixels: convert it to grey or RGB of 8 or 16 bits")
    if not image.has_transparency_data:
        return np.asarray(image.convert("L")), None
    image = image.convert("LA" if image.mode in ("1", "L", "La", "LA") else "RGBA")
    return np.asarray(image.convert("L")), np.asarray(image.getchannel("A"))


def grey_or_rgb(image: Image.Image) -> Image.Image:
    """Round 16-bit grey to 8 bits, since PIL has no 16-bit colour, and convert CMYK to RGB, ignoring its ICC profile.

    Images of other kinds are returned unchanged.

    Raises:
        OSError: Pillow reads the image's file only now, and the file is damaged.
    """
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray(at_8_bits(np.asarray(image).astype(np.uint16)))
    return image.convert("RGB") if image.mode == "CMYK" else image
