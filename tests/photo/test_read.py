"""Pixels: every kind of file gives the right luma and alpha, or an error."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import tifffile
from PIL import Image, ImageChops, ImageOps, features

from photochrom import Colorizer, photo
from photochrom.errors import PhotoError
from photochrom.photo.formats import exif
from photochrom.photo.formats.tiff_pages import LOOP_LOST
from photochrom.photo.inspection import is_in_color, upright_size
from tests.helpers.photographs import bt601, coloured, colours, saved, smooth

SAMPLES = Path(skimage.__file__).parent / "data"


def png(kind: int, depth: int, rows: list[bytes], width: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Build a PNG; Pillow and OpenCV can only write a few of its kinds."""

    def chunk(name: bytes, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))

    header = struct.pack(">IIBBBBB", width, len(rows), depth, kind, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        *chunks,
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **options)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["rocket.jpg", "retina.jpg", "hubble_deep_field.jpg"])
def test_luma_of_a_jpeg_is_its_own_y_plane(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    picture = photo.read_photo(data)
    assert picture.format == "JPEG"
    assert np.array_equal(picture.luma, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_y_plane_whatever_the_jpegs_coding(subsampling: str, progressive: bool) -> None:
    data = saved(np.dstack([smooth(61, 83)] * 3), "JPEG", subsampling=subsampling, progressive=progressive)
    image = Image.open(BytesIO(data))
    image.draft("YCbCr", image.size)
    assert np.array_equal(photo.read_photo(data).luma, np.asarray(image.getchannel(0)))


def test_grey_jpeg() -> None:
    data = saved(smooth(33, 47), "JPEG")
    assert np.array_equal(photo.read_photo(data).luma, np.asarray(Image.open(BytesIO(data))))


def test_rgb_jpeg() -> None:
    data = saved(np.dstack([smooth(40, 60), smooth(60, 40).T, smooth(40, 60)[::-1]]), "JPEG", keep_rgb=True, quality=95)
    exact = bt601(np.asarray(Image.open(BytesIO(data))))
    assert np.abs(photo.read_photo(data).luma.astype(int) - exact).max() <= 1


def test_cmyk_jpeg_of_adobe_and_of_others() -> None:
    ink = Image.merge("CMYK", [Image.fromarray(smooth(40, 60) // n) for n in (1, 2, 3, 4)])
    adobe = saved(ink, "JPEG", quality=95)
    expected = np.asarray(Image.open(BytesIO(adobe)).convert("RGB").convert("L"))
    assert np.array_equal(photo.read_photo(adobe).luma, expected)
    assert np.abs(photo.read_photo(adobe).luma.astype(int) - np.asarray(ink.convert("L"))).mean() < 3
    # Without Adobe's marker a file stores the amount of ink instead of its inverse.
    start = adobe.index(b"\xff\xee")
    others = adobe[:start] + adobe[start + 2 + int.from_bytes(adobe[start + 2 : start + 4], "big") :]
    inverse = ImageChops.invert(Image.open(BytesIO(adobe))).convert("RGB").convert("L")
    assert np.array_equal(photo.read_photo(others).luma, np.asarray(inverse))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_eight_bit_pictures(mode: str, format: str) -> None:
    if format == "TIFF" and mode == "P":
        pytest.skip("see test_palette_tiff")
    rgba = np.dstack([colours(21, 34, np.uint8), smooth(21, 34)])
    image = Image.fromarray(rgba).convert("RGB").convert(mode) if mode in "1LP" else Image.fromarray(rgba).convert(mode)
    picture = photo.read_photo(saved(image, format, lossless=True, exact=True))
    exact = bt601(np.asarray(image.convert("RGB")))
    assert picture.luma.dtype == np.uint8
    assert np.abs(picture.luma.astype(int) - exact).max() <= 1
    if mode in ("LA", "RGBA"):
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, np.asarray(image.getchannel("A")))
    else:
        assert picture.alpha is None


def test_grey_in_rgb_is_that_grey() -> None:
    grey = smooth(20, 30)
    deep = grey.astype(np.uint16) * 251
    assert np.array_equal(photo.read_photo(saved(np.dstack([grey] * 3), "PNG")).luma, grey)
    assert np.array_equal(photo.read_photo(tiff(np.dstack([deep] * 3), photometric="rgb")).luma, deep)


def test_palette_with_transparency() -> None:
    image = Image.new("P", (4, 2))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255])
    image.putdata([0, 1, 2, 3, 3, 2, 1, 0])
    picture = photo.read_photo(saved(image, "PNG", transparency=bytes([0, 128, 255, 255])))
    assert picture.luma.tolist() == [[0, 76, 150, 255], [255, 150, 76, 0]]
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 128, 255, 255], [255, 255, 128, 0]]


def test_palette_tiff() -> None:
    image = Image.fromarray(colours(9, 13, np.uint8)).quantize(16)
    exact = bt601(np.asarray(image.convert("RGB")))
    assert np.abs(photo.read_photo(saved(image, "TIFF")).luma.astype(int) - exact).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_shallow_grey_png_with_a_transparent_value(depth: int) -> None:
    levels = 2**depth
    values = np.arange(8) % levels
    packed = np.packbits(((values[:, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8)).tobytes()
    picture = photo.read_photo(png(0, depth, [packed], 8, (b"tRNS", struct.pack(">H", 1))))
    assert picture.luma[0].tolist() == [value * 255 // (levels - 1) for value in values]
    assert picture.alpha is not None
    assert picture.alpha[0].tolist() == [0 if value == 1 else 255 for value in values]


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (4, 2), (2, 3), (6, 4)])
def test_sixteen_bit_png(kind: int, samples: int) -> None:
    stored = np.dstack([colours(9, 14, np.uint16), colours(9, 14, np.uint16, seed=1)[..., :1]])[..., -samples:]
    picture = photo.read_photo(png(kind, 16, [row.astype(">u2").tobytes() for row in stored], 14))
    exact = bt601(stored) if samples >= 3 else stored[..., 0]
    assert picture.luma.dtype == np.uint16
    assert np.abs(picture.luma.astype(int) - exact).max() <= (1 if samples >= 3 else 0)
    if samples in (2, 4):
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, stored[..., -1])
    else:
        assert picture.alpha is None


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3)])
def test_sixteen_bit_png_with_a_transparent_value(kind: int, samples: int) -> None:
    stored = colours(6, 5, np.uint16)[..., :samples]
    rows = [row.astype(">u2").tobytes() for row in stored]
    picture = photo.read_photo(png(kind, 16, rows, 5, (b"tRNS", stored[2, 3].astype(">u2").tobytes())))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, (stored == stored[2, 3]).all(axis=2))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_sixteen_bit_tiff(samples: int, compression: str | None, order: str) -> None:
    stored = np.dstack([colours(50, 70, np.uint16), colours(50, 70, np.uint16, seed=1)[..., :1]])[..., -samples:]
    data = tiff(
        stored[..., 0] if samples == 1 else stored,
        photometric="rgb" if samples > 2 else "minisblack",
        planarconfig="contig" if samples > 1 else None,
        extrasamples=["unassalpha"] if samples in (2, 4) else None,
        compression=compression,
        byteorder=order,
    )
    picture = photo.read_photo(data)
    exact = bt601(stored) if samples >= 3 else stored[..., 0]
    assert np.abs(picture.luma.astype(int) - exact).max() <= (1 if samples >= 3 else 0)
    if samples in (2, 4):
        assert picture.alpha is not None
        assert np.array_equal(picture.alpha, stored[..., -1])


@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_compressed_sixteen_bit_tiff(compression: int) -> None:
    rgb = colours(40, 30, np.uint16)
    _, data = cv2.imencode(".tif", rgb[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    assert np.abs(photo.read_photo(data.tobytes()).luma.astype(int) - bt601(rgb)).max() <= 1


def test_tiff_in_planes_in_tiles_and_big() -> None:
    rgb = colours(48, 64, np.uint16)
    planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    files = [
        tiff(planes, photometric="rgb", planarconfig="separate"),
        tiff(rgb, photometric="rgb", tile=(16, 16), compression="zlib", predictor=2),
        tiff(rgb, photometric="rgb", bigtiff=True),
    ]
    for data in files:
        assert np.abs(photo.read_photo(data).luma.astype(int) - bt601(rgb)).max() <= 1
    for options in ({"planarconfig": "separate"}, {"planarconfig": "separate", "compression": "zlib"}):
        data = tiff((planes >> 8).astype(np.uint8), photometric="rgb", **options)
        assert np.abs(photo.read_photo(data).luma.astype(int) - bt601((rgb >> 8).astype(np.uint8))).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_in_planes_with_transparency(dtype: type) -> None:
    rgb, alpha = colours(20, 20, dtype), colours(20, 20, dtype, seed=3)[..., 0]
    planes = np.concatenate([np.moveaxis(rgb, 2, 0), alpha[None]])
    picture = photo.read_photo(tiff(planes, photometric="rgb", planarconfig="separate", extrasamples=["unassalpha"]))
    assert np.abs(picture.luma.astype(int) - bt601(rgb)).max() <= 1
    assert np.array_equal(picture.alpha, alpha)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_min_is_white(dtype: type) -> None:
    stored = colours(11, 12, dtype)[..., 0]
    picture = photo.read_photo(tiff(stored, photometric="miniswhite"))
    assert np.array_equal(picture.luma, np.iinfo(dtype).max - stored)


def test_fax_compressed_bilevel_tiff() -> None:
    image = Image.fromarray(smooth(40, 50)).convert("1")
    assert np.array_equal(
        photo.read_photo(saved(image, "TIFF", compression="group4")).luma, np.asarray(image.convert("L"))
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_premultiplied_alpha_is_divided_out(dtype: type) -> None:
    top = int(np.iinfo(dtype).max)
    rgb, alpha = colours(20, 20, dtype), colours(20, 20, dtype, seed=3)[..., 0]
    alpha[0] = top
    stored = np.dstack([np.rint(rgb * (alpha[..., None] / top)).astype(dtype), alpha])
    picture = photo.read_photo(tiff(stored, photometric="rgb", extrasamples=["assocalpha"]))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha)
    opaque = alpha > top // 4  # below this, too little of the colour is left
    assert np.abs(picture.luma.astype(int) - bt601(rgb))[opaque].max() <= 6


def test_cmyk_tiff() -> None:
    ink = Image.merge("CMYK", [Image.fromarray(smooth(40, 60) // n) for n in (1, 2, 3, 4)])
    expected = np.asarray(ink.convert("RGB").convert("L"))
    assert np.array_equal(photo.read_photo(saved(ink, "TIFF")).luma, expected)


def test_lossless_and_lossy_webp() -> None:
    rgb = np.dstack([smooth(30, 40)] * 3)
    lossless, lossy = (photo.read_photo(saved(rgb, "WEBP", lossless=flag)) for flag in (True, False))
    assert (lossless.lossless, lossy.lossless) == (True, False)
    assert np.array_equal(lossless.luma, rgb[..., 0])


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_heif_and_avif(format: str) -> None:
    heif = pytest.importorskip("pillow_heif")
    stream, grey = BytesIO(), smooth(64, 96)
    if format == "HEIF":
        heif.from_pillow(Image.fromarray(np.dstack([grey] * 3))).save(stream, quality=95)
    else:
        Image.fromarray(grey).save(stream, format, quality=95)
    picture = photo.read_photo(stream.getvalue())
    assert picture.format == format
    assert np.abs(picture.luma.astype(int) - grey).mean() < 2


def test_a_heif_in_colour_is_recognised(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    grey, exif = smooth(64, 96), Image.Exif()
    exif[0x0112] = 6
    for name, rgb in {"grey": (grey, grey, grey), "coloured": (grey, 255 - grey, grey // 2)}.items():
        heif.from_pillow(Image.fromarray(np.dstack(rgb))).save(tmp_path / name, exif=exif.tobytes())
        assert is_in_color(tmp_path / name) == (name == "coloured")
        assert upright_size(tmp_path / name) == photo.read_photo(tmp_path / name).shape[::-1]


COLORED = np.kron(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
DEEP = COLORED.astype(np.uint16) * 257


@pytest.mark.parametrize(
    ("pixels", "layout"),
    [
        (COLORED, {"bigtiff": True, "byteorder": ">"}),
        (np.dstack([DEEP, DEEP[..., :1], DEEP[..., :1]]), {"extrasamples": [0, 0]}),
        (np.moveaxis(DEEP, 2, 0), {"planarconfig": "separate"}),
    ],
    ids=["big-endian BigTIFF", "infrared and mask", "planar"],
)
def test_a_tiff_in_colour_is_recognised_whatever_its_layout(pixels: np.ndarray, layout: dict, tmp_path: Path) -> None:
    for number, picture in enumerate((np.full_like(pixels, pixels.max() // 2), pixels)):
        tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb", metadata=None, **layout)
        assert is_in_color(tmp_path / "a.tif") == (number == 1)


def test_a_tiff_is_in_colour_if_the_page_after_a_grey_one_or_after_its_preview_is(tmp_path: Path) -> None:
    for kind in (0, 1):  # a page, a reduced copy
        with tifffile.TiffWriter(tmp_path / "a.tif") as file:
            file.write(COLORED[..., 0], metadata=None, subfiletype=kind)
            file.write(COLORED, photometric="rgb", metadata=None)
        assert is_in_color(tmp_path / "a.tif")
        assert is_in_color(tmp_path / "a.tif", 1) == (kind == 1)


def test_deep_heif_stays_deep() -> None:
    heif = pytest.importorskip("pillow_heif")
    grey = np.repeat(np.linspace(0, 65535, 128).astype(np.uint16)[None], 64, axis=0)
    stream = BytesIO()
    heif.from_bytes("RGB;16", (128, 64), np.dstack([grey] * 3).tobytes()).save(stream, quality=100)
    luma = photo.read_photo(stream.getvalue()).luma
    assert luma.dtype == np.uint16
    assert np.abs(luma.astype(int) - grey).mean() < 200


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_orientation(orientation: int, format: str) -> None:
    image = Image.fromarray(np.dstack([smooth(24, 40)] * 3))
    exif = Image.Exif()
    exif[274] = orientation
    data = saved(image, format, exif=exif, lossless=True)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("L")).astype(int)
    picture = photo.read_photo(data)
    assert picture.luma.shape == expected.shape
    assert np.abs(picture.luma - expected).max() <= 1
    assert picture.luma.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_orientation_of_deep_tiff(orientation: int, samples: int) -> None:
    stored = colours(24, 40, np.uint16)[..., :samples]
    data = tiff(
        stored[..., 0] if samples == 1 else stored,
        photometric="rgb" if samples == 3 else "minisblack",
        planarconfig="contig" if samples > 1 else None,
        extrasamples=["unassalpha"] if samples == 2 else None,
        extratags=[(274, 3, 1, orientation, True)],
    )
    image = Image.fromarray((bt601(stored) if samples == 3 else stored[..., 0]).astype(np.int32))
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.abs(photo.read_photo(data).luma.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_heif_is_applied_once(orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    image = Image.fromarray(np.dstack([smooth(24, 40)] * 3))
    exif = Image.Exif()
    exif[274] = orientation
    stream = BytesIO()
    heif.from_pillow(image).save(stream, quality=95, exif=exif.tobytes())
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image).convert("L")).astype(int)
    assert np.abs(photo.read_photo(stream.getvalue()).luma - expected).mean() < 2


def test_sources(tmp_path: Path) -> None:
    data = saved(smooth(8, 8), "PNG")
    path = tmp_path / "grey.png"
    path.write_bytes(data)
    with path.open("rb") as stream:
        pictures = [photo.read_photo(source) for source in (data, str(path), path, stream)]
    assert all(np.array_equal(picture.luma, pictures[0].luma) for picture in pictures)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (tiff(np.zeros((8, 8), np.float32)), "unusual kind"),
        (tiff(np.zeros((8, 8), np.uint32)), "unusual kind"),
        (tiff(np.zeros((8, 8), np.int16)), "unusual kind"),
        (tiff(np.zeros((8, 8, 4), np.uint16), photometric="separated"), "neither grey nor RGB"),
        (tiff(np.zeros((8, 8, 2), np.uint8), photometric="minisblack", extrasamples=["assocalpha"]), "unusual way"),
        (tiff(np.zeros((8, 8, 2), np.uint8), photometric="miniswhite", extrasamples=["unassalpha"]), "unusual way"),
        (tiff(np.zeros((3, 8, 8), np.uint8), photometric="minisblack"), "holds 3 pages: name the page"),
        (saved(Image.new("LAB", (8, 8)), "TIFF"), "unusual kind"),
        (saved(Image.new("L", (8, 8)), "GIF"), "is not a JPEG"),
        (saved(smooth(8, 8), "PNG", save_all=True, append_images=[Image.new("L", (8, 8))]), "animation of 2"),
        (saved(smooth(8, 8), "WEBP", save_all=True, append_images=[Image.new("L", (8, 8))]), "animation of 2"),
        (saved(smooth(8, 8), "AVIF", save_all=True, append_images=[Image.new("L", (8, 8))]), "holds 2 pictures"),
    ],
)
def test_pixels_without_a_defined_luma_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(PhotoError, match=message):
        photo.read_photo(data)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_multiplied_by_alpha_beside_another_channel(dtype: type) -> None:
    """The colours are divided by the alpha at either depth; the other channel is kept as it is."""
    top = np.iinfo(dtype).max
    grey = smooth(32, 48).astype(float) / 255
    alpha = np.full(grey.shape, 0.5) + 0.5 * (np.arange(48) > 20)
    planes = [np.rint(top * plane).astype(dtype) for plane in (*[grey * alpha] * 3, alpha, np.ones_like(grey))]
    stream = BytesIO()
    tifffile.imwrite(stream, np.dstack(planes), photometric="rgb", extrasamples=["assocalpha", "unspecified"])
    picture = photo.read_photo(stream.getvalue())
    assert np.abs(picture.luma / top - grey).max() < 2.5 / 255
    assert np.array_equal(picture.alpha, planes[3])
    assert np.array_equal(picture.extra[..., 0], planes[4])
    assert picture.warnings == ()


def test_reduced_copies_are_not_pages() -> None:
    stream, grey = BytesIO(), smooth(32, 32)
    with tifffile.TiffWriter(stream) as writer:
        writer.write(grey, metadata=None)
        writer.write(grey[::2, ::2], subfiletype=1, metadata=None)
    assert np.array_equal(photo.read_photo(stream.getvalue()).luma, grey)


def behind_a_preview(grey: np.ndarray, *, below: bool, **how: object) -> bytes:
    """Return a TIFF whose first page is a preview with tags; the picture follows, or is in a subdirectory."""
    stream = BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        describing = {"description": "Quay, 1911", "extratags": [(274, "H", 1, 6), (315, "s", 0, "A. Smith")]}
        preview = grey[::4, ::4] if grey.ndim == 2 else grey[::4, ::4, 0]
        writer.write(preview, subfiletype=1, metadata=None, subifds=int(below), **describing)
        writer.write(grey, metadata=None, resolution=(600, 600), **how)
    return stream.getvalue()


@pytest.mark.parametrize("below", [True, False])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_scan_behind_its_preview_is_read(bits: int, below: bool, tmp_path: Path) -> None:
    grey = smooth(32, 48) if bits == 8 else smooth(32, 48).astype(np.uint16) * 257
    data = behind_a_preview(grey, below=below, compression="deflate")
    picture = photo.read_photo(data)
    assert np.array_equal(picture.luma, np.rot90(grey, -1))  # as the preview's orientation says
    path = tmp_path / "scan.tif"
    path.write_bytes(data)
    assert upright_size(path) == (32, 48)
    kept = tifffile.TiffFile(BytesIO(coloured(picture, "TIFF"))).pages[0].tags
    assert (kept[270].value, kept[315].value, kept[282].value) == ("Quay, 1911", "A. Smith", (600, 1))


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_a_decoder_that_fails_does_not_decide_about_colours(tmp_path: Path) -> None:
    """Pillow raises RuntimeError; reading the photograph, which comes next, reports the damage."""
    data = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)), "AVIF")
    start = data.index(b"mdat") + 4
    path = tmp_path / "damaged.avif"
    path.write_bytes(data[:start] + bytes(len(data) - start))
    assert not is_in_color(path)
    with pytest.raises(PhotoError, match="is damaged"):
        photo.read_photo(path)


@pytest.mark.parametrize("below", [True, False])
def test_raw_files_of_cameras_are_refused(below: bool) -> None:
    with pytest.raises(PhotoError, match="pixels of a camera's raw file: develop it"):
        photo.read_photo(behind_a_preview(smooth(32, 32), below=below, photometric="cfa"))


def test_a_directory_behind_everything_is_reported() -> None:
    """Offsets of 64 bits may exceed what struct takes."""
    with pytest.raises(PhotoError, match="is damaged"):
        photo.read_photo(b"II+\0\x08\0\0\0" + b"\xff" * 8)


def test_previews_alone_are_refused() -> None:
    stream = BytesIO()
    tifffile.imwrite(stream, smooth(8, 8), subfiletype=1, metadata=None)
    with pytest.raises(PhotoError, match="holds previews only, as does a camera's raw file"):
        photo.read_photo(stream.getvalue())


@pytest.mark.parametrize(("back_to", "pages"), [("first", 1), ("first", 2), ("last", 2)])
def test_pages_in_a_circle_are_reported(back_to: str, pages: int, tmp_path: Path, fake_colorizer: Colorizer) -> None:
    source, output = tmp_path / "a.tif", tmp_path / "b.tif"
    with tifffile.TiffWriter(source) as writer:
        for number in range(pages):
            writer.write(smooth(32, 48) + np.uint8(number), metadata=None)
    data = bytearray(source.read_bytes())
    tiff = exif.open_tiff(bytes(data))
    starts = [start := tiff.first] + [start := tiff.directory(start)[1] for _ in range(pages - 1)]
    place = starts[-1] + 2 + 12 * len(tiff.directory(starts[-1])[0])
    struct.pack_into("<I", data, place, starts[0] if back_to == "first" else starts[-1])
    source.write_bytes(data)
    report = photo.colorize_photo(source, output, colorizer=fake_colorizer)
    assert (report.pages, report.warnings[-1:]) == (pages, (LOOP_LOST,))
