"""Computes luma and alpha of Pillow images, and converts those that are CMYK or have 16 bits."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from ..errors import PhotoError
from .bands import at_8_bits

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION: Final = 0x0112  # tag of EXIF
_XMP: Final = ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp")  # Pillow's names in ``Image.info``


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8; 1 if it states none, or its EXIF is damaged.

    An orientation that only XMP states does not count, as in browsers and for ``photo.read_photo``. Pillow would use
    it. The pixels should be loaded, since Pillow then turns those of a TIFF, and changes the orientation.
    """
    from PIL import Image

    if any(image.info.get(name) for name in _XMP):
        bare = Image.new("L", (1, 1))
        bare.info = {name: value for name, value in image.info.items() if name not in _XMP}
        image = bare
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, struct.error):
        return 1
    value = value[0] if isinstance(value, tuple) and value else value  # of several values, programs use the first
    return int(value) if value in range(1, 9) else 1


def from_pillow(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Compute luma and alpha of an image, uint8 ``[H, W]`` each; alpha is None without transparency.

    Args:
        image: Grey, RGB, YCbCr or a palette, of at most 8 bits.

    Raises:
        PhotoError: The pixels are of another kind, such as CMYK, Lab, floating point, or integers of 16 or 32 bits.
        OSError: Pillow reads the image's file only now, and the file is damaged.
    """
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise PhotoError(f"holds {image.mode} pixels", remedy="convert it to grey or RGB of 8 or 16 bits")
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
