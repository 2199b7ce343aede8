"""Decodes photographs for training and evaluation: their colours become sRGB, by their ICC profiles."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ...errors import PhotoError, TrainingError
from ...photo.formats import icc
from ...photo.formats.image import open_image

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")  # formats of Pillow that OpenCV decodes, too


def decode(data: bytes, path: Path) -> np.ndarray:
    """Decode the bytes of an image file to sRGB, uint8 ``[H, W, 3]``.

    Args:
        data: The bytes.
        path: Path of the file, for the message.

    Raises:
        TrainingError: The file cannot be decoded, or its ICC profile is damaged or does not fit its pixels.
    """
    try:
        image = _header(data)
        if image is not None and image.mode == "CMYK":
            return icc.upright_srgb(image)
        if (bgr := cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) is None:
            raise ValueError("OpenCV cannot decode it")
        return icc.rgb_to_srgb(np.ascontiguousarray(bgr[..., ::-1]), _profile(image))
    except PhotoError as exc:
        raise TrainingError(exc.problem, path=path, remedy=exc.remedy) from exc
    except (cv2.error, OSError, ValueError, SyntaxError) as exc:  # OpenCV's if the file is empty or claims to be huge
        raise TrainingError("cannot be decoded", path=path, remedy="replace it by a whole JPEG, or remove it") from exc


def in_srgb(rgb: np.ndarray, data: bytes, path: Path) -> np.ndarray:
    """Convert decoded RGB pixels of an image file to sRGB; without a profile, or with that of sRGB, they are returned.

    Args:
        rgb: The pixels, perhaps at a reduced scale, uint8 ``[H, W, 3]``.
        data: The bytes of the file, which may have an RGB profile.
        path: Path of the file, for the message.

    Raises:
        TrainingError: The profile is damaged.
    """
    try:
        return icc.rgb_to_srgb(rgb, _profile(_header(data)))
    except PhotoError as exc:
        raise TrainingError(exc.problem, path=path, remedy=exc.remedy) from exc


def is_converted(data: bytes) -> bool:
    """Return whether ``decode`` converts the colours of an image file, because it has a profile other than sRGB's.

    Raises:
        PhotoError: The profile is damaged.
    """
    image = _header(data)
    if image is None or (profile := _profile(image)) is None:
        return False
    return image.mode == "CMYK" or icc.differs_from_srgb(profile)


def _header(data: bytes) -> Image.Image | None:
    """Open an image file, of which only the header is read: a hundredth of a view's time.

    None is returned for some damaged files, which OpenCV decodes nevertheless.
    """
    try:
        return open_image(data, FORMATS)
    except (PhotoError, OSError, ValueError, SyntaxError):
        return None


def _profile(image: Image.Image | None) -> bytes | None:
    return None if image is None else image.info.get("icc_profile")
