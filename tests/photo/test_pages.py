"""Multi-page TIFFs, page by page, and the compressions of TIFF."""

import errno
import struct
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageSequence

from photochrom import Colorizer, ColorOptions, Hint, OptionError, PhotoError, atomic, photo
from photochrom.atomic import publish
from photochrom.color.spaces import luma_of_rgb
from photochrom.commands.main import main
from photochrom.label import is_labelled
from photochrom.photo.formats import tiff as module
from photochrom.photo.formats.exif import Tiff
from photochrom.photo.inspection import upright_size
from photochrom.photo.options import OutputOptions
from photochrom.photo.pages import colorize_pages

from ..batch.conftest import XMP
from ..helpers.fakes import tiny_model
from ..helpers.photographs import smooth


def album(path, *, big=False, order="<"):
    """Return three pages of different sizes and depths with descriptions, and a reduced copy of the first."""
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as file:
        first, artist = smooth(40, 60), (315, "s", 0, "Ida", True)
        file.write(first, description="the first", resolution=(300, 300), metadata=None)
        file.write(first[::2, ::2], subfiletype=1, metadata=None)
        file.write(smooth(50, 70).astype(np.uint16) * 257, description="the second", metadata=None, extratags=[artist])
        file.write(np.dstack([smooth(64, 32)] * 3), photometric="rgb", description="the third", metadata=None)
    return path


def pages_of(path):
    with tifffile.TiffFile(path) as file:
        return [page.asarray() for page in file.pages]


@pytest.mark.parametrize(("big", "order"), [(False, "<"), (False, ">"), (True, "<")])
def test_each_page_is_coloured_and_keeps_its_luma_and_its_metadata(tmp_path, fake_colorizer, big, order):
    source = album(tmp_path / "album.tif", big=big, order=order)
    report = photo.colorize_photo(source, tmp_path / "out.tif", colorizer=fake_colorizer)
    assert (report.pages, report.width, report.height) == (3, 60, 40)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        pages = [page.asarray() for page in file.pages]
        assert [page.tags["ImageDescription"].value for page in file.pages] == ["the first", "the second", "the third"]
        assert file.pages[1].tags["Artist"].value == "Ida"
        assert file.pages[0].tags["XResolution"].value == (300, 1)
    lumas = [smooth(40, 60), smooth(50, 70).astype(np.uint16) * 257, smooth(64, 32)]
    for page, luma in zip(pages, lumas, strict=True):
        assert page.dtype == luma.dtype
        assert np.abs(luma_of_rgb(page).astype(int) - luma).max() <= 1
        assert not np.array_equal(page[..., 0], page[..., 2])
    assert is_labelled(tmp_path / "out.tif")


def test_captions_beside_the_file_are_copied_into_the_first_page(tmp_path, fake_colorizer):
    source = album(tmp_path / "album.tif")
    (tmp_path / "album.xmp").write_bytes(XMP)
    photo.colorize_photo(source, tmp_path / "out.tif", colorizer=fake_colorizer)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert [b"Archive" in page.tags[700].value for page in file.pages] == [True, False, False]


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\x08\0\0\0\xff\xff"])
def test_data_without_pages_is_refused_by_its_name(data, tmp_path, fake_colorizer):
    with pytest.raises(PhotoError, match=r"^a\.tif: is damaged"):
        colorize_pages(fake_colorizer, data, tmp_path / "b.tif", ColorOptions(), OutputOptions(), name="a.tif")


def test_hints_belong_to_their_page(tmp_path, fake_colorizer):
    source = album(tmp_path / "album.tif")
    options = ColorOptions(hints=(Hint(0.5, 0.5, (0, 0, 255), page=2),))
    photo.colorize_photo(source, tmp_path / "plain.tif", colorizer=fake_colorizer)
    photo.colorize_photo(source, tmp_path / "hinted.tif", options, colorizer=fake_colorizer)
    plain, hinted = (pages_of(tmp_path / name) for name in ("plain.tif", "hinted.tif"))
    assert [np.array_equal(a, b) for a, b in zip(plain, hinted, strict=True)] == [True, False, True]


def test_one_page_is_coloured_into_any_format(tmp_path, fake_colorizer):
    source = album(tmp_path / "album.tif")
    report = photo.colorize_photo(source, tmp_path / "third.jpg", colorizer=fake_colorizer, page=3)
    assert (report.pages, report.width, report.height) == (1, 32, 64)
    assert upright_size(source, 2) == (70, 50)
    with pytest.raises(PhotoError, match="has 3 pages, and none with the number 4: choose another page"):
        photo.colorize_photo(source, tmp_path / "fourth.tif", colorizer=fake_colorizer, page=4)


@pytest.mark.parametrize(
    ("name", "hints", "output", "message"),
    [
        ("out.jpg", (), {}, "holds 3 pages, which only a TIFF can hold: write a .tif, or choose one with page=1"),
        ("out.tif", (Hint(0, 0, (0, 0, 0)),), {}, "a hint is for no page: name a page"),
        ("out.tif", (Hint(0, 0, (0, 0, 0), page=4),), {}, "a hint is for page 4"),
        ("out.tif", (), {"confidence": True}, "alternatives and confidence maps can only be made of single pages"),
    ],
)
def test_limits_of_pages_are_reported(tmp_path, fake_colorizer, name, hints, output, message):
    source = album(tmp_path / "album.tif")
    with pytest.raises((PhotoError, OptionError), match=message):
        photo.colorize_photo(
            source,
            tmp_path / name,
            ColorOptions(hints=hints),
            colorizer=fake_colorizer,
            output=photo.OutputOptions(**output),
        )
    assert not (tmp_path / name).exists()


def test_a_hint_for_another_page_than_the_only_one_is_refused(tmp_path, fake_colorizer):
    source = tmp_path / "one.tif"
    tifffile.imwrite(source, smooth(40, 40))
    options = ColorOptions(hints=(Hint(0, 0, (0, 0, 0), page=2),))
    with pytest.raises(OptionError, match="a hint is for page 2, which is not coloured"):
        photo.colorize_photo(source, tmp_path / "out.tif", options, colorizer=fake_colorizer)


def test_errors_and_warnings_name_the_page(tmp_path, fake_colorizer):
    source = tmp_path / "album.tif"
    with tifffile.TiffWriter(source) as file:
        for layers in (False, True):  # Photoshop's, which are still grey
            tags = [(37724, "B", 8, b"8BIMLayr", True)] if layers else []
            file.write(smooth(40, 60), metadata=None, extratags=tags)
    report = photo.colorize_photo(source, tmp_path / "out.tif", colorizer=fake_colorizer)
    assert report.warnings == ("page 2: its Photoshop layers are not kept: they would still be grey",)
    with tifffile.TiffWriter(source) as file:
        file.write(smooth(40, 60), metadata=None)
        file.write(smooth(40, 60).astype(np.float32), metadata=None)
    with pytest.raises(PhotoError, match=r"album\.tif: page 2: holds pixels of an unusual kind"):
        photo.colorize_photo(source, tmp_path / "bad.tif", colorizer=fake_colorizer)
    assert not (tmp_path / "bad.tif").exists()


@pytest.mark.slow
def test_the_command_counts_the_pages(tmp_path, capsys):
    source = album(tmp_path / "album.tif")
    assert main(["photo", str(source), "--hint", "2:42%,31%,maroon"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("album.color.tif (3 pages)")
    assert main(["photo", str(source), "-o", str(tmp_path / "x.png")]) == 1
    assert "choose one with --page 1" in capsys.readouterr().err


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_compressions_are_lossless_and_read_again(tmp_path, fake_colorizer, compression, depth, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's limit, of pictures and of strips, does not apply
    if compression == "zstd":
        pytest.importorskip("zstandard")
    luma = smooth(70, 90).astype(depth) * (257 if depth is np.uint16 else 1)
    source, target = tmp_path / "old.tif", tmp_path / "new.tif"
    tifffile.imwrite(source, luma)
    output = photo.OutputOptions(compression=compression)
    photo.colorize_photo(source, target, colorizer=fake_colorizer, output=output)
    numbers = {"none": 1, "lzw": 5, "deflate": 8, "zstd": 50000}
    with tifffile.TiffFile(target) as file:
        assert file.pages[0].compression == numbers[compression]
    assert np.abs(photo.read_photo(target).luma.astype(int) - luma).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("predictor", [1, 2])
def test_16_bits_in_zstandard_strips_are_read_exactly(order, channels, predictor, tmp_path):
    zstandard = pytest.importorskip("zstandard")
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 31, channels)).astype(np.uint16)
    stored = pixels.copy()
    if predictor == 2:
        stored[:, 1:] -= pixels[:, :-1]
    strips = (zstandard.compress(stored[top : top + 8].astype(f"{order}u2").tobytes()) for top in range(0, 20, 8))
    layout = {"rowsperstrip": 8, "compression": "zstd", "predictor": predictor, "byteorder": order}
    photometric = "rgb" if channels == 3 else "minisblack"
    shape = (20, 31, channels)[: 2 if channels == 1 else 3]
    tifffile.imwrite(tmp_path / "a.tif", strips, shape=shape, dtype=np.uint16, photometric=photometric, **layout)
    expected = luma_of_rgb(pixels) if channels == 3 else pixels[..., 0]
    assert np.array_equal(photo.read_photo(tmp_path / "a.tif").luma, expected)


def test_an_unknown_compression_is_refused():
    with pytest.raises(OptionError, match="choose one of none, lzw, deflate, zstd"):
        photo.OutputOptions(compression="jpeg")


def test_slices_of_a_volume_are_not_lost_in_silence(tmp_path):
    path = tmp_path / "volume.tif"
    tifffile.imwrite(path, np.zeros((16, 64, 64), np.uint8), volumetric=True, tile=(16, 16, 16))
    with pytest.raises(PhotoError, match=r"volume.tif: holds a volume of 16 slices: save each as a page"):
        photo.read_photo(path)


def test_a_header_alone_is_not_a_camera_raw():
    with pytest.raises(PhotoError, match="cut short"):
        photo.read_photo(BytesIO(b"II*\0\0\0\0\0"))


@pytest.mark.parametrize("kind", ["jpeg", "lzw", "none", "palette"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.slow
def test_the_work_grows_with_the_pages_and_not_with_their_square(monkeypatch, tmp_path, kind, depth):
    """Each page's decoder gets only that page's bytes, and each directory is read a few times."""
    pytest.importorskip("onnx")
    if depth == np.uint16 and kind in ("jpeg", "palette"):
        pytest.skip("8 bits only")
    source, count = tmp_path / "many.tif", 40
    with tifffile.TiffWriter(source) as file:
        for _ in range(count):
            pixels = smooth(64, 64).astype(depth)
            if kind == "palette":
                colors = np.tile(np.arange(256, dtype=np.uint16), (3, 1))
                file.write(pixels, photometric="palette", colormap=colors, metadata=None)
            else:
                file.write(pixels, metadata=None, rowsperstrip=16)
    if kind in ("jpeg", "lzw"):
        with Image.open(source) as picture:
            frames = [frame.copy() for frame in ImageSequence.Iterator(picture)]
        compression = {"jpeg": "jpeg", "lzw": "tiff_lzw"}[kind]
        frames[0].save(source, compression=compression, save_all=True, append_images=frames[1:])
    data, given, read = source.read_bytes(), [], []
    directory = Tiff.directory
    monkeypatch.setattr(Tiff, "directory", lambda tiff, start: read.append(start) or directory(tiff, start))
    for name in ("_read_by_pillow", "_read_by_others"):
        watch(monkeypatch, name, given)
    colorizer = Colorizer(tiny_model(tmp_path / "tiny.onnx"))
    seen = []
    target = tmp_path / "out.tif"
    photo.colorize_photo(data, target, colorizer=colorizer, on_page=lambda *page: seen.append(page))
    assert seen == [(number, count) for number in range(1, count + 1)]
    assert sum(given) < 2 * len(data)
    assert len(read) < 20 * count
    if kind != "palette":
        with tifffile.TiffFile(target) as file:
            for page in file.pages:
                found = luma_of_rgb(page.asarray()).astype(int)
                assert np.abs(found - smooth(64, 64).astype(depth)).max() <= (8 if kind == "jpeg" else 1)


def watch(monkeypatch, name, given):
    """Record the sizes of the files that a decoder is given."""
    decode = getattr(module, name)

    def noted(data, *rest):
        given.append(len(data))
        return decode(data, *rest)

    monkeypatch.setattr(module, name, noted)


@pytest.mark.slow
def test_pages_that_overlap_are_refused_at_once(tmp_path):
    """Each of 60,000 directories has 40,000 entries of the same bytes; reading them all would take hours."""
    entries, count = 40_000, 60_000
    data = bytearray(8 + 2 + 12 * entries + 4 * count)
    data[:8] = b"II*\0\x08\0\0\0"
    for number in range(count):
        start = 8 + 4 * number
        struct.pack_into("<H", data, start, entries)
        struct.pack_into("<I", data, start + 2 + 12 * entries, start + 4)
    with pytest.raises(PhotoError, match="its pages overlap"):
        photo.read_photo(bytes(data))


@pytest.mark.parametrize("pages", [1, 2])
def test_no_picture_is_left_without_its_label_if_the_sidecar_cannot_be_written(
    tmp_path, fake_colorizer, monkeypatch, pages
):
    def full(part, path, *, overwrite):
        if path.suffix == ".xmp":
            raise OSError(errno.ENOSPC, "No space left on device")
        publish(part, path, overwrite=overwrite)

    monkeypatch.setattr(atomic, "publish", full)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([smooth(40, 60)] * pages), photometric="minisblack", metadata=None)
    output = OutputOptions(sidecar=True)
    with pytest.raises(PhotoError) as raised:
        photo.colorize_photo(tmp_path / "a.tif", tmp_path / "b.tif", colorizer=fake_colorizer, output=output)
    assert str(raised.value) == f"{tmp_path / 'b.tif.xmp'}: the disk is full: make room, or choose another disk"
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "fake.onnx"}
