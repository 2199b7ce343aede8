"""A grey JPEG that becomes a colour JPEG is decoded at half size, because its luma is copied instead of encoded."""

import numpy as np
import pytest
from PIL import Image

from photochrom import photo
from photochrom.color.luma_range import Sampling
from photochrom.color.upsample import apply_to_luma
from photochrom.photo import OutputOptions, colorize_photo
from photochrom.photo.formats import jpeg
from tests.corpus.make import exif
from tests.helpers.photographs import MODEL, coloured, saved, smooth

GREY = smooth(131, 95)


@pytest.fixture(autouse=True)
def small_pictures_too(monkeypatch):
    monkeypatch.setattr(jpeg, "_MIN_PIXELS_TO_REDUCE", 0)


def chroma_of(path):
    image = Image.open(path)
    image.draft("YCbCr", None)
    with image:
        return np.asarray(image).astype(int)[..., 1:]


def test_the_luma_is_read_at_half_its_size_and_the_picture_keeps_its_own():
    picture = photo.read_photo(saved(GREY, "JPEG"), may_reduce=True)
    assert picture.reduced
    assert picture.luma.shape == (66, 48)
    assert picture.shape == GREY.shape
    assert photo.chroma_sampling(picture, "JPEG") == (2, 2)


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"restart_marker_blocks": 3}, {"exif": exif(6)}],
    ids=["progressive", "restarts", "turned"],
)
def test_other_jpegs_are_read_whole(options):
    picture = photo.read_photo(saved(GREY, "JPEG", **options), may_reduce=True)
    assert not picture.reduced
    assert sorted(picture.luma.shape) == sorted(GREY.shape)


def test_colors_are_those_of_the_whole_luma(tmp_path, fake_colorizer, monkeypatch):
    grey = np.clip(smooth(131, 95), 80, 170)
    source = saved(grey, "JPEG", quality=90)
    report = colorize_photo(source, tmp_path / "half.jpg", colorizer=fake_colorizer)
    assert (report.height, report.width) == grey.shape
    monkeypatch.setattr(jpeg, "_is_half_enough", lambda *_: False)
    whole = colorize_photo(source, tmp_path / "whole.jpg", colorizer=fake_colorizer)
    difference = chroma_of(tmp_path / "half.jpg") - chroma_of(tmp_path / "whole.jpg")
    assert np.abs(difference).mean() < 0.5
    assert abs(report.colorfulness - whole.colorfulness) < 1


def test_chroma_is_in_gamut_at_the_range_of_luma_around_each_sample():
    luma = np.repeat(np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[None], 4, 0), 3, 1)  # [4, 96]
    luma[:, 40:44] = 250
    coefficients = np.zeros((4, 2, 2), np.float32)
    coefficients[1], coefficients[3] = 0.1, 0.3
    cb, cr = apply_to_luma(coefficients, luma, strength=1, sampling=Sampling(reduced=True))
    for shift in (-1, 0, 1):  # also at the luma of the neighbours
        y = np.roll(luma, shift, 1).astype(float)[:, 1:-1]
        blue, red = cb[:, 1:-1].astype(float) - 128, cr[:, 1:-1].astype(float) - 128
        for channel in (y + 1.402 * red, y + 1.772 * blue, y - 0.344136 * blue - 0.714136 * red):
            assert channel.min() > -2  # rounding of the chroma
            assert channel.max() < 257


def test_rows_are_the_same_however_many_threads_share_them():
    rng = np.random.default_rng(0)
    coefficients = rng.normal(0, 0.2, (4, 7, 9)).astype(np.float32)
    luma = rng.integers(0, 256, (301, 211), np.uint8)
    for reduced in (False, True):
        one, three = (
            apply_to_luma(coefficients, luma, strength=1, sampling=Sampling(reduced=reduced), threads=count)
            for count in (1, 3)
        )
        np.testing.assert_array_equal(one, three)


def test_a_halftone_is_read_whole():
    dots = np.kron(np.indices((16, 16)).sum(0) % 2, np.ones((8, 8))).astype(np.uint8) * 255
    picture = photo.read_photo(saved(dots, "JPEG", quality=100), may_reduce=True)
    assert not picture.reduced
    assert picture.kind == "halftone"


def test_damage_below_the_first_rows_is_found():
    data = saved(np.random.default_rng(0).integers(0, 256, (400, 200), np.uint8), "JPEG")
    middle = len(data) * 3 // 4
    picture = photo.read_photo(data[:middle] + b"\xff\xd3" + data[middle:], may_reduce=True)
    assert "damaged" in picture.recoded
    assert picture.luma.shape == (400, 200)


def test_other_formats_refuse_half_the_size():
    picture = photo.read_photo(saved(GREY, "JPEG"), may_reduce=True)
    plane = np.full(GREY.shape, 128, np.uint8)
    with pytest.raises(ValueError, match="half"):
        photo.encode_photo(picture, plane, plane, format="PNG", credit=MODEL)


def test_a_luma_that_replaces_a_reduced_one_is_written_at_its_own_size():
    picture = photo.read_photo(saved(GREY, "JPEG"), may_reduce=True).with_luma(np.full(GREY.shape, 9, np.uint8))
    assert not picture.reduced
    assert np.abs(photo.read_photo(coloured(picture, "JPEG")).luma.astype(int) - 9).max() <= 1


def test_companions_have_the_whole_size(tmp_path, fake_colorizer):
    (tmp_path / "old.jpg").write_bytes(saved(GREY, "JPEG"))
    options = OutputOptions(confidence=True, confidence_raw=True, jpeg_layout="scan")
    report = colorize_photo(tmp_path / "old.jpg", tmp_path / "out.jpg", colorizer=fake_colorizer, output=options)
    for path in report.outputs:
        with Image.open(path) as image:
            assert image.size == GREY.shape[::-1]
