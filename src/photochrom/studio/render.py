"""Pictures that the page shows: the coloured preview, the marks of hints, and where the model is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from ..color.gamut import rgb_of_luma
from ..colorizer.colorizer import Colorizer, Prediction
from ..colorizer.hints import Hint, pixel_at
from ..colorizer.options import ColorOptions
from ..errors import OptionError
from .editing import cached_prediction
from .sessions.photo import Session, small

QUALITY = 90  # JPEG quality on the page; downloads are encoded separately
_MARK = 0.012  # radius of a hint's mark, as a share of the picture's longest side
_WHITE, _BLACK = (255, 255, 255), (20, 20, 20)
_DOUBT = np.array([255, 120, 0], np.float32)  # orange: large parts of a photograph rarely have this colour
_MOST_DOUBT = 0.8  # opacity where the model is least sure
_SURE, _LOST = 0.6, 0.2  # confidence at which the overlay vanishes and is strongest; most pictures lie between
_GUESS = 320  # longest side of an alternative, in pixels


def colored(colorizer: Colorizer, luma: np.ndarray, options: ColorOptions, prediction: Prediction) -> np.ndarray:
    """Colour a preview from its prediction; returns RGB, uint8 ``[H, W, 3]``."""
    return rgb_of_luma(luma, *colorizer.chroma(luma, options, prediction=prediction))


def guesses(colorizer: Colorizer, session: Session, hints: Sequence[tuple[Hint, ...]]) -> list[np.ndarray]:
    """Return small pictures, each coloured with one of the alternatives instead of the chosen one."""
    luma = small(session.picture.luma, _GUESS)
    options = [replace(session.choices, guess=guess).options for guess in hints]
    answers = [cached_prediction(colorizer, session.picture.thumbnail, each, session.cached) for each in options]
    return [colored(colorizer, luma, *each) for each in zip(options, (a.prediction for a in answers), strict=True)]


def marked(rgb: np.ndarray, hints: Sequence[Hint], place: tuple[float, float] | None) -> np.ndarray:
    """Return a copy with a disc at each hint, in the colour of the hint, and a cross at ``place``."""
    rgb = rgb.copy()
    radius = max(4, round(_MARK * max(rgb.shape)))
    for hint in hints:
        at = hint.pixel(rgb.shape)[::-1]
        for grown, color in ((3, _BLACK), (2, _WHITE), (0, hint.color)):
            cv2.circle(rgb, at, radius + grown, color, cv2.FILLED, cv2.LINE_AA)
    if place is not None:
        y, x = pixel_at(*place, rgb.shape)
        for thickness, color in ((5, _BLACK), (2, _WHITE)):
            for dx, dy in (
                (1, 0),
                (-1, 0),
                (0, 1),
                (0, -1),
            ):  # open in the middle, so that the place itself stays visible
                start, end = ((x + dx * k * radius // 2, y + dy * k * radius // 2) for k in (3, 6))
                cv2.line(rgb, start, end, color, thickness, cv2.LINE_AA)
    return rgb


def doubt(rgb: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Return a copy with an orange overlay that grows with the model's uncertainty.

    Raises:
        OptionError: The model does not report its confidence.
    """
    if prediction.confidence is None:
        raise OptionError("this model does not report its confidence: start the studio with another")
    unsure = np.clip((_SURE - prediction.confidence) / (_SURE - _LOST), 0, 1)
    cover = cv2.resize(_MOST_DOUBT * unsure, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    return np.rint(rgb + cover * (_DOUBT - rgb)).astype(np.uint8)


def grey(luma: np.ndarray) -> np.ndarray:
    """Return a luma plane ``[H, W]`` as grey RGB ``[H, W, 3]``."""
    return np.repeat(luma[..., None], 3, axis=2)


def color_at(rgb: np.ndarray, x: float, y: float) -> tuple[int, int, int]:
    """Return the mean colour of a spot of 5 by 5 pixels."""
    row, column = pixel_at(x, y, rgb.shape)
    spot = rgb[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
    red, green, blue = (round(float(value)) for value in spot.mean((0, 1)))
    return red, green, blue


def save(rgb: np.ndarray, path: Path) -> str:
    """Write a JPEG for the page and return its path."""
    path.write_bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), QUALITY, "RGB", "444"))
    return str(path)
