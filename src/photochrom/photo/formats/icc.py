"""Builds RGB profiles from grey ICC profiles, and converts CMYK and other RGB to sRGB.

A grey profile defines the lightness of each grey value. It cannot be used for the coloured picture, which is RGB; but
without a profile, viewers would assume another tone curve. The tone curve of the grey profile is therefore copied
unchanged into an RGB profile with the primaries of sRGB, so that neutral colours look exactly as before.

Structure and tag types: ICC.1:2022 (version 4) and ICC.1:2001-04 (version 2).
"""

from __future__ import annotations

import functools
import io
import struct
from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageCms

from ...color.bands import upright
from ...color.pillow import orientation_of
from ...color.spaces import srgb_to_linear
from ...errors import PhotoError, message_of
from .image import HDR_REFUSED, HDR_TRANSFERS, TO_SDR

# Primaries of sRGB, adapted to D50 by the Bradford transform, in 1/65536. They add up to D50, so that grey is neutral.
_D50: Final = (63190, 65536, 54061)
_RED: Final = (28576, 14581, 912)
_GREEN: Final = (25239, 46983, 6362)
_BLUE: Final = (9375, 3972, 46787)
# Bradford matrix from D65 to D50, row by row, in 1/65536 (the chad tag, which version 4 requires).
_ADAPTATION: Final = (68674, 1502, -3291, 1939, 64912, -1119, -606, 988, 49262)
_HEADER_SIZE: Final = 128
_ROUNDED: Final = 2  # steps of 255 by which profiles of sRGB differ, since their curves are rounded


def for_rgb(profile: bytes | None) -> bytes | None:
    """Return the profile of the RGB output, given the profile of the source.

    An RGB profile is kept, because it still describes the pixel values. A grey profile is converted to an RGB profile.
    Any other profile (CMYK, Lab, unreadable) does not describe the pixels of the output, so None is returned.

    Raises:
        PhotoError: The profile is grey and has no usable tone curve.
    """
    space = profile[16:20] if profile and profile[36:40] == b"acsp" else b""
    if space != b"GRAY":
        return profile if space == b"RGB " else None
    try:
        return _from_grey(profile or b"")
    except (ImageCms.PyCMSError, OSError, ValueError, struct.error) as exc:
        raise PhotoError(f"has a damaged grey ICC profile ({exc})", remedy="assign another one, or remove it") from exc


def linear_rgb() -> bytes:
    """Build a profile for linear RGB with the primaries of sRGB, for scans whose luma is proportional to light."""
    identity = struct.pack(">4s4xI", b"curv", 0)
    description = _description("Linear RGB, with the primaries of sRGB")
    content = _content(description, _ascii_text("Public domain"), _xyz(_D50), identity)
    header = bytes(24) + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + bytes(92)
    return _profile(header, 2, content)


def refuse_hdr(profile: bytes | None) -> None:
    """Check that a profile is not that of an HDR picture; one that is missing or damaged is accepted.

    Raises:
        PhotoError: The profile's cicp tag (ICC.1:2022, 9.2.17) names an HDR transfer function.
    """
    if profile is None or profile[36:40] != b"acsp":
        return
    try:
        code = _tags(profile).get(b"cicp", b"")[9:10]
    except struct.error:
        return
    if code and code[0] in HDR_TRANSFERS:
        raise PhotoError(HDR_REFUSED.format(HDR_TRANSFERS[code[0]]), remedy=TO_SDR)


def upright_srgb(image: Image.Image, scale: float = 1, *, kept: bytes | None = None) -> np.ndarray:
    """Return the pixels of an opened picture, upright and in sRGB by its ICC profile, uint8 ``[H, W, 3]``.

    Args:
        image: The picture, as it was opened; a copy lacks its format, and perhaps its orientation.
        scale: Factor by which its sides are reduced, up to 1.
        kept: An RGB profile whose pixels are not converted.

    Raises:
        PhotoError: The profile is damaged, or does not fit the pixels.
        OSError, ValueError, SyntaxError: The picture is damaged.
    """
    image.load()  # perhaps turned by its decoder, which then changes the orientation
    orientation, profile = orientation_of(image), image.info.get("icc_profile")
    pixels = inks(image) if image.mode == "CMYK" else image.convert("RGB")
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        pixels = pixels.resize((width, height), Image.Resampling.BOX)
    if pixels.mode == "CMYK":
        pixels, profile = cmyk_to_srgb(pixels, profile), None
    rgb = upright(np.asarray(pixels), orientation)
    return rgb if profile == kept else rgb_to_srgb(rgb, profile)


def inks(image: Image.Image) -> Image.Image:
    """Return the pixels of an opened CMYK picture as amounts of ink: 0 is no ink.

    Raises:
        OSError, ValueError, SyntaxError: The picture is damaged.
    """
    # Pillow assumes that all JPEGs are inverted, as Adobe's are. Other programs store the amount of ink.
    return ImageChops.invert(image) if image.format == "JPEG" and "adobe" not in image.info else image


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert CMYK pixels (0 is no ink) to sRGB through ``profile``, or by simple subtraction if it is None.

    Raises:
        PhotoError: The profile cannot be used.
    """
    if profile is None:
        return image.convert("RGB")
    try:
        return _to_srgb(image, profile, ImageCms.Flags.BLACKPOINTCOMPENSATION)  # as Photoshop converts by default
    except (ImageCms.PyCMSError, OSError) as exc:
        raise PhotoError(
            f"has an ICC profile that does not fit its CMYK pixels ({exc})", remedy="assign another one"
        ) from exc


def rgb_to_srgb(rgb: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Convert pixels, R'G'B' uint8 ``[H, W, 3]``, to sRGB through their profile.

    The same array is returned if the profile is None, that of sRGB, or not for RGB. Colours outside sRGB are clipped.

    Raises:
        PhotoError: The profile is damaged.
    """
    transform = _from_rgb(profile)
    return rgb if transform is None else np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), transform))


def differs_from_srgb(profile: bytes | None) -> bool:
    """Return whether ``rgb_to_srgb`` converts pixels that have this profile.

    Raises:
        PhotoError: The profile is damaged.
    """
    return _from_rgb(profile) is not None


@functools.lru_cache(maxsize=16)  # building a transform takes milliseconds
def _from_rgb(profile: bytes | None) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from an RGB profile to sRGB; None if there is none, or it would hardly change a colour."""
    if profile is None or profile[36:40] != b"acsp" or profile[16:20] != b"RGB ":
        return None
    try:
        source, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(source, screen, "RGB", "RGB", intent, flags)
        steps = np.arange(0, 256, 17, dtype=np.uint8)
        colors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3)
        converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colors), transform))
    except (ImageCms.PyCMSError, OSError) as exc:
        raise PhotoError(f"has a damaged ICC profile ({message_of(exc)})", remedy="assign another one") from exc
    return transform if np.abs(converted.astype(int) - colors).max() > _ROUNDED else None


def _to_srgb(image: Image.Image, profile: bytes, flags: ImageCms.Flags = ImageCms.Flags.NONE) -> Image.Image:
    source, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    converted = ImageCms.profileToProfile(image, source, screen, renderingIntent=intent, outputMode="RGB", flags=flags)
    assert converted is not None  # profileToProfile returns None only if it converts in place
    return converted


def _from_grey(grey: bytes) -> bytes:
    tags = _tags(grey)
    measured = _measured_curve(grey)  # in every case, because it raises an error if the profile is unusable
    # The measured curve is used if the profile maps to L* (PCS Lab) instead of light, or has no curve.
    curve = tags[b"kTRC"] if b"kTRC" in tags and grey[20:24] == b"XYZ " else measured
    version = 4 if curve[:4] == b"para" else 2  # every program reads version 2, but it has no parametric curves
    source = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(grey))).strip()
    texts = _ascii_text if version == 2 else _localized_text
    content = _content(
        (_description if version == 2 else _localized_text)(f"{source} as RGB, with the primaries of sRGB"),
        tags.get(b"cprt", b"") if grey[8] == version and b"cprt" in tags else texts("Public domain"),
        tags.get(b"wtpt") or _xyz(_D50),
        curve,
    )
    if version == 4:
        content[b"chad"] = struct.pack(">4s4x9i", b"sf32", *_ADAPTATION)
    return _profile(grey, version, content)


def _content(description: bytes, rights: bytes, white: bytes, curve: bytes) -> dict[bytes, bytes]:
    """Return the tags of an RGB profile with the primaries of sRGB, and with one tone curve for all channels."""
    return {
        b"desc": description,
        b"cprt": rights,
        b"wtpt": white,
        b"rXYZ": _xyz(_RED),
        b"gXYZ": _xyz(_GREEN),
        b"bXYZ": _xyz(_BLUE),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, _HEADER_SIZE)
    rows = [struct.unpack_from(">4sII", profile, _HEADER_SIZE + 4 + 12 * i) for i in range(min(count, 100))]
    return {name: profile[start : start + size] for name, start, size in rows if start + size <= len(profile)}


def _measured_curve(grey: bytes) -> bytes:
    """Measure a tone curve of 256 points by converting each grey to sRGB, exact to half an 8-bit step."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    code = np.asarray(_to_srgb(ramp, grey).convert("L"))[0] / 255
    light = srgb_to_linear(code)
    return struct.pack(">4s4xI256H", b"curv", 256, *np.rint(light * 65535).astype(int).tolist())


def _profile(grey: bytes, version: int, content: dict[bytes, bytes]) -> bytes:
    """Assemble a profile with the date and intent of ``grey``; tags of equal content share their data."""
    start = _HEADER_SIZE + 4 + 12 * len(content)
    places: dict[bytes, int] = {}
    data = b""
    for value in content.values():
        if value not in places:
            places[value] = start + len(data)
            data += value + b"\0" * (-len(value) % 4)
    table = b"".join(struct.pack(">4sII", name, places[value], len(value)) for name, value in content.items())
    header = struct.pack(
        ">I4sI4s4s4s12s4s16x8s4s3i",  # platform, flags, manufacturer and model are left out
        *(start + len(data), b"lcms", version << 24 | (0x400000 if version == 2 else 0x300000)),
        *(b"mntr", b"RGB ", b"XYZ ", grey[24:36], b"acsp", bytes(8), grey[64:68], *_D50),
    )
    return header.ljust(_HEADER_SIZE, b"\0") + struct.pack(">I", len(content)) + table + data


def _xyz(values: tuple[int, int, int]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *values)


def _ascii_text(value: str) -> bytes:
    return b"text\0\0\0\0" + value.encode("ascii", "replace") + b"\0"


def _description(value: str) -> bytes:
    """Encode a description of version 2: ASCII, then empty Unicode and Macintosh forms."""
    ascii_form = value.encode("ascii", "replace") + b"\0"
    return struct.pack(">4s4xI", b"desc", len(ascii_form)) + ascii_form + bytes(4 + 4 + 2 + 1 + 67)


def _localized_text(value: str) -> bytes:
    """Encode a localised text of version 4 in one language."""
    utf16 = value.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(utf16), 28) + utf16
