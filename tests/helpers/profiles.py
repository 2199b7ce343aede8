"""ICC profiles of wide gamut, and what their colours are in sRGB; grey profiles."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ImageCms

D50 = (63190, 65536, 54061)
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


def gamma(value: float) -> bytes:
    return struct.pack(">4s4xIH", b"curv", 1, round(value * 256)) + b"\0\0"


def grey_profile(
    tags: dict[bytes, bytes], *, version: int = 2, space: bytes = b"XYZ ", white: tuple[int, ...] = D50
) -> bytes:
    """Build a grey profile from the specification."""
    text = b"Dot test 20%\0"
    utf16 = text[:-1].decode().encode("utf-16-be")
    name = {
        2: struct.pack(">4s4xI", b"desc", len(text)) + text + bytes(78),
        4: struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(utf16), 28) + utf16,
    }[version]
    content = {b"desc": name, b"wtpt": struct.pack(">4s4x3i", b"XYZ ", *white), **tags}
    start, rows, data = 132 + 12 * len(content), b"", b""
    for tag, value in content.items():
        rows += struct.pack(">4sII", tag, start + len(data), len(value))
        data += value + b"\0" * (-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s12s4s", start + len(data), b"none", version << 24, b"mntr", b"GRAY", space,
                         struct.pack(">6H", 1999, 1, 2, 3, 4, 5), b"acsp")  # fmt: skip
    header = header.ljust(64, b"\0") + struct.pack(">I3i", 0, *D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(content)) + rows + data


def cmyk_profile() -> bytes:
    """Return a CMYK profile with one tone curve for black: a table of 2 points along each ink, and no hue."""
    corners = np.array(np.meshgrid(*[[0, 1]] * 4, indexing="ij")).reshape(4, -1).T
    light = (1 - corners[:, 3]) * (1 - corners[:, :3].mean(axis=1) * 0.9)
    entries = b"".join(struct.pack(">3H", round(value * 65280), 0x8000, 0x8000) for value in light)
    straight = struct.pack(">2H", 0, 65535)
    head = struct.pack(">4s4x4B9i2H", b"mft2", 4, 3, 2, 0, 65536, 0, 0, 0, 65536, 0, 0, 0, 65536, 2, 2)
    lut = head + straight * 4 + entries + straight * 3
    profile = bytearray(grey_profile({b"A2B0": lut}, space=b"Lab "))
    profile[12:20] = b"prtrCMYK"
    return bytes(profile)


CMYK = cmyk_profile()
