"""Colour spaces: sRGB, CIE Lab and Y'CbCr, and the one definition of luma.

R'G'B' is sRGB (IEC 61966-2-1). Lab is CIE 1976 under D65, 2 degrees: L* runs from 0 to 100; a* and b* of sRGB colours
lie within -108 .. 99. The luma of photographs is Y' of BT.601, full range, as in JPEG (JFIF). In floating point, R'G'B'
and luma run from 0 to 1, Cb and Cr from -0.5 to 0.5.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

_MAX_AB: Final = 110  # largest |a*| and |b*| in ``_chroma_table``; sRGB colours lie within -108 .. 99
_STEP: Final = 5  # step between entries of that table, in a* and b*
_PIXELS: Final = 1 << 14  # pixels converted at once, so that intermediate arrays stay in the processor's cache
_LIGHT_RANGE: Final = (-1.5, 4.5, 1 << 14)  # start and end of ``_srgb_table``, and entries per unit
_LUMA_RANGE: Final = (-1.0, 2.0, 1 << 12)  # the same for ``_fine_lightness_table``


@dataclass(frozen=True)
class Matrix:
    """Weights of R', G' and B' in luma; they sum to 1."""

    red: float
    """Weight of red."""
    blue: float
    """Weight of blue."""

    @property
    def green(self) -> float:
        """Weight of green."""
        return 1 - self.red - self.blue

    @property
    def luma(self) -> np.ndarray:
        """Weights of red, green and blue, float32 ``[3]``."""
        return np.array([self.red, self.green, self.blue], np.float32)

    @property
    def cr_to_r(self) -> float:
        """R' - Y' for a Cr of 1; 1.402 for BT.601."""
        return 2 * (1 - self.red)

    @property
    def cb_to_b(self) -> float:
        """B' - Y' for a Cb of 1; 1.772 for BT.601."""
        return 2 * (1 - self.blue)

    @property
    def cb_to_g(self) -> float:
        """G' - Y' for a Cb of 1; -0.344136 for BT.601."""
        return -self.blue * self.cb_to_b / self.green

    @property
    def cr_to_g(self) -> float:
        """G' - Y' for a Cr of 1; -0.714136 for BT.601."""
        return -self.red * self.cr_to_r / self.green

    def rgb(self, y: np.ndarray, cb: np.ndarray, cr: np.ndarray) -> np.ndarray:
        """Convert Y' (0..1), Cb and Cr (-0.5..0.5), ``[h, w]`` each, to R'G'B' ``[h, w, 3]``, which is not clipped."""
        green = y + self.cb_to_g * cb + self.cr_to_g * cr
        return np.dstack([y + self.cr_to_r * cr, green, y + self.cb_to_b * cb])


BT601, BT709, BT2020 = Matrix(0.299, 0.114), Matrix(0.2126, 0.0722), Matrix(0.2627, 0.0593)


# From linear sRGB to XYZ, with Y = 1 for white (IEC 61966-2-1); the sums of the rows are the D65 white point.
RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
XYZ_TO_RGB = np.linalg.inv(RGB_TO_XYZ)
WHITE = RGB_TO_XYZ.sum(axis=1)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # the exact ratios that CIE rounds to 0.008856 and 903.3
_KNEE: Final = 6 / 29  # cube root of _EPSILON
_ABOVE_ALL: Final = 10.0  # greater than any f(t) of Lab


LUMA_WEIGHTS: Final = (19595, 38470, 7471)
"""Weights of R', G' and B' in the luma of photographs (BT.601), in units of 1/65536; they sum to 65536."""


def luma_of_rgb(rgb: np.ndarray) -> np.ndarray:
    """Compute the luma of R'G'B', rounded to nearest: the one definition of luma for photographs.

    The integer arithmetic is the same at 8 and 16 bits, and at 8 bits the same as in Pillow's ``convert("L")``. The
    luma of a grey pixel is exactly its value.

    Args:
        rgb: uint8 or uint16 ``[..., 3]``.

    Returns:
        Y', ``[...]``, of the same dtype.
    """
    luma = np.full(rgb.shape[:-1], 1 << 15, np.uint32)  # one half; the largest sum still fits 32 bits
    for channel, weight in enumerate(LUMA_WEIGHTS):
        luma += rgb[..., channel].astype(np.uint32) * np.uint32(weight)
    return (luma >> 16).astype(rgb.dtype)


@functools.cache
def _lightness_table() -> np.ndarray:
    grey = np.repeat(np.arange(256, dtype=np.float32)[:, None] / 255, 3, axis=1)
    return rgb_to_lab(grey)[:, 0]


def lightness_of_luma(luma: np.ndarray) -> np.ndarray:
    """Return L* (float32, 0..100) of grey pixels whose R', G' and B' equal ``luma`` (uint8, any shape)."""
    return _lightness_table()[luma]


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """Convert R'G'B' (0..1, ``[..., 3]``) to Lab (float32 ``[..., 3]``); values beyond 0..1 are allowed."""
    xyz = srgb_to_linear(np.asarray(rgb, np.float32)) @ (RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)
    f = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def lab_to_rgb(lab: np.ndarray) -> np.ndarray:
    """Convert Lab ``[..., 3]`` to R'G'B' (float32 ``[..., 3]``); colours out of gamut have values beyond 0..1."""
    lightness, a, b = np.moveaxis(np.asarray(lab, np.float32), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    cube = f * f * f
    xyz = np.where(cube > _EPSILON, cube, (116 * f - 16) / _KAPPA).astype(np.float32)
    return linear_to_srgb(xyz @ (XYZ_TO_RGB * WHITE).T.astype(np.float32))


def srgb_to_linear(encoded: np.ndarray) -> np.ndarray:
    """Decode sRGB values (IEC 61966-2-1) to linear light, both 0..1; float arrays of any shape.

    Below 0 the curve is continued as an odd function, above 1 by its own formula.
    """
    size = np.abs(encoded)
    return np.copysign(np.where(size <= 0.04045, size / 12.92, _power((size + 0.055) / 1.055, 2.4)), encoded)


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Encode linear light as sRGB values: the inverse of ``srgb_to_linear``."""
    size = np.abs(linear)
    return np.copysign(np.where(size <= 0.0031308, 12.92 * size, 1.055 * _power(size, 1 / 2.4) - 0.055), linear)


def _power(base: np.ndarray, exponent: float) -> np.ndarray:
    """Raise float arrays to a power with OpenCV, which is several times as fast as NumPy."""
    import cv2  # slow to load, and not needed to read or write a photograph

    return cv2.pow(base, exponent).reshape(base.shape)


def ab_to_cbcr(luma: np.ndarray, ab: np.ndarray, matrix: Matrix = BT601) -> np.ndarray:
    """Convert a*b* to Cb and Cr for pixels whose luma is known, but not their lightness.

    Two colours of equal luma may differ in lightness. Therefore the lightness at which each colour has the given luma
    is found first: two steps of a fixed-point iteration bring it within 0.3 L*.

    Args:
        luma: Y' float32 ``[h, w]``, 0..1.
        ab: a*b* float32 ``[2, h, w]``.
        matrix: Weights of R', G' and B' in the luma.

    Returns:
        Cb and Cr float32 ``[2, h, w]``, possibly out of gamut and slightly beyond -0.5..0.5.
    """
    weights = matrix.luma
    cbcr = np.empty(ab.shape, np.float32)
    flat = luma.reshape(-1), ab.reshape(2, -1), cbcr.reshape(2, -1)
    for start in range(0, luma.size, _PIXELS):
        y, (a, b), found = (plane[..., start : start + _PIXELS] for plane in flat)
        offset = np.stack([a * np.float32(1 / 500), np.zeros_like(a), b * np.float32(-1 / 200)])
        target = lightness = _lightness(y)
        rgb = _rgb_of_lab(lightness, offset)  # [3, pixels]
        for _ in range(2):
            lightness = lightness + target - _lightness(weights @ rgb)
            rgb = _rgb_of_lab(lightness, offset)
        reached = weights @ rgb  # nearly the given luma
        found[0], found[1] = (rgb[2] - reached) / matrix.cb_to_b, (rgb[0] - reached) / matrix.cr_to_r
    return cbcr


def _rgb_of_lab(lightness: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Compute R'G'B', float32 ``[3, N]``, within 0.0004 of the results of ``lab_to_rgb``.

    Args:
        lightness: L*, float32 ``[N]``.
        offset: a*/500, 0 and -b*/200, float32 ``[3, N]``.
    """
    f = offset + (lightness + 16) * np.float32(1 / 116)
    # The cube above the knee, and its tangent below. Selecting between them by a mask would take most of the time.
    above = np.clip(f, np.float32(_KNEE), np.float32(_ABOVE_ALL))
    f -= above
    f *= np.float32(116 / _KAPPA)
    f += above * above * above
    return _look_up(_srgb_table(), (XYZ_TO_RGB * WHITE).astype(np.float32) @ f, _LIGHT_RANGE)


def _lightness(luma: np.ndarray) -> np.ndarray:
    """Compute L* of grey pixels from their luma, float32 ``[N]``, with an error of at most 0.02."""
    return _look_up(_fine_lightness_table(), luma, _LUMA_RANGE)


def _look_up(table: np.ndarray, values: np.ndarray, span: tuple[float, float, int]) -> np.ndarray:
    """Return the table entry nearest to each value; values beyond the table get its first or last entry.

    Args:
        table: float32 ``[entries]``.
        values: float32, any shape.
        span: Values at the first and at the last entry, and number of entries per unit.

    Returns:
        float32 of the shape of ``values``.
    """
    low, _, steps = span
    places = values * np.float32(steps)
    places -= np.float32(low * steps - 0.5)  # to the nearest entry
    found: np.ndarray = table.take(places.astype(np.int32), mode="clip")
    return found


@functools.cache
def _srgb_table() -> np.ndarray:
    low, high, steps = _LIGHT_RANGE
    return linear_to_srgb(np.arange(low * steps, high * steps + 1, dtype=np.float32) / steps)


@functools.cache
def _fine_lightness_table() -> np.ndarray:
    low, high, steps = _LUMA_RANGE
    y = srgb_to_linear(np.arange(low * steps, high * steps + 1, dtype=np.float32) / steps)
    return np.where(y > _EPSILON, 116 * np.cbrt(y) - 16, _KAPPA * y).astype(np.float32)


def quick_ab_to_cbcr(luma: np.ndarray, ab: np.ndarray, matrix: Matrix = BT601) -> np.ndarray:
    """Convert a*b* to Cb and Cr by a table: ten times as fast as ``ab_to_cbcr``, with a mean error of 0.0006.

    Args:
        luma: Y' uint8 ``[h, w]``, full range.
        ab: a*b* float32 ``[2, h, w]``; values beyond -110..110 are clipped.
        matrix: Weights of R', G' and B' in the luma.

    Returns:
        Cb and Cr float32 ``[2, h, w]``, possibly out of gamut and slightly beyond -0.5..0.5.
    """
    import cv2

    table, side = _chroma_table(matrix)
    a, b = (np.clip(plane, -_MAX_AB, _MAX_AB) * (1 / _STEP) + _MAX_AB / _STEP for plane in ab)
    remap: Any = cv2.remap  # the type stubs lack maps of one channel
    cbcr = remap(table, a, b + luma.astype(np.float32) * side, cv2.INTER_LINEAR)
    return np.ascontiguousarray(cbcr.transpose(2, 0, 1))


@functools.lru_cache(maxsize=4)
def _chroma_table(matrix: Matrix) -> tuple[np.ndarray, int]:
    """Tabulate Cb and Cr over luma, b* and a*, and also return the number of levels of b*.

    The table is float32 ``[256 levels of luma * levels of b*, levels of a*, 2]``.
    """
    axis = np.arange(-_MAX_AB, _MAX_AB + _STEP, _STEP, dtype=np.float32)
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    luma, b, a = (part.reshape(-1, len(axis)) for part in np.meshgrid(levels, axis, axis, indexing="ij"))
    return np.ascontiguousarray(ab_to_cbcr(luma, np.stack([a, b]), matrix).transpose(1, 2, 0)), len(axis)
