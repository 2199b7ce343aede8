"""Shows a photograph as it looks before it is coloured: in its own colours, upright, and by its profile."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from ..errors import PhotoError
from .formats import icc
from .inspection import color_images
from .library_errors import decoding
from .read import Photo


def own_look(photo: Photo, shape: tuple[int, int]) -> np.ndarray | None:
    """Return a photograph in its own colours, or None if it is stored in grey or only its luma can be read.

    A negative is shown as its positive.

    Args:
        photo: The photograph.
        shape: Height and width of the result; about the photograph's proportions.

    Returns:
        sRGB, uint8 ``[h, w, 3]``.
    """
    import cv2  # takes a tenth of a second

    if photo.origin is None:
        return None
    with suppress(PhotoError, MemoryError, OSError, ValueError), decoding():  # its luma has been read by other means
        side = 2 * max(shape)
        for image in color_images(photo.origin, photo.page, side):
            small = icc.upright_srgb(image, side / max(image.size))
            rgb = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_AREA)
            return 255 - rgb if photo.kind == "negative" else rgb
    return None


def in_srgb(photo: Photo, rgb: np.ndarray) -> np.ndarray:
    """Convert a small picture with the pixel values of a photograph's scene to sRGB, by the photograph's ICC profile.

    Args:
        photo: The photograph.
        rgb: R'G'B', uint8 ``[h, w, 3]``.
    """
    if photo.kind == "linear":  # its scene is in sRGB already
        return rgb
    with suppress(PhotoError):  # a damaged profile describes nothing
        return icc.rgb_to_srgb(rgb, photo.metadata.icc)
    return rgb
