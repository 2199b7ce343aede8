"""Renders pictures for the page, and finds the places where the model is unsure."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import simplejpeg

from ..color.gamut import rgb_of_luma
from ..colorizer.colorizer import Colorizer
from ..colorizer.options import ColorOptions
from ..colorizer.prediction import Prediction
from ..errors import OptionError

QUALITY = 90  # JPEG quality on the page; downloads are encoded separately
_PLACES = 5  # maximum number of unsure places that are marked
_APART = 0.15  # minimum distance between marked places, as a share of the longest side
_MARGIN = 0.04  # minimum distance from the edges, so that the numbers on the places are not cut off
_WORTH = 0.25  # minimum mean doubt around a marked place
_SURE, _LOST = 0.6, 0.2  # values of confidence at which doubt is 0 and 1; most values in a picture lie between


def colored(colorizer: Colorizer, luma: np.ndarray, options: ColorOptions, prediction: Prediction) -> np.ndarray:
    """Colour luma, uint8 ``[H, W]``, according to a prediction; return RGB, uint8 ``[H, W, 3]``."""
    return rgb_of_luma(luma, *colorizer.chroma(luma, options, prediction=prediction))


def grey(luma: np.ndarray) -> np.ndarray:
    """Convert a luma plane ``[H, W]`` to grey RGB ``[H, W, 3]`` of the same dtype."""
    return np.repeat(luma[..., None], 3, axis=2)


def jpeg(rgb: np.ndarray) -> bytes:
    """Encode RGB, uint8 ``[H, W, 3]``, as JPEG for the page."""
    return simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), QUALITY, "RGB", "444")


def doubt_map(prediction: Prediction) -> dict[str, Any]:
    """Return the model's doubt as JSON for the page.

    Returns:
        ``map``: a list of rows of values from 0 (sure) to 1 (unsure). ``places``: x and y, from 0 to 1, of the places
        where a hint would help most, the best place first.

    Raises:
        OptionError: The model does not predict its confidence.
    """
    if prediction.confidence is None:
        raise OptionError("this model does not report its confidence", remedy="start the studio with another model")
    doubt = np.clip((_SURE - prediction.confidence) / (_SURE - _LOST), 0, 1)  # [h, w]
    places = [(round(x, 3), round(y, 3)) for x, y in _unsure_places(doubt)]
    return {"map": np.round(doubt.astype(float), 3).tolist(), "places": places}


def _unsure_places(doubt: np.ndarray) -> list[tuple[float, float]]:
    """Return x and y, from 0 to 1, of the centres of the largest unsure areas, the largest first."""
    height, width = doubt.shape
    sigma = max(1.0, max(doubt.shape) / 16)
    near, spread = (
        cv2.GaussianBlur(doubt.astype(np.float32), (0, 0), sigma, borderType=border)
        for border in (cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)
    )
    # ``spread`` is padded with zeros, since with mirrored padding its maxima would be on the edges themselves.
    spread[near <= _WORTH] = 0
    rows, columns = np.mgrid[:height, :width]
    found: list[tuple[float, float]] = []
    while len(found) < _PLACES and spread.max() > 0:
        row, column = np.unravel_index(int(spread.argmax()), spread.shape)
        place = (float(column) + 0.5) / width, (float(row) + 0.5) / height
        found.append((min(max(place[0], _MARGIN), 1 - _MARGIN), min(max(place[1], _MARGIN), 1 - _MARGIN)))
        spread[np.hypot(rows - row, columns - column) < _APART * max(doubt.shape)] = 0
    return found
