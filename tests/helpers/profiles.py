"""ICC profiles of wide gamut, and what their colours are in sRGB."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def rgb_profile(primaries, curve=SRGB_CURVE):
    """Return the profile of an RGB space: XYZ of its primaries under D50, and the numbers of a parametric curve."""
    profile, (count,) = bytearray(SRGB), struct.unpack_from(">I", SRGB, 128)
    values = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True))
    values |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    for i in range(count):
        name, start, _ = struct.unpack_from(">4sII", SRGB, 132 + 12 * i)
        if (numbers := values.get(name)) is not None:
            at = start + (12 if len(numbers) == 5 else 8)  # after the kind of curve
            struct.pack_into(f">{len(numbers)}i", profile, at, *(round(value * 65536) for value in numbers))
    return bytes(profile)


# Published values: the profiles of Apple and Adobe, and linear light in sRGB (W3C, CSS Color 4).
PROFILES = {
    "Display P3": rgb_profile(
        ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)), SRGB_CURVE
    ),
    "Adobe RGB": rgb_profile(
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        (563 / 256, 1, 0, 0, 0),
    ),
}
_TO_LINEAR_SRGB = {
    "Display P3": [[1.2249402, -0.2249402, 0], [-0.0420570, 1.0420570, 0], [-0.0196376, -0.0786360, 1.0982736]],
    "Adobe RGB": [[1.3983557, -0.3983557, 0], [0, 1, 0], [0, -0.0429290, 1.0429290]],
}


def in_srgb(rgb, name):
    """Return uint8 pixels of the named profile in sRGB, float 0..255; colours outside of it are clipped."""
    code = rgb / 255
    srgb_light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    light = code ** (563 / 256) if name == "Adobe RGB" else srgb_light
    light = np.clip(light @ np.array(_TO_LINEAR_SRGB[name]).T, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
