"""Luma kept as quantised coefficients: in colour JPEGs, upright pictures, and the interleaved layout."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from photochrom import photo
from photochrom.errors import OptionError
from photochrom.photo import OutputOptions, colorize_photo
from photochrom.photo.formats import jpeg_coefficients as coefficients
from tests.corpus.make import exif
from tests.helpers.photographs import MODEL, saved, smooth

jpeglib = pytest.importorskip("jpeglib")

KEPT = "its luma's coefficients are kept, in a new order"
SAMPLINGS = {(1, 1): "4:4:4", (1, 2): "4:2:2", (2, 2): "4:2:0"}


def toned(height=61, width=75, **options):
    grey = smooth(height, width)
    return saved(Image.fromarray(np.dstack([grey, grey, grey // 2 + 60])), "JPEG", **options)


def colored(picture, layout="scan", **options):
    """Return the photograph with chroma of some contrast, in the sampling that it requires."""
    steps = photo.chroma_sampling(picture, "JPEG", layout)
    height, width = (-(-side // step) for side, step in zip(picture.luma.shape, steps, strict=True))
    cb, cr = (np.linspace(low, 150, height * width).reshape(height, width).astype(np.uint8) for low in (90, 110))
    return photo.encode_photo(picture, cb, cr, format="JPEG", credit=MODEL, layout=layout, **options)


def dct(data, folder, name):
    (folder / name).write_bytes(data)
    with jpeglib.version("turbo210"):
        found = jpeglib.read_dct(str(folder / name))
        found.load()
    return found


def grey_of(data):
    image = Image.open(io.BytesIO(data))
    image.draft("L", None)
    return image


def luma_of(data):
    return np.asarray(grey_of(data))


@pytest.mark.parametrize(("sampling", "name"), SAMPLINGS.items(), ids=str)
def test_the_luma_of_a_color_jpeg_is_kept(tmp_path, sampling, name):
    data = toned(subsampling=name, quality=85)
    picture = photo.read_photo(data)
    assert photo.chroma_sampling(picture, "JPEG") == sampling
    result = colored(picture, quality=60)
    before, after = dct(data, tmp_path, "a.jpg"), dct(result, tmp_path, "b.jpg")
    rows, columns = -(-61 // 8), -(-75 // 8)
    np.testing.assert_array_equal(after.Y[:rows, :columns], before.Y[:rows, :columns])
    np.testing.assert_array_equal(after.qt[0], before.qt[0])
    np.testing.assert_array_equal(after.samp_factor, before.samp_factor)
    np.testing.assert_array_equal(photo.read_photo(result).luma, picture.luma)
    chroma = np.asarray(Image.open(io.BytesIO(result)).convert("YCbCr"))
    assert abs(float(chroma[0, :, 1].mean()) - 90) < 4
    assert abs(float(chroma[-1, :, 2].mean()) - 150) < 4


@pytest.mark.parametrize("grey", [True, False], ids=["grey", "toned"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_turning_upright_loses_nothing_where_sides_are_multiples_of_8(orientation, grey):
    options = {"exif": exif(orientation), "quality": 80}
    data = saved(smooth(40, 56), "JPEG", **options) if grey else toned(40, 56, subsampling="4:2:2", **options)
    picture = photo.read_photo(data)
    assert picture.recoded == ""
    np.testing.assert_array_equal(luma_of(saved(ImageOps.exif_transpose(grey_of(data)), "PNG")), picture.luma)
    # The coefficients are exact; the decoder's inverse transform may round a mirrored block differently.
    assert np.abs(luma_of(colored(picture)).astype(int) - picture.luma).max() <= 1


def test_coefficients_of_a_picture_turned_twice_are_those_of_the_source(tmp_path):
    data = saved(smooth(40, 56), "JPEG", exif=exif(6))
    once = colored(photo.read_photo(data))
    picture = photo.read_photo(once)
    luma = picture.luma.T[::-1]
    back = replace(picture, luma=luma, coded_luma=coefficients.upright_luma(picture.coded_luma, 8))
    before, after = dct(data, tmp_path, "a.jpg"), dct(colored(back), tmp_path, "b.jpg")
    np.testing.assert_array_equal(after.Y[:5, :7], before.Y)
    np.testing.assert_array_equal(after.qt[0], before.qt[0])


@pytest.mark.parametrize(("orientation", "kept"), [(2, False), (3, False), (4, False), (5, True), (7, False)])
def test_odd_sides_are_kept_only_where_they_are_not_mirrored(orientation, kept):
    picture = photo.read_photo(saved(smooth(61, 75), "JPEG", exif=exif(orientation)))
    assert (picture.coded_luma is not None) == kept
    assert kept or "multiples of 8" in picture.recoded
    assert Image.open(io.BytesIO(colored(picture))).size == picture.luma.shape[::-1]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}], ids=str)
def test_interleaved_has_the_coefficients_of_a_grey_jpeg(tmp_path, fake_colorizer, options):
    data = saved(smooth(61, 75), "JPEG", comment=b"of 1912", **options)
    output = tmp_path / "out.jpg"
    report = colorize_photo(data, output, colorizer=fake_colorizer, output=OutputOptions(jpeg_layout="interleaved"))
    assert report.luma_coding == KEPT
    result = output.read_bytes()
    before, after = dct(data, tmp_path, "a.jpg"), dct(result, tmp_path, "b.jpg")
    np.testing.assert_array_equal(after.Y[:8, :10], before.Y)
    assert Image.open(io.BytesIO(result)).info["comment"] == b"of 1912"
    assert result.count(b"JFIF\0") == 1
    assert result[result.index(b"\xff\xda") + 4] == 3  # components in the first scan


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(coefficients, "has_jpeglib", lambda: False)
    with pytest.raises(OptionError) as caught:
        OutputOptions(jpeg_layout="interleaved")
    assert "photochrom[jpeg]" in caught.value.remedy
    assert "photochrom[jpeg]" in photo.read_photo(toned()).recoded
    assert photo.read_photo(toned()).coded_luma is None


def test_an_unknown_layout_is_refused():
    with pytest.raises(OptionError, match="jpeg_layout"):
        OutputOptions(jpeg_layout="planar")


@pytest.mark.parametrize("data", [saved(smooth(61, 75), "JPEG"), toned()], ids=["grey", "toned"])
@pytest.mark.parametrize("shape", [(16, 24), (61, 75)])
def test_a_luma_that_replaces_the_old_one_is_written(data, shape):
    picture = photo.read_photo(data).with_luma(np.full(shape, 9, np.uint8))
    assert picture.shape == shape
    assert np.abs(photo.read_photo(colored(picture)).luma.astype(int) - picture.luma).max() <= 1


def test_a_luma_is_not_replaced_beside_its_coded_form():
    """A JPEG would keep the coded luma in its place, or re-encode a mere copy, without a word."""
    picture = photo.read_photo(saved(smooth(61, 75), "JPEG"))
    with pytest.raises(ValueError, match="with_luma"):
        replace(picture, luma=picture.luma.copy())
    with pytest.raises(ValueError, match="with_luma"):
        replace(picture, luma=picture.luma[1:])
    view = replace(picture, luma=picture.luma[:])  # another array with the same pixels
    assert view.coded_luma is picture.coded_luma
    assert b"".join(colored(view).partition(b"\xff\xda")[1:]) == b"".join(colored(picture).partition(b"\xff\xda")[1:])
    assert picture.with_luma(picture.luma.copy()).coded_luma is None


def test_a_luma_whose_coded_form_is_kept_cannot_be_changed_in_place():
    picture = photo.read_photo(saved(smooth(61, 75), "JPEG"))
    with pytest.raises(ValueError, match="read-only"):
        picture.luma[0] = 9


def test_a_cmyk_picture_says_why_its_luma_is_encoded_again():
    data = saved(Image.fromarray(smooth(61, 75)).convert("CMYK"), "JPEG")
    assert "CMYK" in photo.read_photo(data).recoded


@pytest.mark.parametrize("name", [*SAMPLINGS.values(), "4:1:1"])
def test_the_luma_is_the_y_plane_as_pillow_decodes_it(name):
    data = toned(subsampling=name)
    np.testing.assert_array_equal(photo.read_photo(data).luma, luma_of(data))
