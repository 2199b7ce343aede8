"""Content that no output keeps is named, references to it are removed, and misread files are read correctly."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from photochrom import Colorizer, photo
from photochrom.errors import PhotoError
from photochrom.photo.formats import exif, tiff_cut, tiff_writer
from photochrom.photo.formats.image import Metadata, Planes
from photochrom.photo.inspection import count_pages
from photochrom.photo.metadata import format_warnings
from tests.helpers.photographs import bt601, coloured, opened, saved, smooth

GREY = smooth(90, 120)
RGB = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])
FILM = b"\0\0\0 ftypisom" + bytes(300)
RDF = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{}</rdf:RDF></x:xmpmeta>'


def description(namespaces: str, content: str) -> bytes:
    return RDF.format(f'<rdf:Description rdf:about="" {namespaces}>{content}</rdf:Description>').encode()


CONTAINER = description(
    'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="9" '
    'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="kept"',
    '<c:Directory xmlns:c="http://ns.google.com/photos/1.0/container/"><rdf:Seq><rdf:li/></rdf:Seq></c:Directory>',
)


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg_with(segments: bytes = b"", trailer: bytes = b"") -> bytes:
    data = saved(GREY, "JPEG")
    return data[:2] + segments + data[2:] + trailer


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg_with(), None),
        (jpeg_with(trailer=b"\0" * 20), None),
        (jpeg_with(trailer=FILM), "film (motion photo)"),
        (jpeg_with(trailer=b"junk MotionPhoto_Data" + FILM), "film (motion photo)"),
        (jpeg_with(trailer=saved(GREY[:30], "JPEG")), "further pictures"),
        (jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + CONTAINER), saved(GREY[:30], "JPEG")), "gain map"),
        (jpeg_with(segment(0xEB, b"JP\0\0\0\0\0\1\0\0\0 jumbc2pa")), "content credentials"),
        (jpeg_with(segment(0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\0") + segment(0xE2, b"MPF\0II*\0")), None),
        (jpeg_with(segment(0xE6, b"NITF\0\2") * 2), "its segment APP6 (NITF) is not kept"),
        (
            jpeg_with(segment(0xE1, b"Exif\0\0") * 2 + segment(0xEC, b"Agfa")),
            "its segments APP1 (Exif) and APP12 (Agfa) are not",
        ),
    ],
)
def test_content_that_a_jpeg_loses_is_named(data: bytes, expected: str | None) -> None:
    picture = photo.read_photo(data)
    assert np.array_equal(picture.luma, np.asarray(Image.open(BytesIO(saved(GREY, "JPEG")))))
    if expected is None:
        assert picture.warnings == ()
    else:
        assert len(picture.warnings) == 1
        assert expected in picture.warnings[0]


def test_xmp_no_longer_refers_to_removed_content() -> None:
    data = jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + CONTAINER), FILM)
    packet = opened(coloured(photo.read_photo(data), "JPEG")).info["xmp"]
    assert b"kept" in packet
    for gone in (b"MotionPhoto", b"MicroVideo", b"Directory", b"hdrgm:Version"):
        assert gone not in packet


@pytest.mark.parametrize(("grey", "gone"), [("True", True), ("False", False)])
def test_settings_that_make_editors_show_grey_are_removed(grey: str, gone: bool) -> None:
    settings = f'xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:ConvertToGrayscale="{grey}" crs:Tint="7"'
    data = jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + description(settings, "")))
    packet = opened(coloured(photo.read_photo(data), "JPEG")).info["xmp"]
    assert (b"ConvertToGrayscale" not in packet) == gone
    assert b"Tint" in packet


def chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png_with(*chunks: bytes) -> bytes:
    data = saved(GREY, "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


CUT = zlib.compress(bytes(range(256)) * 20)[:-30]


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (chunk(b"zTXt", b"Comment\0\0" + CUT), "damaged text 'Comment'"),
        (chunk(b"iTXt", b"Title\0\1\0\0\0" + CUT), "damaged text 'Title'"),
        (chunk(b"zTXt", b"Raw profile type xmp\0\0" + b"no zlib"), "damaged text 'Raw profile type xmp'"),
        (chunk(b"iCCP", b"scanner\0\0" + CUT), "damaged ICC profile"),
        (chunk(b"caBX", b"jumb"), "content credentials"),
    ],
)
def test_a_damaged_text_or_profile_refuses_no_picture(extra: bytes, expected: str) -> None:
    picture = photo.read_photo(png_with(extra))
    assert np.array_equal(picture.luma, GREY)
    assert len(picture.warnings) == 1
    assert expected in picture.warnings[0]


def data_set(number: int, value: bytes, record: int = 2) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def raw_profile(kind: str, block: bytes) -> bytes:
    text = f"\n{kind}\n{len(block):8d}\n{block.hex()}\n".encode()
    return chunk(b"zTXt", f"Raw profile type {kind}\0\0".encode() + zlib.compress(text))


@pytest.mark.parametrize("reverse", [False, True])
def test_bare_iptc_beside_photoshops_resources(reverse: bool) -> None:
    """Both are kept, in either order, and bare IIM is not mistaken for a resource."""
    caption, embargo = data_set(120, b"A market"), data_set(30, b"19450508")
    resolution = struct.pack(">4sHHI", b"8BIM", 0x03ED, 0, 16) + bytes(16)
    inside = struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(caption)) + caption + b"\0" * (len(caption) % 2)
    chunks = [raw_profile("8bim", inside + resolution), raw_profile("iptc", embargo)]
    metadata = photo.read_photo(png_with(*(chunks[::-1] if reverse else chunks))).metadata
    assert metadata.iptc is not None
    assert caption in metadata.iptc
    assert embargo in metadata.iptc
    assert metadata.photoshop == resolution


def test_content_that_a_format_cannot_hold_is_named() -> None:
    metadata = photo.read_photo(png_with(raw_profile("iptc", data_set(118, b"Me") + data_set(120, b"x")))).metadata
    assert list(format_warnings(metadata, 8, "JPEG")) == []
    assert [line for line in format_warnings(metadata, 8, "WEBP") if "IPTC data (contact)" in line]
    assert [line for line in format_warnings(metadata, 16, "AVIF") if "more than 8 bits, which are rounded" in line]
    assert not [line for line in format_warnings(metadata, 16, "PNG") if "bits" in line]


@pytest.mark.parametrize(("code", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_name(code: int, name: str) -> None:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = int.from_bytes(profile[128:132], "big")
    cicp = b"cicp\0\0\0\0" + bytes([9, code, 0, 1])
    struct.pack_into(">4sII", profile, 132, b"cicp", len(profile), len(cicp))
    assert tags > 0
    heic = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + struct.pack(">I4s4sHHHB", 19, b"colr", b"nclx", 9, code, 9, 128)
    avif = heic.replace(b"mif1heic", b"mif1avif")
    files = [png_with(chunk(b"cICP", bytes([9, code, 0, 1]))), heic, avif]
    files.append(saved(GREY, "JPEG", icc_profile=bytes(profile + cicp)))
    for data in files:
        with pytest.raises(PhotoError, match=rf"is an HDR picture \({name}\).*convert it to SDR first"):
            photo.read_photo(data)
    assert np.array_equal(photo.read_photo(png_with(chunk(b"cICP", bytes([9, 1, 0, 1])))).luma, GREY)


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream.getvalue()


def patched(data: bytes, tag: int, value: int) -> bytes:
    """Return a little-endian classic TIFF with another SHORT in a tag."""
    changed = bytearray(data)
    for kind in (3, 4):
        place = data.find(struct.pack("<HHI", tag, kind, 1))
        if place >= 0:
            struct.pack_into("<HHII", changed, place, tag, 3, 1, value)
    return bytes(changed)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("top", [255, 65535])
def test_palettes_of_bytes(order: str, top: int) -> None:
    ramp = (np.arange(256) * (top // 255)).astype(np.uint16)
    data = tiff(255 - GREY, photometric="palette", colormap=np.stack([ramp[::-1]] * 3), byteorder=order)
    assert np.array_equal(photo.read_photo(data).luma, GREY)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("samples", [1, 3])
def test_bigtiff_of_either_byte_order(order: str, compression: str | None, dtype: type, samples: int) -> None:
    pixels = (GREY if samples == 1 else RGB).astype(dtype)
    data = tiff(pixels, bigtiff=True, byteorder=order, compression=compression, rowsperstrip=20, resolution=(300, 300))
    assert data[2:4] in (b"+\0", b"\0+")
    picture = photo.read_photo(data)
    expected = GREY if samples == 1 else bt601(pixels)
    assert np.abs(picture.luma.astype(int) - expected.astype(int)).max() <= (samples == 3)  # a half rounds either way
    assert picture.metadata.density is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("extras", [1, 2])
def test_extra_channels_are_kept_in_a_tiff_and_named_elsewhere(
    tmp_path: Path, fake_colorizer: Colorizer, dtype: type, compression: str | None, extras: int
) -> None:
    """The extra channel is a film scanner's infrared."""
    scale = 257 if dtype == np.uint16 else 1
    rgb, infrared = (array.astype(dtype) * scale for array in (RGB, GREY[::-1]))
    if compression == "lzw":
        if extras == 2:
            pytest.skip("written by OpenCV, which knows one extra channel")
        _, coded = cv2.imencode(".tif", np.dstack([rgb[..., ::-1], infrared]))
        data = patched(coded.tobytes(), 338, 0)
    else:
        options = {"photometric": "rgb", "extrasamples": ["unspecified"] * extras}
        data = tiff(np.dstack([rgb, *[infrared] * extras]), compression=compression, **options)
    picture = photo.read_photo(data)
    assert np.abs(picture.luma.astype(int) - bt601(rgb).astype(int)).max() <= 1  # a half rounds either way
    assert picture.alpha is None
    report = photo.colorize_photo(data, tmp_path / "out.tif", colorizer=fake_colorizer)
    assert not report.warnings
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].extrasamples == (0,) * extras
        stored = file.asarray().astype(int)
    assert all((stored[..., 3 + number] == infrared).all() for number in range(extras))
    assert np.abs(bt601(stored[..., :3]) - picture.luma).max() <= 1
    again = photo.read_photo(tmp_path / "out.tif")
    assert again.extra is not None
    assert (again.extra == stored[..., 3:]).all()
    (warning,) = photo.colorize_photo(data, tmp_path / "out.png", colorizer=fake_colorizer).warnings
    assert "extra channel" in warning
    assert "not kept in PNG: write TIFF to keep" in warning


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_an_unspecified_extra_channel_of_8_bits_is_kept(compression: str) -> None:
    """ExtraSamples is 0, for which Pillow returns three channels of the four."""
    image = Image.frombytes("RGBX", GREY.shape[::-1], np.dstack([RGB, GREY[::-1]]).tobytes())
    picture = photo.read_photo(saved(image, "TIFF", compression=compression))
    assert picture.alpha is None
    assert picture.extra is not None
    assert (picture.extra[..., 0] == GREY[::-1]).all()
    assert np.abs(picture.luma.astype(int) - bt601(RGB).astype(int)).max() <= 1
    assert picture.warnings == ()


def test_extra_channels_turn_with_the_picture(tmp_path: Path, fake_colorizer: Colorizer) -> None:
    infrared = GREY[::-1]
    pixels = np.dstack([RGB, infrared])
    data = tiff(pixels, photometric="rgb", extrasamples=["unspecified"], extratags=[(274, "H", 1, 6, True)])
    photo.colorize_photo(data, tmp_path / "out.tif", colorizer=fake_colorizer)
    assert (tifffile.imread(tmp_path / "out.tif")[..., 3] == np.rot90(infrared, -1)).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pictures", [1, 2])
def test_pages_of_infrared_are_kept_as_they_are(
    tmp_path: Path, fake_colorizer: Colorizer, order: str, pictures: int
) -> None:
    """The layout of SilverFast's HDRi: the picture, its preview, and infrared as a page that is a mask (254 = 4)."""
    source, target = tmp_path / "scan.tif", tmp_path / "out.tif"
    infrared = GREY.astype(np.uint16) * 257
    with tifffile.TiffWriter(source, byteorder=order) as file:
        for _ in range(pictures):
            file.write(RGB.astype(np.uint16) * 257, photometric="rgb", metadata=None)
        file.write(RGB[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        file.write(infrared, subfiletype=2, compression="zlib", rowsperstrip=9, description="infrared", metadata=None)
    with tifffile.TiffFile(source, mode="r+b") as file:
        file.pages[-1].tags[254].overwrite(4)  # which tifffile writes for bilevel masks only
    report = photo.colorize_photo(source, target, colorizer=fake_colorizer)
    assert report.warnings == ()
    assert report.pages == pictures
    with tifffile.TiffFile(target) as file:
        assert [page.subfiletype for page in file.pages] == [0] * pictures + [4]
        assert (file.pages[-1].asarray() == infrared).all()
        assert file.pages[-1].description == "infrared"
    assert [image.shape for image in photo_pages(target)] == [GREY.shape] * pictures
    if pictures == 1:
        (warning,) = photo.colorize_photo(source, tmp_path / "out.jpg", colorizer=fake_colorizer).warnings[1:]
        assert "page of a mask (or of infrared, as film scanners store it) is not kept in JPEG" in warning


def test_a_mask_that_would_make_a_tiff_larger_than_4_gb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets of more than 32 bits would end in a struct.error."""
    luma = np.full((8, 8), 90, np.uint8)
    neutral = np.full_like(luma, 128)
    planes = Planes(luma, neutral, neutral)
    source = exif.open_tiff(tiff(GREY))
    mask = tiff_cut.page_file(source, source.directory(source.first)[0])
    monkeypatch.setattr(tiff_writer, "_MAX_FILE", 1000)
    tiff_writer.write(BytesIO(), planes, Metadata())
    with pytest.raises(PhotoError, match="more than 4 GB"):
        tiff_writer.write(BytesIO(), planes, Metadata(), masks=[mask])


def photo_pages(path: Path) -> list[np.ndarray]:
    data = path.read_bytes()
    return [photo.read_photo(data, page=number + 1).luma for number in range(count_pages(data))]


def ycbcr(h: int, v: int, rows: int) -> tuple[bytes, np.ndarray]:
    """Return an uncompressed YCbCr TIFF of odd size, as TIFF 6.0 specifies it, and its luma."""
    luma = smooth(61, 83)
    height, width = luma.shape
    strips = []
    for top in range(0, height, rows):
        part = luma[top : top + rows]
        units = bytearray()
        for y in range(0, len(part), v):
            for x in range(0, width, h):
                block = [part[min(y + j, len(part) - 1), min(x + i, width - 1)] for j in range(v) for i in range(h)]
                units += bytes([*block, 90, 160])
        strips.append(bytes(units))
    tags = [(256, 3, [width]), (257, 3, [height]), (258, 3, [8, 8, 8]), (259, 3, [1]), (262, 3, [6])]
    tags += [(273, 4, [0] * len(strips)), (277, 3, [3]), (278, 3, [rows]), (279, 4, [len(s) for s in strips])]
    tags += [(530, 3, [h, v])]
    body = bytearray(8 + 2 + 12 * len(tags) + 4)
    places = []
    for strip in strips:
        places.append(len(body))
        body += strip + b"\0" * (len(strip) % 2)
    tags[5] = (273, 4, places)
    struct.pack_into("<2sHIH", body, 0, b"II", 42, 8, len(tags))
    for number, (tag, kind, values) in enumerate(tags):
        value = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(value) > 4:
            place = len(body)
            body += value
            value = struct.pack("<I", place)
        struct.pack_into("<HHI4s", body, 10 + 12 * number, tag, kind, len(values), value.ljust(4, b"\0"))
    return bytes(body), luma


@pytest.mark.parametrize(("h", "v"), [(1, 1), (2, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("rows", [16, 61])
def test_uncompressed_ycbcr(h: int, v: int, rows: int) -> None:
    data, luma = ycbcr(h, v, rows)
    assert np.array_equal(photo.read_photo(data).luma, luma)
    with pytest.raises(PhotoError):
        photo.read_photo(patched(data, 257, 610))


def jpeg_in_tiff(photometric: int, compression: int, tags: list[tuple[int, int]]) -> bytes:
    """Return a JPEG stream behind a directory; the value 0 stands for the offset of the stream."""
    stream = saved(RGB, "JPEG", quality=90)
    rows = [(256, 120), (257, 90), (258, 8), (259, compression), (262, photometric), (277, 3), *tags]
    size = 8 + 2 + 12 * len(rows) + 4
    values = {0: size, 1: len(stream)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, values.get(value, value)) for tag, value in sorted(rows))
    return struct.pack("<2sHIH", b"II", 42, 8, len(rows)) + table + bytes(4) + stream


@pytest.mark.parametrize(
    ("photometric", "compression", "tags"),
    [
        (6, 6, [(513, 0), (514, 1)]),
        (6, 6, [(513, 0)]),
        (2, 7, [(273, 0), (279, 1), (278, 90)]),
        (6, 7, [(273, 0), (279, 1), (278, 90)]),
    ],
)
def test_jpeg_in_tiff(photometric: int, compression: int, tags: list[tuple[int, int]]) -> None:
    """One file is old-style without strips; the other is new-style, declared as RGB but YCbCr."""
    expected = np.asarray(Image.open(BytesIO(saved(RGB, "JPEG", quality=90))).convert("L")).astype(int)
    luma = photo.read_photo(jpeg_in_tiff(photometric, compression, tags)).luma.astype(int)
    assert np.abs(luma - expected).max() <= 2


@pytest.mark.parametrize(("gamma", "is_named"), [(100_000, True), (45_455, False)])
def test_the_gamma_of_a_png_is_named_where_it_is_lost(gamma, is_named):
    metadata = Metadata(native=((b"gAMA", struct.pack(">I", gamma)),))
    note = "its gamma or primaries (gAMA) are not kept in JPEG: write PNG to keep them"
    assert list(format_warnings(metadata, 8, "JPEG")) == ([note] if is_named else [])
    assert list(format_warnings(metadata, 8, "PNG")) == []
    assert list(format_warnings(replace(metadata, icc=b"a profile"), 8, "JPEG")) == []
