"""Simulates ageing: turns a colour photograph into the grey picture that old film and decades of wear would leave.

Only the luma that the network sees is aged; the true colours are kept. Each defect has its own probability and a random
strength, so that most pictures are aged a little and a few a great deal.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ...color.spaces import luma_of_rgb, srgb_to_linear

Point = tuple[float, float]  # x and y in pixels

# A defect takes a picture, float32 [H, W], about 0..1, a random generator, and a severity, 0.2 to 1. It returns the
# picture with the defect, whose values may exceed 0..1.
Defect = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]

# Ranges of the sensitivity of emulsions to red, green and blue light. Early emulsions were sensitive to blue only,
# orthochromatic ones to blue and green; panchromatic film, from the 1920s on, to all three.
_EMULSIONS = {
    "orthochromatic": ((0.0, 0.08), (0.35, 0.65), (0.35, 0.6)),
    "blue-sensitive": ((0.0, 0.03), (0.05, 0.25), (0.75, 0.95)),
    "panchromatic": ((0.2, 0.45), (0.3, 0.6), (0.15, 0.4)),
}
_EMULSION_PROBABILITIES = (0.35, 0.15, 0.5)


def age(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the aged grey picture of a colour photograph.

    Args:
        rgb: sRGB uint8 ``[H, W, 3]``.
        rng: Source of all random choices; the same state gives the same picture.

    Returns:
        Luma, uint8 ``[H, W]``.
    """
    severity = rng.uniform(0.2, 1.0)
    film = emulsion(rgb, rng) if rng.random() < 0.6 else luma_of_rgb(rgb).astype(np.float32) / 255
    for probability, defect in _DEFECTS:
        if rng.random() < probability:
            film = defect(film, rng, severity)
    return _at_8_bits(film)


def emulsion(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the grey picture that a random kind of film records of a colour photograph, about as bright as its luma.

    Args:
        rgb: sRGB uint8 ``[H, W, 3]``.
        rng: Source of all random choices.

    Returns:
        float32 ``[H, W]``, 0..1.
    """
    kind = rng.choice(list(_EMULSIONS), p=_EMULSION_PROBABILITIES)
    shares = np.array([rng.uniform(low, high) for low, high in _EMULSIONS[kind]], np.float32)
    light = _LINEAR[rgb] @ (shares / shares.sum())
    luma = luma_of_rgb(rgb).astype(np.float32) / 255
    # A photographer would choose the exposure at which the mean brightness is right.
    exposed = light * (float((luma**2.2).mean()) + 1e-3) / (float(light.mean()) + 1e-3)
    film: np.ndarray = np.clip(exposed, 0, 1) ** np.float32(1 / 2.2)
    return film


_LINEAR = srgb_to_linear(np.arange(256, dtype=np.float32) / 255)  # linear light of each 8-bit sRGB value


def _contrast(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    gamma = np.exp(rng.normal(0, 0.35 * severity))
    curved = film**gamma
    steep = rng.uniform(-0.5, 0.7) * severity
    smooth = curved * curved * (3 - 2 * curved)
    return curved + steep * (smooth - curved)


def _fade(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    black, white = severity * rng.uniform(0, 0.35), 1 - severity * rng.uniform(0, 0.3)
    return black + (white - black) * film


def _uneven(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    """Add stains and light leaks: brightness that varies slowly over the picture."""
    coarse = rng.normal(0, 0.12 * severity, (4, 4)).astype(np.float32)
    return film + cv2.resize(coarse, film.shape[::-1], interpolation=cv2.INTER_CUBIC)


def _vignette(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    y, x = (np.linspace(-1, 1, n, dtype=np.float32) ** 2 for n in film.shape)
    return film * (1 - severity * rng.uniform(0.1, 0.45) * (y[:, None] + x[None]) / 2)


def _blur(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    sigma = max(0.3, severity * rng.uniform(0.4, 2.2) * min(film.shape) / 256)
    return cv2.GaussianBlur(film, (0, 0), sigma)


def _grain(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    """Add film grain: noise of a random size, strongest in the middle tones."""
    noise = rng.standard_normal(film.shape, np.float32)
    size = rng.uniform(0.0, 1.2)
    if size > 0.35:
        noise = cv2.GaussianBlur(noise, (0, 0), size) * np.float32(2 * size * np.sqrt(np.pi))
    middle = 0.4 + 2.4 * film * (1 - film)
    return film + noise * middle * np.float32(severity * rng.uniform(0.02, 0.12))


def _scratches(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    """Add scratches, mostly along the film, and specks of dust, light or dark."""
    height, width = film.shape
    layer, marks = np.zeros_like(film), np.zeros_like(film)
    for _ in range(rng.poisson(4 * severity)):
        x = rng.uniform(0, width)
        lean, top, bottom = rng.normal(0, 0.06 * width), *np.sort(rng.uniform(-0.2, 1.2, 2) * height)
        _mark(layer, marks, (x, top), (x + lean, bottom), rng)
    for _ in range(rng.poisson(12 * severity)):
        (x, y), (right, down) = rng.uniform(0, (width, height)), rng.normal(0, 2.5, 2)
        _mark(layer, marks, (x, y), (x + right, y + down), rng)
    return film + (layer - film) * cv2.GaussianBlur(marks, (0, 0), 0.5)


def _mark(layer: np.ndarray, marks: np.ndarray, start: Point, end: Point, rng: np.random.Generator) -> None:
    """Draw one line: its tone into ``layer``, and its opacity into ``marks``."""
    (x, y), (right, bottom) = ((round(float(x)), round(float(y))) for x, y in (start, end))
    tone = float(rng.choice([rng.uniform(0.75, 1), rng.uniform(0, 0.25)], p=[0.7, 0.3]))
    width = int(rng.integers(1, 3))
    cv2.line(layer, (x, y), (right, bottom), tone, width + 2)
    cv2.line(marks, (x, y), (right, bottom), float(rng.uniform(0.4, 1)), width)


def _jpeg(film: np.ndarray, rng: np.random.Generator, severity: float) -> np.ndarray:
    quality = int(95 - 70 * severity * rng.uniform(0.2, 1))
    _, data = cv2.imencode(".jpg", _at_8_bits(film), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return decoded.astype(np.float32) / 255


def _at_8_bits(film: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(film, 0, 1)).astype(np.uint8)


# Defects and their probabilities, in the order of a photograph's history: lens, film, print, decades of wear, scan.
_DEFECTS: tuple[tuple[float, Defect], ...] = (
    (0.4, _vignette),
    (0.6, _contrast),
    (0.6, _blur),
    (0.7, _grain),
    (0.5, _fade),
    (0.3, _uneven),
    (0.35, _scratches),
    (0.4, _jpeg),
)
