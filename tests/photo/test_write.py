"""Writing: the written luma is the luma that was read, and the chroma is the given one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import weakref
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from photochrom import photo
from photochrom.colorizer.colorizer import Colorizer
from photochrom.colorizer.options import DEFAULT_QUALITY
from photochrom.errors import OptionError, PhotoError
from photochrom.photo.formats.image import Metadata, Planes, color_pixels
from photochrom.photo.write import check_picture, write_output
from tests.helpers.photographs import (
    COLOR_FORMATS,
    MODEL,
    bt601,
    chroma,
    coloured,
    colours,
    neutral,
    opened,
    saved,
    smooth,
)

SAMPLES = Path(skimage.__file__).parent / "data"
sides = st.integers(1, 40)
depths = st.sampled_from([np.uint8, np.uint16])


def picture_of(luma: np.ndarray, alpha: np.ndarray | None = None, format: str = "PNG") -> photo.Photo:
    return photo.Photo(luma, alpha, format, Metadata())


def pixels(path: Path) -> np.ndarray:
    """Decode R'G'B' or R'G'B'A: a TIFF with tifffile, a PNG with OpenCV."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return stored[..., [2, 1, 0, 3][: stored.shape[2]]]


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["png", "tif"])
@given(height=sides, width=sides, dtype=depths, seed=st.integers(0, 2**32 - 1), transparent=st.booleans())
@settings(max_examples=40)
def test_luma_is_within_one_on_disk(
    tmp_path_factory: pytest.TempPathFactory,
    extension: str,
    height: int,
    width: int,
    dtype: type,
    seed: int,
    transparent: bool,
) -> None:
    rgb = colours(height, width, dtype, seed)
    luma, alpha = bt601(rgb), colours(height, width, dtype, seed + 1)[..., 0]
    path = tmp_path_factory.mktemp("random") / f"out.{extension}"
    picture, format = picture_of(luma, alpha if transparent else None), photo.format_of(path)
    write_output(picture, *chroma(rgb), path, format, MODEL, photo.OutputOptions())
    written = pixels(path)
    assert written.dtype == dtype
    assert np.abs(bt601(written).astype(int) - luma).max() <= 1
    assert np.abs(written[..., :3].astype(int) - rgb).max() <= 3  # chroma is rounded to whole steps
    again = photo.read_photo(path)
    assert np.abs(again.luma.astype(int) - luma).max() <= 1
    assert (again.alpha is not None) == transparent
    if again.alpha is not None:
        assert np.array_equal(again.alpha, alpha)
        assert np.array_equal(written[..., 3], alpha)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.slow
def test_pictures_of_many_bands(format: str) -> None:
    """In pictures larger than one band, filters, predictors and checksums must continue across bands."""
    rgb = np.asarray(Image.open(SAMPLES / "retina.jpg"))
    data = photo.encode_photo(picture_of(bt601(rgb)), *chroma(rgb), format=format, credit=MODEL)
    assert np.abs(bt601(np.asarray(opened(data))).astype(int) - bt601(rgb)).max() <= 1
    assert np.abs(np.asarray(opened(data)).astype(int) - rgb).max() <= 3
    assert len(data) < 1.1 * len(saved(rgb, "PNG", compress_level=3))  # the level that is used here


@pytest.mark.slow
@given(height=sides, width=sides, quality=st.integers(DEFAULT_QUALITY, 100), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_jpeg_luma_is_the_grey_pictures(height: int, width: int, quality: int, seed: int) -> None:
    rgb = colours(height, width, np.uint8, seed)
    luma = bt601(rgb)
    small = tuple(plane[::2, ::2] for plane in chroma(rgb))
    data = photo.encode_photo(picture_of(luma), *small, format="JPEG", quality=quality, credit=MODEL)
    grey = saved(luma, "JPEG", quality=quality)
    whole = np.s_[: height // 16 * 16, : width // 16 * 16]  # at the last blocks, encoders differ in how they pad
    assert np.array_equal(photo.read_photo(data).luma[whole], np.asarray(Image.open(BytesIO(grey)))[whole])


def test_an_unknown_compression_is_named() -> None:
    neutral = np.full((8, 8), 128, np.uint8)
    with pytest.raises(OptionError, match=r"the compression is 'lzma': choose one of none, lzw, deflate, zstd"):
        photo.encode_photo(picture_of(neutral), neutral, neutral, format="TIFF", credit=None, compression="lzma")


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_jpeg_luma_of_lower_quality_is_nearly_as_good(quality: int) -> None:
    """Below quality 96 the encoder's transform is approximate, and loses up to 0.7 dB, at 95."""
    luma = bt601(np.asarray(Image.open(SAMPLES / "coffee.png")))
    half = np.full(tuple(side // 2 for side in luma.shape), 128, np.uint8)
    data = photo.encode_photo(picture_of(luma), half, half, format="JPEG", quality=quality, credit=MODEL)
    ours, plain = (
        np.asarray(Image.open(BytesIO(d)).convert("L"), float) for d in (data, saved(luma, "JPEG", quality=quality))
    )
    assert np.mean((ours - luma) ** 2) < 1.17 * np.mean((plain - luma) ** 2)


@pytest.mark.parametrize("name", ["rocket.jpg", "astronaut.png", "coffee.png"])
def test_jpeg_of_real_pictures(name: str) -> None:
    rgb = np.asarray(Image.open(SAMPLES / name).convert("RGB"))[:-1, :-1]
    luma = bt601(rgb)
    cb, cr = (plane[::2, ::2] for plane in chroma(rgb))
    data = photo.encode_photo(picture_of(luma), cb, cr, format="JPEG", credit=MODEL)
    assert np.abs(photo.read_photo(data).luma.astype(int) - luma).mean() < 1.5
    stored = np.asarray(opened(data).convert("RGB")).astype(int)
    assert np.abs(stored - rgb).mean() < 6  # colours are the picture's


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (17, 16), (33, 31)])
def test_jpeg_gives_chroma_back_exactly(shape: tuple[int, int]) -> None:
    luma = np.full(shape, 128, np.uint8)
    half = tuple(-(-side // 2) for side in shape)
    cb = np.full(half, 90, np.uint8)
    cr = np.full(half, 160, np.uint8)
    cb[half[0] // 2 :] = 140
    data = photo.encode_photo(picture_of(luma), cb, cr, format="JPEG", quality=100, credit=MODEL)
    image = Image.open(BytesIO(data))
    assert image.layer[0][1:3] == (2 - (shape[1] == 1), 2 - (shape[0] == 1))
    assert [component[1:3] for component in image.layer[1:]] == [(1, 1), (1, 1)]
    image.draft("YCbCr", image.size)
    assert np.abs(np.asarray(image)[::2, ::2, 2].astype(int) - cr).max() <= 1


@pytest.mark.parametrize("format", COLOR_FORMATS)
def test_a_grey_picture_stays_grey_through_every_format(format: str) -> None:
    picture = photo.read_photo(saved(smooth(48, 64), "PNG"))
    image = opened_any(coloured(picture, format, quality=100), format)
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - picture.luma[..., None]).mean() < 1.5


def test_a_large_heic_is_stored_in_tiles_which_take_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    monkeypatch.setattr("photochrom.photo.formats.heif._TILE", 128)
    monkeypatch.setattr("photochrom.photo.formats.heif._LARGE", 150)
    picture = photo.read_photo(saved(smooth(149, 301), "PNG"))
    whole = photo.read_photo(saved(smooth(149, 150), "PNG"))
    for each, tile in ((picture, (128, 128)), (whole, None)):
        opened = pillow_heif.open_heif(coloured(each, "HEIF", quality=100))
        tiling = opened.info.get("tiling")
        assert (tiling and (tiling["tile_height"], tiling["tile_width"])) == tile
        assert opened.info["xmp"]
        luma = np.asarray(opened.to_pillow().convert("L")).astype(int)
        assert luma.shape == each.luma.shape
        assert np.abs(luma - each.luma).max() <= 4


def opened_any(data: bytes, format: str) -> Image.Image:
    if format == "HEIF":
        return pytest.importorskip("pillow_heif").open_heif(data).to_pillow()
    return opened(data)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_sixteen_bits_round_to_eight(format: str) -> None:
    luma = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    data = coloured(picture_of(luma), format, quality=100, lossless=True)
    expected = np.rint(luma / 257).astype(int)
    error = np.abs(np.asarray(opened(data).convert("L")).astype(int) - expected)
    assert error.max() <= (0 if format == "WEBP" else 2)


def test_webp_is_lossless_where_the_source_was() -> None:
    rgb = colours(31, 44, np.uint8)
    alpha = colours(31, 44, np.uint8, seed=2)[..., 0]
    picture = photo.Photo(bt601(rgb), alpha, "WEBP", Metadata(), lossless=True)
    written = np.asarray(opened(photo.encode_photo(picture, *chroma(rgb), format="WEBP", credit=MODEL)))
    assert np.abs(bt601(written).astype(int) - bt601(rgb)).max() <= 1
    assert np.array_equal(written[..., 3], alpha)
    lossy = photo.encode_photo(picture_of(bt601(rgb)), *chroma(rgb), format="WEBP", credit=MODEL)
    assert not photo.read_photo(lossy).lossless


def test_transparency_does_not_go_into_a_jpeg() -> None:
    luma = smooth(8, 8)
    with pytest.raises(PhotoError, match="transparency, which JPEG cannot hold"):
        coloured(picture_of(luma, luma), "JPEG")
    assert coloured(picture_of(luma, np.full_like(luma, 255)), "JPEG")  # nothing would be lost


@pytest.mark.parametrize(
    ("format", "side", "told"),
    [
        ("WEBP", 16_384, "is longer than WebP can hold (16,383 pixels): write JPEG, PNG or TIFF"),
        ("WEBP", 65_501, "is longer than WebP can hold (16,383 pixels): write PNG or TIFF"),
        ("JPEG", 65_501, "is longer than JPEG can hold (65,500 pixels): write PNG or TIFF"),
        ("AVIF", 32_769, "is longer than AVIF can hold (32,768 pixels): write JPEG, PNG or TIFF"),
        ("HEIF", 262_145, "is longer than HEIF can hold (262,144 pixels): write PNG or TIFF"),
    ],
)
@pytest.mark.parametrize("upright", [False, True])
def test_too_long_a_side(format: str, side: int, told: str, upright: bool) -> None:
    """The advice names formats that can hold the picture."""
    for name in ("JPEG", "PNG", "TIFF"):
        if name in told.partition(": ")[2]:
            assert coloured(picture_of(np.zeros((1, side), np.uint8)), name)
    shape = (side, 1) if upright else (1, side)
    with pytest.raises(PhotoError, match=f"^the picture: {re.escape(told)}$"):
        coloured(picture_of(np.zeros(shape, np.uint8)), format)


def test_advice_for_a_long_picture_with_transparency() -> None:
    long = np.zeros((1, 16_384), np.uint8)
    for format, told in (("WEBP", "is longer than WebP"), ("JPEG", "has transparency, which JPEG")):
        with pytest.raises(PhotoError, match=rf"{told} can.* hold.*: write PNG or TIFF$"):
            coloured(picture_of(long, long), format)


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_the_longest_avif_can_be_read() -> None:
    """libavif writes longer ones, and does not read them."""
    picture = picture_of(np.zeros((1, 32_768), np.uint8))
    assert photo.read_photo(coloured(picture, "AVIF")).shape == (1, 32_768)
    with pytest.raises(
        PhotoError, match=r"has more pixels than AVIF can hold \(268,435,456\): write JPEG, PNG or TIFF"
    ):
        check_picture(picture_of(np.broadcast_to(np.uint8(0), (16_385, 16_384))), "AVIF")


def test_a_photograph_that_does_not_fit_the_format_is_refused_before_it_is_coloured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_colorizer: Colorizer
) -> None:
    monkeypatch.setattr(Colorizer, "chroma", lambda *_, **__: pytest.fail("was coloured"))
    Image.new("L", (16_384, 2)).save(tmp_path / "a.png")
    with pytest.raises(PhotoError, match=r"a\.webp: is longer than WebP can hold"):
        photo.colorize_photo(tmp_path / "a.png", tmp_path / "a.webp", colorizer=fake_colorizer)
    assert not (tmp_path / "a.webp").exists()


def test_wrong_chroma_and_options_are_reported() -> None:
    picture = picture_of(smooth(9, 9))
    cb, cr = neutral(picture, "PNG")
    with pytest.raises(ValueError, match=r"cb is \(9, 9\) uint8: JPEG needs \(5, 5\) uint8"):
        photo.encode_photo(picture, cb, cr, format="JPEG", credit=MODEL)
    with pytest.raises(ValueError, match=r"cr is .* uint16: PNG needs"):
        photo.encode_photo(picture, cb, cr.astype(np.uint16), format="PNG", credit=MODEL)
    with pytest.raises(OptionError, match="quality is 0"):
        photo.encode_photo(picture, cb, cr, format="PNG", credit=MODEL, quality=0)
    with pytest.raises(OptionError, match="format is 'BMP'"):
        photo.encode_photo(picture, cb, cr, format="BMP", credit=MODEL)


def test_formats_by_extension() -> None:
    assert photo.format_of("a/B.JPeG") == "JPEG"
    assert photo.format_of(Path("x.color.tif")) == "TIFF"
    with pytest.raises(PhotoError, match=r"x\.bmp: unknown extension '\.bmp'"):
        photo.format_of("x.bmp")
    for name in ("scan", "scan.color", "folder.png/scan"):
        with pytest.raises(
            PhotoError, match=rf"{name}: has no extension, so its format is not known: name it \.jpg, .* or \.avif"
        ):
            photo.format_of(name)


@pytest.mark.parametrize("sides", [(40, 33), (17, 31)])
def test_lossy_webp_takes_chroma_for_two_by_two_pixels_or_for_each(sides: tuple[int, int]) -> None:
    picture = photo.read_photo(
        saved(np.add.outer(np.arange(sides[0]), np.arange(sides[1])).astype(np.uint8) + 90, "WEBP", quality=96)
    )
    assert photo.chroma_sampling(picture, "WEBP") == (2, 2)
    assert photo.chroma_sampling(replace(picture, lossless=True), "WEBP") == (1, 1)
    half = tuple(-(-side // 2) for side in sides)
    small, whole = ([np.full(shape, value, np.uint8) for value in (120, 140)] for shape in (half, sides))
    files = [photo.encode_photo(picture, *planes, format="WEBP", credit=MODEL) for planes in (small, whole)]
    assert files[0] == files[1]


@pytest.mark.slow
def test_importing_is_light() -> None:
    program = "import sys, photochrom.photo.write; "
    program += "print([m for m in ('cv2', 'tifffile', 'pillow_heif') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="measures memory through wait4")
def test_memory_of_a_twelve_megapixel_jpeg(tmp_path: Path) -> None:
    """It takes at most 250 MB more than an interpreter with the libraries."""
    program = """
import resource, sys
import numpy as np
from PIL import Image
from photochrom import photo
from photochrom.photo.write import write_output
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
picture = photo.read_photo(sys.argv[1])
cb = np.full((1500, 2000), 128, np.uint8)
from pathlib import Path
write_output(picture, cb, cb, Path(sys.argv[2]), "JPEG", "none", photo.OutputOptions())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    source = tmp_path / "in.jpg"
    source.write_bytes(saved(np.tile(smooth(300, 400), (10, 10)), "JPEG"))
    shown = subprocess.run(
        [sys.executable, "-c", program, source, tmp_path / "out.jpg"], capture_output=True, text=True, check=True
    )
    assert int(shown.stdout) < 250 * 1024


@pytest.mark.parametrize("encoder", ["heif.write_avif", "webp.write"])
def test_the_pixels_are_not_kept_twice_while_an_encoder_works(encoder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[np.ndarray]] = []
    module = "photochrom.photo.write"

    def noted(planes: Planes) -> np.ndarray:
        result = color_pixels(planes)
        made.append(weakref.ref(result))
        return result

    def encoded(*_: object, **__: object) -> None:
        assert made[0]() is None

    monkeypatch.setattr(f"{module}.color_pixels", noted)
    monkeypatch.setattr(f"{module}.{encoder}", encoded)
    planes = np.full((8, 8), 128, np.uint8)
    format = "AVIF" if "avif" in encoder else "WEBP"
    photo.encode_photo(picture_of(planes), planes, planes, format=format, credit=None)
    assert made
