"""Colour arithmetic, compared with published values and other libraries."""

import cv2  # noqa: F401  # loaded before the first example, whose time is limited
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage import color

from photochrom.color import bands, coding, gamut, spaces

# Lab of sRGB primaries under D65, as published by Bruce Lindbloom's calculator (no adaptation).
PUBLISHED_LAB = {
    (1, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 1, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 1): (32.2970, 79.1875, -107.8602),
    (1, 1, 1): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize(("rgb", "lab"), PUBLISHED_LAB.items())
def test_lab_of_primaries_is_as_published(rgb, lab):
    np.testing.assert_allclose(spaces.rgb_to_lab(np.array(rgb, np.float32)), lab, atol=0.01)


def test_lab_agrees_with_scikit_image_and_goes_back():
    rgb = np.random.default_rng(1).random((64, 64, 3), np.float32)
    lab = spaces.rgb_to_lab(rgb)
    np.testing.assert_allclose(lab, color.rgb2lab(rgb), atol=0.01)
    np.testing.assert_allclose(spaces.lab_to_rgb(lab), rgb, atol=1e-4)


def test_lightness_of_luma_is_lab_of_grey():
    grey = np.arange(256, dtype=np.uint8)
    expected = color.rgb2lab(np.repeat(grey[:, None, None], 3, axis=2))[:, 0, 0]
    np.testing.assert_allclose(spaces.lightness_of_luma(grey), expected, atol=0.01)


def test_luma_is_pillows():
    """Luma of 8-bit photographs is computed by Pillow, in a third of the time."""
    rgb = np.random.default_rng(2).integers(0, 256, (500, 600, 3), np.uint8)
    np.testing.assert_array_equal(spaces.luma_of_rgb(rgb), np.asarray(Image.fromarray(rgb).convert("L")))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_luma_of_grey_is_its_value(dtype):
    grey = np.arange(int(np.iinfo(dtype).max) + 1).astype(dtype)
    np.testing.assert_array_equal(spaces.luma_of_rgb(np.stack([grey] * 3, axis=-1)), grey)
    neutral = np.full_like(grey, coding.Coding.of_photograph(dtype).neutral)[None]
    np.testing.assert_array_equal(gamut.rgb_of_luma(grey[None], neutral, neutral)[0], np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_is_the_definition_to_a_rounding(dtype):
    """The weights have 16 bits: at 16 bits, their own rounding changes the luma by up to 0.7."""
    rgb = np.random.default_rng(2).integers(0, int(np.iinfo(dtype).max), (500, 600, 3), dtype, endpoint=True)
    exact = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert np.abs(spaces.luma_of_rgb(rgb) - exact).max() <= 0.5 + np.iinfo(dtype).max * 1.1e-5


def test_luma_of_16_bits_is_that_of_8_bits():
    """Rounded to 8 bits, the two differ only where the exact value is within 1/514 of a half, and by 1."""
    rgb = np.random.default_rng(2).integers(0, 256, (1000, 1000, 3), np.uint8)
    shallow = spaces.luma_of_rgb(rgb).astype(int)
    deep = bands.at_8_bits(spaces.luma_of_rgb(rgb.astype(np.uint16) * 257)).astype(int)
    exact = rgb.astype(np.int64) @ np.array(spaces.LUMA_WEIGHTS) / 65536
    assert np.abs(shallow - deep).max() <= 1
    near_a_half = np.abs(exact % 1 - 0.5) <= 1 / 514
    np.testing.assert_array_equal(shallow[~near_a_half], deep[~near_a_half])


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
def test_true_ab_and_true_luma_give_the_true_picture(name):
    """The inverse problem has one solution: the colour with the given luma and a*b*."""
    from skimage import data

    rgb = getattr(data, name)()[::3, ::3].astype(np.float32) / 255
    luma = rgb @ np.float32([spaces.BT601.red, spaces.BT601.green, spaces.BT601.blue])
    cb, cr = spaces.ab_to_cbcr(luma, spaces.rgb_to_lab(rgb)[..., 1:].transpose(2, 0, 1))
    np.testing.assert_allclose(luma + spaces.BT601.cr_to_r * cr, rgb[..., 0], atol=0.02)
    np.testing.assert_allclose(luma + spaces.BT601.cb_to_b * cb, rgb[..., 2], atol=0.02)


planes = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: st.tuples(*(hnp.arrays(dtype, shape) for _ in range(3)))
    )
)


def brought_into_gamut(luma, cb, cr):
    top, middle = np.iinfo(luma.dtype).max, coding.Coding.of_photograph(luma.dtype).neutral
    y = luma.astype(np.float32) / top
    b, r = ((p.astype(np.float32) - middle) / top for p in (cb, cr))
    factor = gamut.gamut_factor(b, r, y, y)
    return [np.rint(p * factor * top + middle).clip(0, top).astype(luma.dtype) for p in (b, r)]


@pytest.mark.slow
@given(planes)
def test_rgb_has_the_luma_it_was_made_from(ycc):
    luma, cb, cr = ycc
    rgb = gamut.rgb_of_luma(luma, *brought_into_gamut(luma, cb, cr))
    assert rgb.dtype == luma.dtype
    again = spaces.luma_of_rgb(rgb).astype(np.int64)
    assert np.abs(again - luma).max() <= 1
    unclipped = (rgb[..., 1] > 0) & (rgb[..., 1] < np.iinfo(luma.dtype).max)
    np.testing.assert_array_equal(again[unclipped], luma[unclipped])


def test_rgb_of_8_bits_is_pillows():
    rng = np.random.default_rng(3)
    luma = rng.integers(60, 200, (40, 50), np.uint8)
    cb, cr = (rng.integers(110, 146, (40, 50)).astype(np.uint8) for _ in range(2))
    pillow = Image.merge("YCbCr", [Image.fromarray(p) for p in (luma, cb, cr)]).convert("RGB")
    assert np.abs(gamut.rgb_of_luma(luma, cb, cr).astype(int) - np.asarray(pillow, int)).max() <= 1


@given(hnp.arrays(np.float32, (3, 40), elements=st.floats(-0.5, 0.5, width=32)))
def test_gamut_factor_keeps_hue_and_never_adds_chroma(values):
    cb, cr, luma = values[0], values[1], values[2] + 0.5
    factor = gamut.gamut_factor(cb, cr, luma, luma)
    assert (factor >= 0).all()
    assert (factor <= 1).all()
    red = luma + spaces.BT601.cr_to_r * cr * factor
    blue = luma + spaces.BT601.cb_to_b * cb * factor
    green = luma + (spaces.BT601.cb_to_g * cb + spaces.BT601.cr_to_g * cr) * factor
    for channel in (red, green, blue):
        assert channel.min() >= -1e-5
        assert channel.max() <= 1 + 1e-5


def test_colours_in_gamut_are_left_alone():
    rgb = np.random.default_rng(4).random((1000, 3), np.float32)
    luma = rgb @ np.float32([spaces.BT601.red, spaces.BT601.green, spaces.BT601.blue])
    cb, cr = (rgb[:, 2] - luma) / spaces.BT601.cb_to_b, (rgb[:, 0] - luma) / spaces.BT601.cr_to_r
    assert gamut.gamut_factor(cb, cr, luma, luma).min() > 0.9999


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 70))
def test_rgb_of_8_bits_is_the_nearest_to_the_formula(seed, height, width):
    """This also holds out of gamut. Red and blue are nearest to their own values, green to the value that gives the
    luma."""
    planes = np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8)
    found = np.moveaxis(gamut.rgb_of_luma(*planes), -1, 0).astype(int)
    luma, cb, cr = planes.astype(int)
    red, blue = luma + spaces.BT601.cr_to_r * (cr - 128), luma + spaces.BT601.cb_to_b * (cb - 128)
    green = (65536 * luma - 19595 * found[0] - 7471 * found[2]) / 38470
    for channel, exact in zip(found, (red, green, blue), strict=True):
        assert np.abs(channel - exact.clip(0, 255)).max() < 0.5 + 1e-4
