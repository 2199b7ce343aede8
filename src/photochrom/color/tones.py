"""Pictures whose luma is not that of the scene: negatives, linear scans and halftones.

The network gets the luma of the scene. The chroma that it predicts is then converted to chroma for the stored luma,
which is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from .spaces import BT601, linear_to_srgb, srgb_to_linear

_SCREEN: Final = 2.5  # standard deviation, in pixels, of the blur that turns a newspaper's screen into grey tones


def _stored_as_seen(thumbnail: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return thumbnail.astype(np.float32) / 255, cbcr


@dataclass(frozen=True)
class Tones:
    """How a picture's luma is stored; by default as a person sees the scene."""

    scene: Callable[[np.ndarray], np.ndarray] = lambda luma: luma
    """Converts stored luma, full range, to that of the scene; arrays ``[h, w]``, uint8 or, in photographs, uint16."""
    stored: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] = _stored_as_seen
    """Converts luma of the scene, uint8 ``[h, w]``, and its Cb and Cr, float32 ``[2, h, w]``, to stored luma, float32
    ``[h, w]``, 0..1, and the Cb and Cr that belong to it."""


def _inverted(luma: np.ndarray) -> np.ndarray:
    return np.iinfo(luma.dtype).max - luma


def _stored_inverted(thumbnail: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _inverted(thumbnail).astype(np.float32) / 255, -cbcr


def _from_light(luma: np.ndarray) -> np.ndarray:
    top = np.iinfo(luma.dtype).max
    levels = np.arange(top + 1, dtype=np.float64) / top
    return np.rint(linear_to_srgb(levels) * top).astype(luma.dtype)[luma]


def _stored_as_light(thumbnail: np.ndarray, cbcr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rgb = BT601.rgb(thumbnail.astype(np.float32) / 255, *cbcr)
    light = srgb_to_linear(np.clip(rgb, 0, 1)).astype(np.float32)
    luma = light @ BT601.luma
    return luma, np.stack([(light[..., 2] - luma) / BT601.cb_to_b, (light[..., 0] - luma) / BT601.cr_to_r])


def _blurred(luma: np.ndarray) -> np.ndarray:
    import cv2  # takes a tenth of a second

    return cv2.GaussianBlur(luma, (0, 0), _SCREEN)


ORDINARY: Final = Tones()
NEGATIVE: Final = Tones(_inverted, _stored_inverted)
"""Inverting luma and chroma of the coloured picture gives the coloured positive."""
LINEAR: Final = Tones(_from_light, _stored_as_light)
"""Luma is proportional to light."""
HALFTONE: Final = Tones(_blurred)
"""Every pixel is black or white."""
