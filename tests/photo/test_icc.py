"""Profiles: neutral tones look the same before and after colouring."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from photochrom import photo
from photochrom.color.spaces import luma_of_rgb
from photochrom.errors import PhotoError
from photochrom.photo.formats import icc
from photochrom.photo.formats.image import open_image
from tests.helpers import profiles
from tests.helpers.photographs import coloured, opened, saved, smooth
from tests.helpers.profiles import D50, gamma, grey_profile

SRGB = ImageCms.createProfile("sRGB")
INTENTS = (ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Intent.PERCEPTUAL, ImageCms.Intent.SATURATION)


def table(values: np.ndarray) -> bytes:
    return struct.pack(f">4s4xI{len(values)}H", b"curv", len(values), *np.rint(values * 65535).astype(int))


def parametric(*values: float) -> bytes:
    """Return a parametric curve of type 3: a gamma with a linear part near black."""
    return struct.pack(">4s4xHxx5i", b"para", 3, *(round(value * 65536) for value in values))


PROFILES = {
    "gamma 2.2": grey_profile({b"kTRC": gamma(2.2)}),
    "gamma 1.8": grey_profile({b"kTRC": gamma(1.8)}),
    "linear": grey_profile({b"kTRC": struct.pack(">4s4xI", b"curv", 0)}),
    "dot gain": grey_profile({b"kTRC": table(np.linspace(0, 1, 256) ** 1.75 * 0.8 + np.linspace(0, 1, 256) * 0.2)}),
    "version 4": grey_profile({b"kTRC": parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)}, version=4),
}


def through(profile: bytes, image: Image.Image, target: object, mode: str, intent: ImageCms.Intent) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    flags = (
        ImageCms.Flags.NOOPTIMIZE
    )  # exact: optimised, LittleCMS is up to 10 steps off in the dark of a linear profile
    return np.asarray(
        ImageCms.profileToProfile(image, source, target, renderingIntent=intent, outputMode=mode, flags=flags)
    )


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("intent", INTENTS)
def test_greys_render_as_before(name: str, intent: ImageCms.Intent) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    for target, mode in ((SRGB, "RGB"), (ImageCms.createProfile("LAB"), "LAB")):
        before = through(PROFILES[name], ramp, target, mode, intent).astype(int)
        made = icc.for_rgb(PROFILES[name])
        assert made is not None
        after = through(made, ramp.convert("RGB"), target, mode, intent).astype(int)
        assert np.abs(after - before).max() <= 1


def assert_header(profile: bytes) -> None:
    """Check the fields at their offsets (ICC.1:2022, table 17), since Little CMS tolerates a shifted header."""
    assert profile[36:40] == b"acsp"
    assert int.from_bytes(profile[64:68], "big") in range(4)  # rendering intent
    assert struct.unpack(">3i", profile[68:80]) == D50
    assert not any(profile[80:128])


def test_the_linear_profile_is_in_order() -> None:
    assert_header(icc.linear_rgb())


@pytest.mark.parametrize("name", PROFILES)
def test_made_profiles_are_in_order(name: str) -> None:
    made = icc.for_rgb(PROFILES[name])
    assert made is not None
    opened_profile = ImageCms.ImageCmsProfile(io.BytesIO(made)).profile
    assert opened_profile.xcolor_space.strip() == "RGB"
    assert opened_profile.profile_description == "Dot test 20% as RGB, with the primaries of sRGB"
    assert opened_profile.is_matrix_shaper
    assert made[8] == (4 if name == "version 4" else 2)
    assert int.from_bytes(made[:4], "big") == len(made)
    assert_header(made)
    srgb = ImageCms.ImageCmsProfile(SRGB).profile
    for colour in ("red", "green", "blue"):
        ours, theirs = (getattr(profile, f"{colour}_primary")[1] for profile in (opened_profile, srgb))
        assert ours[:2] == pytest.approx(theirs[:2], abs=1e-3)
    assert icc.for_rgb(PROFILES[name]) == made  # it does not contain today's date


def test_curve_is_the_sources_own_bytes() -> None:
    curve = table(np.linspace(0, 1, 300) ** 2)
    made = icc.for_rgb(grey_profile({b"kTRC": curve}))
    assert made is not None
    assert made.count(curve) == 1


@pytest.mark.parametrize("kind", ["Lab", "table"])
def test_profiles_without_a_curve_of_light_are_measured(kind: str) -> None:
    lightness = np.linspace(0, 1, 33) ** 0.9
    if kind == "Lab":
        profile = grey_profile({b"kTRC": table(lightness)}, space=b"Lab ")
    else:
        entries = b"".join(struct.pack(">3H", round(value * 65280), 0x8000, 0x8000) for value in lightness)
        straight = struct.pack(">2H", 0, 65535)
        head = struct.pack(">4s4x4B9i2H", b"mft2", 1, 3, 33, 0, 65536, 0, 0, 0, 65536, 0, 0, 0, 65536, 2, 2)
        profile = grey_profile({b"A2B0": head + straight + entries + straight * 3}, space=b"Lab ")
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    made = icc.for_rgb(profile)
    assert made is not None
    before = through(profile, ramp, SRGB, "RGB", INTENTS[0]).astype(int)
    after = through(made, ramp.convert("RGB"), SRGB, "RGB", INTENTS[0]).astype(int)
    assert np.ptp(before) > 200
    assert np.abs(after - before).max() <= 2


def test_other_profiles() -> None:
    rgb = ImageCms.ImageCmsProfile(SRGB).tobytes()
    assert icc.for_rgb(rgb) is rgb
    assert icc.for_rgb(rgb[:16] + b"CMYK" + rgb[20:]) is None
    assert icc.for_rgb(b"damaged") is None
    assert icc.for_rgb(None) is None


@pytest.mark.parametrize("cut", [130, 140, 180, 250])
def test_damaged_grey_profiles_are_reported(cut: int) -> None:
    with pytest.raises(PhotoError, match="damaged grey ICC profile"):
        icc.for_rgb(grey_profile({b"kTRC": table(np.linspace(0, 1, 99))})[:cut])


@pytest.mark.parametrize("curve", [b"junk" + bytes(20), struct.pack(">4s4xI", b"curv", 300)])
def test_an_invalid_curve_is_reported(curve: bytes) -> None:
    with pytest.raises(PhotoError, match="damaged grey ICC profile"):
        icc.for_rgb(grey_profile({b"kTRC": curve}))


@pytest.mark.parametrize("origin", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("target", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_pictures_with_grey_profiles(origin: str, target: str) -> None:
    """A program that uses profiles shows the photograph as bright before as after."""
    profile = PROFILES["dot gain"]
    data = saved(smooth(40, 60), origin, icc_profile=profile)
    picture = photo.read_photo(data)
    result = opened(coloured(picture, target, quality=100, lossless=True))
    before = through(profile, opened(data), SRGB, "RGB", INTENTS[0]).astype(int)
    after = through(result.info["icc_profile"], result.convert("RGB"), SRGB, "RGB", INTENTS[0]).astype(int)
    assert np.abs(after - before).mean() < (0.1 if target in ("PNG", "TIFF", "WEBP") else 2)


def test_cmyk_through_its_profile() -> None:
    ink = Image.merge(
        "CMYK", [Image.new("L", (60, 40)), *[Image.new("L", (60, 40))] * 2, Image.fromarray(smooth(40, 60))]
    )
    picture = photo.read_photo(saved(ink, "TIFF", icc_profile=profiles.CMYK))
    expected = through(profiles.CMYK, ink, SRGB, "RGB", INTENTS[0])
    naive = np.asarray(ink.convert("RGB").convert("L")).astype(int)
    assert np.abs(picture.luma.astype(int) - expected[..., 0]).max() <= 8  # black points are compensated
    assert np.abs(picture.luma.astype(int) - naive).max() > 8
    assert picture.metadata.icc is None
    with pytest.raises(PhotoError, match="does not fit its CMYK pixels"):
        photo.read_photo(saved(ink, "TIFF", icc_profile=PROFILES["linear"]))


class TestUpright:
    """Pictures in colour, such as references and stills, are upright and in sRGB, whatever they are stored in."""

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("format", ["JPEG", "TIFF"])
    def test_ink_is_converted_by_its_profile(self, format: str, orientation: int) -> None:
        ink = Image.merge("CMYK", [Image.fromarray(smooth(40, 60) // n) for n in (1, 2, 3, 4)])
        exif = Image.Exif()
        exif[0x0112] = orientation
        source = saved(
            ink, format, icc_profile=profiles.CMYK, exif=exif, **({"quality": 100} if format == "JPEG" else {})
        )
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
        turned = ImageOps.exif_transpose(opened(source))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profiles.CMYK))
        expected = ImageCms.profileToProfile(turned, profile, SRGB, INTENTS[0], outputMode="RGB", flags=flags)
        found = icc.upright_srgb(open_image(source))
        assert np.array_equal(found, np.asarray(expected))
        assert np.abs(luma_of_rgb(found).astype(int) - photo.read_photo(source).luma).max() <= 1

    def test_a_profile_may_be_kept(self) -> None:
        wide = profiles.PROFILES["Display P3"]
        rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
        source = saved(Image.fromarray(rgb), "PNG", icc_profile=wide)
        assert np.array_equal(icc.upright_srgb(open_image(source), kept=wide), rgb)
        assert np.array_equal(icc.upright_srgb(open_image(source)), icc.rgb_to_srgb(rgb, wide))
        assert icc.upright_srgb(open_image(source), 0.5).shape == (20, 25, 3)


class TestOtherRgb:
    @pytest.mark.parametrize("name", profiles.PROFILES)
    def test_pixels_get_the_same_colour_in_srgb(self, name: str) -> None:
        rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
        found = icc.rgb_to_srgb(rgb, profiles.PROFILES[name])
        assert icc.differs_from_srgb(profiles.PROFILES[name])
        assert found.dtype == np.uint8
        assert np.abs(found - profiles.in_srgb(rgb, name)).max() < 2
        assert np.abs(found - rgb.astype(float)).max() > 50

    @pytest.mark.parametrize("profile", [None, profiles.SRGB, PROFILES["gamma 2.2"], b"nothing"])
    def test_without_a_profile_for_another_rgb_the_pixels_are_returned(self, profile: bytes | None) -> None:
        rgb = np.zeros((4, 5, 3), np.uint8)
        assert icc.rgb_to_srgb(rgb, profile) is rgb
        assert not icc.differs_from_srgb(profile)

    def test_a_curve_whose_values_are_rounded_is_still_that_of_srgb(self) -> None:
        tags = {b"rXYZ": (0.4361, 0.2225, 0.0139), b"gXYZ": (0.3851, 0.7169, 0.0971), b"bXYZ": (0.1431, 0.0606, 0.7141)}
        assert not icc.differs_from_srgb(profiles.rgb_profile(tuple(tags.values()), (2.4, 0.948, 0.052, 0.0774, 0.04)))

    def test_a_damaged_profile_is_named(self) -> None:
        with pytest.raises(PhotoError, match=r"has a damaged ICC profile .*: assign another one"):
            icc.rgb_to_srgb(np.zeros((4, 5, 3), np.uint8), profiles.SRGB[:200])
