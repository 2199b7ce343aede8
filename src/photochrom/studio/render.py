"""Renders pictures for the page, and maps of where the model is unsure."""

from __future__ import annotations

from typing import Any

import numpy as np
import simplejpeg

from ..colorizer.prediction import Prediction
from ..errors import OptionError
from ..photo.confidence import least_sure_places

QUALITY = 90  # JPEG quality on the page; downloads are encoded separately
_MARGIN = 0.04  # minimum distance from the edges, so that the numbers on the places are not cut off
_SURE, _LOST = 0.6, 0.2  # values of confidence at which doubt is 0 and 1; most values in a picture lie between


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
        where a hint would help most, the best place first: those that ``--confidence`` of the command line names.

    Raises:
        OptionError: The model does not predict its confidence.
    """
    if prediction.confidence is None:
        raise OptionError("this model does not report its confidence", remedy="start the studio with another model")
    doubt = np.clip((_SURE - prediction.confidence) / (_SURE - _LOST), 0, 1)  # [h, w]
    least_sure = (place for *place, confidence in least_sure_places(prediction.confidence) if confidence < _SURE)
    places = [[round(min(max(share, _MARGIN), 1 - _MARGIN), 3) for share in place] for place in least_sure]
    return {"map": np.round(doubt.astype(float), 3).tolist(), "places": places}
