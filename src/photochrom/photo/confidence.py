"""Draws confidence maps, and finds the places where the model is least sure."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

PLACES: Final = 3
"""Number of places that are marked in a confidence map."""
_MIN_DISTANCE: Final = 0.15  # between two places, as a share of the longer side
_AREA: Final = 1 / 16  # standard deviation of the neighbourhood that counts, as a share of the longer side
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def least_sure_places(confidence: np.ndarray, count: int = PLACES) -> list[tuple[float, float, float]]:
    """Find the places where the model is least sure, the least sure first; in an unsure area, they are in its middle.

    Args:
        confidence: Float ``[h, w]``, 0 to 1.
        count: Number of places; a small picture may have fewer.

    Returns:
        x and y (0 to 1) and the confidence of each place.
    """
    doubt = 1 - np.asarray(confidence, np.float32)
    # Beyond the edges there is no doubt, so that of equally unsure places those inside the picture are found first.
    wide = cv2.GaussianBlur(doubt, (0, 0), max(1.0, _AREA * max(doubt.shape)), borderType=cv2.BORDER_CONSTANT)
    spread = cv2.blur(doubt, (3, 3), borderType=cv2.BORDER_REPLICATE) + wide
    height, width = doubt.shape
    rows, columns = np.mgrid[:height, :width]
    places = []
    for _ in range(count):
        row, column = np.unravel_index(np.argmax(spread), spread.shape)
        if not np.isfinite(spread[row, column]):
            break
        places.append(((column + 0.5) / width, (row + 0.5) / height, float(confidence[row, column])))
        spread[np.hypot(rows - row, columns - column) < _MIN_DISTANCE * max(height, width)] = -np.inf
    # The search compares means of neighbourhoods, so its order may differ from that of the places themselves.
    return sorted(((float(x), float(y), value) for x, y, value in places), key=lambda place: place[2])


def confidence_png(confidence: np.ndarray, shape: tuple[int, int], *, raw: bool) -> bytes:
    """Draw a confidence map, and return it as a PNG file.

    Args:
        confidence: Float ``[h, w]``, 0 to 1.
        shape: Height and width of the photograph.
        raw: Whether to draw a greyscale map of the photograph's size, black for 0 and white for 1. Otherwise the range
            of values is stretched and drawn in the colour map Cividis (perceptually uniform, and legible with colour
            blindness), with numbers at the least sure places and a legend below.
    """
    height, width = shape
    values = np.clip(confidence, 0, 1)
    if raw:
        picture = cv2.resize(np.rint(255 * values).astype(np.uint8), (width, height))
    else:
        low, high = (float(value) for value in np.quantile(values, (0.01, 0.99)))
        stretched = np.clip(
            (cv2.resize(values.astype(np.float32), (width, height)) - low) / max(high - low, 1e-6), 0, 1
        )
        picture = np.vstack([_with_numbers(_colored(stretched), values), _legend(width, low, high)])
    info, stream = PngInfo(), BytesIO()
    info.add_text("Software", "Photochrom confidence map")
    Image.fromarray(picture).save(stream, "PNG", pnginfo=info)
    return stream.getvalue()


def _colored(share: np.ndarray) -> np.ndarray:
    bgr = cv2.applyColorMap(np.rint(255 * share).astype(np.uint8), cv2.COLORMAP_CIVIDIS)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _with_numbers(rgb: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    scale = max(rgb.shape) / 1000
    for number, (x, y, _) in enumerate(least_sure_places(confidence), 1):
        _draw_centered(rgb, str(number), (x * rgb.shape[1], y * rgb.shape[0]), scale)
    return rgb


def _draw_centered(rgb: np.ndarray, text: str, center: tuple[float, float], scale: float) -> None:
    """Draw a text centred at ``center`` (x, y), shifted if necessary so that it is inside the picture."""
    height, width = rgb.shape[:2]
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, max(0.3, scale), 1)
    edge = 1 + round(3 * scale)  # width of the outline
    left = max(min(center[0] - wide / 2, width - wide - edge), edge)
    base = max(min(center[1] + tall / 2, height - edge), tall + edge)
    _draw_text(rgb, text, (round(left), round(base)), scale)


def _legend(width: int, low: float, high: float) -> np.ndarray:
    """Draw the colour map as a strip ``[H, width, 3]`` whose ends are labelled."""
    height = max(16, round(width / 25))
    strip = _colored(np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1)))
    scale = width / 1000
    _draw_text(strip, f"unsure {low:.2f}", (round(8 * scale), round(0.7 * height)), scale)
    _draw_text(strip, f"sure {high:.2f}", (round(width - 190 * scale), round(0.7 * height)), scale)
    return strip


def _draw_text(rgb: np.ndarray, text: str, at: tuple[int, int], scale: float) -> None:
    for extra, color in ((3, _BLACK), (0, _WHITE)):  # an outline, to be legible on any background
        thickness = max(1, round((2 + extra) * scale))
        cv2.putText(rgb, text, at, cv2.FONT_HERSHEY_SIMPLEX, max(0.3, scale), color, thickness, cv2.LINE_AA)
