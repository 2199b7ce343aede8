"""Upsampling of chroma: accurate enough on real pictures, and exact where the answer is known."""

import cv2
import numpy as np
import pytest
from skimage import data

from photochrom.color import coding, gamut, luma_range, spaces, upsample
from photochrom.color.luma_range import Sampling


def thumbnail_coefficients(rgb, grid):
    """Return the coefficients for the true a*b* of a picture, reduced to ``grid`` by ``grid``."""
    luma = spaces.luma_of_rgb(rgb)
    small = cv2.resize(rgb.astype(np.float32) / 255, (grid, grid), interpolation=cv2.INTER_AREA)
    ab = upsample.to_thumbnail(spaces.rgb_to_lab(small)[..., 1:].transpose(2, 0, 1), spaces.lightness_of_luma(luma))
    y = luma.astype(np.float32) / 255
    return luma, upsample.linear_coefficients(y, spaces.ab_to_cbcr(y, ab))


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "cat"])
def test_small_true_chroma_gives_nearly_the_true_picture(name):
    rgb = cv2.resize(getattr(data, name)(), (256, 256), interpolation=cv2.INTER_AREA)
    luma, coefficients = thumbnail_coefficients(rgb, 32)
    colored = gamut.rgb_of_luma(luma, *upsample.apply_to_luma(coefficients, luma, strength=1))
    grey = np.repeat(luma[..., None], 3, axis=2)
    assert psnr(colored, rgb) > psnr(grey, rgb) + 8


def test_upsampling_beats_bicubic_interpolation():
    rgb = cv2.resize(data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    luma = spaces.luma_of_rgb(rgb)
    lab = spaces.rgb_to_lab(rgb.astype(np.float32) / 255)
    small = cv2.resize(lab, (32, 32), interpolation=cv2.INTER_AREA)[..., 1:].transpose(2, 0, 1)
    guided = upsample.to_thumbnail(small, spaces.lightness_of_luma(luma))
    bicubic = np.stack([cv2.resize(np.ascontiguousarray(p), (256, 256), interpolation=cv2.INTER_CUBIC) for p in small])
    truth = lab[..., 1:].transpose(2, 0, 1)
    assert np.mean((guided - truth) ** 2) < 0.95 * np.mean((bicubic - truth) ** 2)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2), (1, 2), (2, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (37, 51), (400, 301)])
def test_one_chroma_everywhere_stays_one_chroma(shape, dtype, subsampling):
    """A gain of 0 and a constant offset give that constant, in every strip, at every size."""
    luma = np.full(shape, np.iinfo(dtype).max // 2, dtype)
    coefficients = np.zeros((4, 16, 24), np.float32)
    coefficients[1], coefficients[3] = 0.1, -0.05
    cb, cr = upsample.apply_to_luma(coefficients, luma, strength=1, sampling=Sampling(subsampling))
    top, middle = np.iinfo(dtype).max, coding.Coding.of_photograph(dtype).neutral
    assert cb.shape == cr.shape == tuple(-(-side // step) for side, step in zip(shape, subsampling, strict=True))
    assert np.abs(cb.astype(int) - round(middle + 0.1 * top)).max() <= 1
    assert np.abs(cr.astype(int) - round(middle - 0.05 * top)).max() <= 1


def test_rows_are_interpolated_as_opencv_does():
    coefficients = np.random.default_rng(0).normal(size=(4, 20, 30)).astype(np.float32) * 0.02
    luma = np.full((333, 500), 128, np.uint8)
    cb, _ = upsample.apply_to_luma(coefficients, luma, strength=1)
    gain, offset = (cv2.resize(c, (500, 333), interpolation=cv2.INTER_LINEAR) for c in coefficients[:2])
    assert np.abs(cb - np.rint((gain * 128 / 255 + offset) * 255 + 128)).max() <= 1


def test_strength_scales_chroma_and_zero_is_grey():
    rgb = cv2.resize(data.astronaut(), (128, 128), interpolation=cv2.INTER_AREA)
    luma, coefficients = thumbnail_coefficients(rgb, 32)
    grey, _ = upsample.apply_to_luma(coefficients, luma, strength=0)
    half, _ = upsample.apply_to_luma(coefficients, luma, strength=0.5)
    full, _ = upsample.apply_to_luma(coefficients, luma, strength=1)
    assert (grey == 128).all()
    assert 0.4 < np.abs(half - 128.0).mean() / np.abs(full - 128.0).mean() < 0.65


def test_shared_chroma_is_in_gamut_at_every_pixel_that_shares_it():
    """At 4:2:0 four pixels share a chroma sample, which must be in gamut at each of them."""
    rng = np.random.default_rng(5)
    luma = rng.integers(0, 256, (101, 77)).astype(np.uint8)
    coefficients = np.zeros((4, 8, 8), np.float32)
    coefficients[1], coefficients[3] = -0.3, 0.4
    cb, cr = upsample.apply_to_luma(coefficients, luma, strength=1, sampling=Sampling((2, 2)))
    cb, cr = (p.repeat(2, axis=0).repeat(2, axis=1)[:101, :77].astype(float) - 128 for p in (cb, cr))
    for channel in (
        luma + spaces.BT601.cr_to_r * cr,
        luma + spaces.BT601.cb_to_b * cb,
        luma + spaces.BT601.cb_to_g * cb + spaces.BT601.cr_to_g * cr,
    ):
        assert channel.min() > -1.1  # chroma is rounded to whole numbers: up to 0.5 * 1.772
        assert channel.max() < 256.1


def plainly(coefficients, luma, subsampling, coding):
    """Compute the same without strips, with the gamut factor at every sample; Cb and Cr are not rounded."""
    rows, columns = subsampling
    height, width = (side // step for side, step in zip(luma.shape, subsampling, strict=True))
    shared = luma.reshape(height, rows, width, columns).astype(np.float32)
    y, darkest, brightest = (
        np.clip((part - coding.black) / coding.luma_span, 0, 1).astype(np.float32)
        for part in (np.floor(shared.mean(axis=(1, 3)) + 0.5), shared.min(axis=(1, 3)), shared.max(axis=(1, 3)))
    )
    full = [cv2.resize(c, (width, height), interpolation=cv2.INTER_LINEAR) for c in coefficients]
    cb, cr = full[0] * y + full[1], full[2] * y + full[3]
    factor = gamut.gamut_factor(cb, cr, darkest, brightest, coding.matrix)
    return [plane * factor * coding.chroma_span + coding.neutral for plane in (cb, cr)], factor


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2), (1, 2), (2, 1)])
@pytest.mark.parametrize(
    "coding",
    [
        coding.Coding(8),
        coding.Coding(8, full_range=False, matrix=spaces.BT709),
        coding.Coding(10, full_range=False, matrix=spaces.BT2020),
        coding.Coding(12, full_range=True, matrix=spaces.BT709),
        coding.Coding(16),
    ],
    ids=str,
)
@pytest.mark.parametrize(("brightness", "least", "most"), [(1, 0.02, 0.5), (0.15, 0.5, 1)], ids=["some", "most"])
def test_chroma_out_of_gamut_is_found_and_reduced(brightness, least, most, coding, subsampling):
    """Few or most samples are out of gamut; beyond black and white, no colour is in gamut."""
    rng = np.random.default_rng(8)
    light = cv2.resize(rng.random((9, 12), np.float32), (500, 300)) + rng.normal(0, 0.05, (300, 500))
    luma = np.clip(light * brightness * coding.highest, 0, coding.highest)
    luma = luma.astype(np.uint8 if coding.bits == 8 else np.uint16)
    coefficients = cv2.resize(rng.normal(0, 0.12, (5, 5, 4)).astype(np.float32), (24, 16)).transpose(2, 0, 1)
    expected, factor = plainly(coefficients, luma, subsampling, coding)
    assert least < (factor < 1).mean() < most
    found = upsample.apply_to_luma(coefficients, luma, strength=1, sampling=Sampling(subsampling), coding=coding)
    for ours, plain in zip(found, expected, strict=True):
        assert np.abs(ours - plain).max() < 1.1  # half of it from rounding before the gamut is checked


def test_chroma_below_the_lowest_code_is_shrunk_and_not_mirrored():
    """OpenCV takes the absolute value of a negative sum, which may be in gamut."""
    luma, coefficients = np.full((32, 32), 128, np.uint8), np.zeros((4, 32, 32), np.float32)
    coefficients[1, 8:12, 8:12] = -0.9  # few samples, so that they are rounded before the search
    expected, _ = plainly(coefficients, luma, (1, 1), coding.Coding(8))
    found = upsample.apply_to_luma(coefficients, luma, strength=1)
    assert found[0].min() < 60
    for ours, plain in zip(found, expected, strict=True):
        assert np.abs(ours - plain).max() < 1.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (1, 7), (9, 1)], ids=str)
@pytest.mark.parametrize("reduced", [False, True], ids=["whole", "reduced"])
def test_single_samples_out_of_gamut_are_shrunk(shape, reduced):
    """OpenCV does not treat arrays of one and of four numbers as planes."""
    luma = np.full(shape, 250, np.uint8)
    coefficients = np.zeros((4, 2, 2), np.float32)
    coefficients[1], coefficients[3] = 0.3, 0.2
    for subsampling in ((1, 1),) if reduced else ((1, 1), (2, 2)):
        cb, cr = upsample.apply_to_luma(coefficients, luma, strength=1, sampling=Sampling(subsampling, reduced=reduced))
        assert 128 <= cb.min() <= cb.max() <= 131
        assert 128 <= cr.min() <= cr.max() <= 131
    luma[0, 0] = 128
    cb, _ = upsample.apply_to_luma(coefficients, luma, strength=1)
    assert cb[0, 0] > 190


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("row", [0.25, 0.5, 0.75])
def test_chroma_of_films_is_that_of_the_luma_at_its_place(row, dtype):
    """If chroma equals the luma, a sample sited on the left of two columns is the mean of three, weighted 1 2 1."""
    rng = np.random.default_rng(1)
    luma = rng.integers(100, 156, (36, 50)).astype(np.uint8).astype(dtype)
    luma *= np.iinfo(dtype).max // 255
    y = luma.astype(float)
    coefficients = np.zeros((4, 8, 8), np.float32)
    coefficients[0], coefficients[1] = 0.5, -0.25
    for siting, columns in (((row, 0.0), (1, 2, 1)), ((row, 0.5), (0, 2, 2))):
        padded = np.pad(y, ((0, 0), (1, 0)), mode="reflect" if columns[0] else "edge")
        across = sum(weight * padded[:, i : i + 49 : 2] for i, weight in enumerate(columns)) / 4
        if columns[0]:
            across[:, 0] = (y[:, 0] + y[:, 1]) / 2  # there is none on the left
        wanted = (1 - row) * across[0::2] + row * across[1::2]
        cb, _ = upsample.apply_to_luma(coefficients, luma, strength=1, sampling=Sampling((2, 2), siting))
        found = (cb - float(coding.Coding.of_photograph(dtype).neutral)) / 0.5 + np.iinfo(dtype).max / 2
        assert np.abs(found - wanted).max() < 3.1 * max(1, np.iinfo(dtype).max / 65535 / 8)


def test_coefficients_are_read_at_the_place_of_the_sample():
    ramp = np.tile(np.linspace(-0.2, 0.2, 64, dtype=np.float32), (8, 1))
    coefficients = np.stack([0 * ramp, ramp, 0 * ramp, 0 * ramp])
    luma = np.full((16, 128), 32768, np.uint16)
    amid, left = (
        upsample.apply_to_luma(coefficients, luma, strength=1, sampling=Sampling((2, 2), siting))[0].astype(float)
        for siting in (luma_range.CENTER, luma_range.LEFT)
    )
    step = 0.4 * 65535 / 63
    assert np.allclose((amid - left)[:, 2:], step / 4, atol=2)  # half a pixel of luma, of which two share a sample


@pytest.mark.parametrize("threads", [1, 2])
def test_no_sample_depends_on_where_strips_begin(monkeypatch, threads):
    """Many colours are out of gamut. A strip after one with many of them was rounded in another way."""
    rng = np.random.default_rng(6)
    light = cv2.resize(rng.random((5, 6), np.float32), (400, 240)) * 255 * rng.choice([0.3, 0.6, 1])
    luma = np.clip(light + rng.normal(0, 6, light.shape), 0, 255).astype(np.uint8)
    coefficients = cv2.resize(rng.normal(0, 0.03, (6, 8, 4)).astype(np.float32), (60, 40)).transpose(2, 0, 1)
    whole = upsample.apply_to_luma(coefficients, luma, strength=1)
    monkeypatch.setattr(upsample, "_STRIP_SAMPLES", 1)
    np.testing.assert_array_equal(upsample.apply_to_luma(coefficients, luma, strength=1, threads=threads), whole)


@pytest.mark.parametrize("threads", [2, 3])
def test_no_sample_of_16_bits_depends_on_the_number_of_threads(threads):
    """Sums over other lines of the coefficients are rounded differently, by a step of 65,536."""
    rng = np.random.default_rng(1)
    luma = rng.integers(0, 65536, (61, 90)).astype(np.uint16)
    coefficients = rng.normal(0, 0.1, (4, 40, 50)).astype(np.float32)
    one = upsample.apply_to_luma(coefficients, luma, strength=1)
    np.testing.assert_array_equal(upsample.apply_to_luma(coefficients, luma, strength=1, threads=threads), one)
