"""Decodes photographs for training and evaluation: their colours become sRGB, by their ICC profiles."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

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
        TrainingError: The file cannot be decoded, or its ICC profile is damaged.
    """
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error:  # raised for some damaged files, such as those that claim to be huge
        bgr = None
    if bgr is None:
        raise TrainingError(f"{path} cannot be decoded", remedy="replace it by a whole JPEG, or remove it")
    return in_srgb(np.ascontiguousarray(bgr[..., ::-1]), data, path)


def in_srgb(rgb: np.ndarray, data: bytes, path: Path) -> np.ndarray:
    """Convert the decoded pixels of an image file to sRGB; without a profile, or with that of sRGB, they are returned.

    Args:
        rgb: The pixels, perhaps at a reduced scale, uint8 ``[H, W, 3]``.
        data: The bytes of the file, which may have an RGB profile.
        path: Path of the file, for the message.

    Raises:
        TrainingError: The profile is damaged.
    """
    try:
        return icc.rgb_to_srgb(rgb, _profile(data))
    except PhotoError as exc:
        raise TrainingError(exc.problem, path=path, remedy=exc.remedy) from exc


def is_converted(data: bytes) -> bool:
    """Return whether ``decode`` converts the colours of an image file, because it has a profile other than sRGB's.

    Raises:
        PhotoError: The profile is damaged.
    """
    return icc.differs_from_srgb(_profile(data))


def _profile(data: bytes) -> bytes | None:
    """Return the ICC profile of an image file, of which only the header is read: a hundredth of a view's time."""
    try:
        with open_image(data, FORMATS) as image:
            profile: bytes | None = image.info.get("icc_profile")
            return profile
    except (PhotoError, OSError, ValueError, SyntaxError):  # OpenCV decodes some damaged files that Pillow refuses
        return None
