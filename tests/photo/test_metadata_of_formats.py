"""Metadata that only some containers have: chunks, comments, densities, extended packets, damage."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from photochrom import photo
from photochrom.errors import PhotoError
from tests.helpers.metadata import (
    CAPTION,
    GUIDES,
    IPTC,
    XMP,
    directory,
    exif_block,
    exif_of,
    resource,
    source,
    xmp_of,
)
from tests.helpers.photographs import coloured, opened, saved, smooth


def test_iptc_in_png_as_imagemagick_writes_it() -> None:
    data = coloured(photo.read_photo(source("JPEG")), "PNG")
    text = opened(data).text["Raw profile type iptc"].split("\n")
    assert text[1] == "iptc"
    assert bytes.fromhex(text[3]) == resource(0x0404, IPTC) + GUIDES
    assert int(text[2]) == len(text[3]) // 2


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_iptc_becomes_xmp_where_a_format_has_no_place_for_it(format: str) -> None:
    packet = xmp_of(coloured(photo.read_photo(source("TIFF")), format), format).decode()
    assert "<rdf:li>harvest</rdf:li><rdf:li>1935</rdf:li>" in packet
    assert "DateCreated" in packet
    assert ">1935-08<" in packet
    assert CAPTION not in packet  # the packet has a description of its own
    assert "<dc:creator><rdf:Seq><rdf:li>A. Jensen</rdf:li>" in packet


@pytest.mark.parametrize(
    ("declared", "text", "read"),
    [
        (b"", "Grüße".encode(), "Grüße"),
        (b"", "Grüße".encode("latin-1"), "Grüße"),
        (b"", "“Grüße”".encode("cp1252"), "“Grüße”"),
        (b"\x1c\x01\x5a\0\x03\x1b%G", "Grüße ü".encode()[:-1], "Grüße \ufffd"),  # cut off within a character
    ],
)
def test_iptc_is_read_in_utf_8_even_if_it_does_not_say_so(declared: bytes, text: bytes, read: str) -> None:
    iptc = declared + b"\x1c\x02\x69" + struct.pack(">H", len(text)) + text
    picture = photo.read_photo(saved(smooth(8, 8), "TIFF", tiffinfo={33723: iptc}))
    assert f"Headline>{read}<" in xmp_of(coloured(picture, "WEBP"), "WEBP").decode()


def test_text_of_a_png_is_read_in_utf_8_even_where_latin_1_is_prescribed() -> None:
    data = saved(smooth(8, 8), "PNG")
    payload = b"Title\0" + "Grüße".encode()
    chunk = struct.pack(">I", len(payload)) + b"tEXt" + payload + struct.pack(">I", zlib.crc32(b"tEXt" + payload))
    picture = photo.read_photo(data[:33] + chunk + data[33:])
    assert "Title: Grüße" in xmp_of(coloured(picture, "TIFF"), "TIFF").decode()
    assert payload in coloured(picture, "PNG")


def test_tiff_tags() -> None:
    data = coloured(photo.read_photo(source("TIFF")), "TIFF")
    with tifffile.TiffFile(BytesIO(data)) as file:
        assert len(file.pages) == 1
        tags = {tag.code: tag.value for tag in file.pages[0].tags}
    expected = {269: "Document", 270: "Box 7", 271: "Leitz", 305: "Scan 1.2", 316: "Scanner", 33432: "Museum"}
    assert expected.items() <= tags.items()
    assert tags[258] == (8, 8, 8)
    assert tags[262] == 2
    assert tags[282] == (300, 1)
    assert tags[274] == 1
    assert 37724 not in tags  # layers, still grey
    assert 34377 in tags


def test_png_chunks() -> None:
    data = coloured(photo.read_photo(source("PNG")), "PNG")
    image = opened(data)
    assert image.text["Title"] == "Harvest"
    assert image.text["Author"] == "Jørgen"
    assert image.text["Remark"] == "Жатва"
    assert image.text["Remark"].lang == "ru"
    assert image.info["gamma"] == pytest.approx(0.45455)
    assert b"saFeprivate, safe to copy" in data
    assert b"unSA" not in data
    assert data.count(b"iTXtXML:com.adobe.xmp") == 1
    assert data.index(b"gAMA") < data.index(b"IDAT")


def test_chunks_of_a_png_are_not_comments_of_a_jpeg() -> None:
    info = PngInfo()
    info.add(b"gAMA", struct.pack(">I", 45455))
    assert "comment" not in opened(coloured(photo.read_photo(saved(smooth(8, 8), "PNG", pnginfo=info)), "JPEG")).info


@pytest.mark.parametrize("target", ["JPEG", "TIFF", "WEBP"])
def test_texts_of_a_png_become_remarks(target: str) -> None:
    packet = xmp_of(coloured(photo.read_photo(source("PNG")), target), target).decode()
    for line in ("Title: Harvest", "Author: Jørgen", "Remark: Жатва"):
        assert f"<rdf:li>{line}</rdf:li>" in packet


def test_comment_of_a_jpeg() -> None:
    picture = photo.read_photo(source("JPEG"))
    assert opened(coloured(picture, "JPEG")).info["comment"] == b"a comment"
    assert b"<rdf:li>Comment: a comment</rdf:li>" in xmp_of(coloured(picture, "PNG"), "PNG")


@pytest.mark.parametrize(("unit", "down"), [(0, 119), (1, 119), (2, 119), (0, 117)])
def test_jfif_density_to_the_bit(unit: int, down: int) -> None:
    """Without a unit, the numbers are the shape of the pixels, and nothing if they are equal."""
    data = bytearray(saved(smooth(8, 8), "JPEG"))
    data[13:18] = struct.pack(">BHH", unit, 117, down)
    again = coloured(photo.read_photo(bytes(data)), "JPEG")
    assert again[:2] + again[6:11] == b"\xff\xd8JFIF\0"
    assert struct.unpack(">BHH", again[13:18]) == ((0, 1, 1) if down == 117 else (unit, 117, down))


def png_chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload), name) + payload + struct.pack(">I", zlib.crc32(name + payload))


@pytest.mark.parametrize("density", [(11811, 23622, 1), (1, 2, 0), (3937, 3937, 1)])
def test_png_density_to_the_bit(density: tuple[int, int, int]) -> None:
    gamma, shape = png_chunk(b"gAMA", struct.pack(">I", 45455)), png_chunk(b"pHYs", struct.pack(">IIB", *density))
    data = saved(smooth(8, 8), "PNG")
    assert shape in coloured(photo.read_photo(data[:33] + gamma + shape + data[33:]), "PNG")


def test_the_shape_of_pixels_that_ffmpeg_inverts_is_corrected() -> None:
    """FFmpeg writes width and height of a pixel into pHYs, which states pixels per unit along x and y."""
    data = saved(smooth(8, 8), "PNG")
    theirs, ours = (png_chunk(b"pHYs", struct.pack(">IIB", *shape, 0)) for shape in [(16, 15), (15, 16)])
    assert ours in coloured(photo.read_photo(data[:33] + theirs + data[33:]), "PNG")


@pytest.mark.parametrize(("origin", "target"), [("PNG", "JPEG"), ("JPEG", "PNG"), ("JPEG", "TIFF"), ("TIFF", "JPEG")])
def test_resolution_survives_the_change_of_container(origin: str, target: str) -> None:
    data = saved(smooth(8, 8), origin, dpi=(300, 1200))
    dpi = opened(coloured(photo.read_photo(data), target)).info["dpi"]
    assert [float(value) for value in dpi] == pytest.approx([300, 1200], rel=1e-4)
    assert target == "PNG" or [int(value) for value in dpi] == [300, 1200]


@pytest.mark.parametrize("target", ["WEBP", "AVIF", "HEIF"])
def test_resolution_without_a_place_goes_into_exif(target: str) -> None:
    exif = exif_of(coloured(photo.read_photo(saved(smooth(8, 8), "JPEG", dpi=(300, 600))), target), target)
    assert (exif[282], exif[283], exif[296]) == (300, 600, 2)


@pytest.mark.parametrize("target", ["WEBP", "AVIF"])
def test_resolution_that_exif_lacks_goes_into_xmp(target: str) -> None:
    exif = Image.Exif()
    exif[271] = "Leitz"
    data = coloured(photo.read_photo(saved(smooth(8, 8), "JPEG", dpi=(300, 600), exif=exif.tobytes())), target)
    packet = xmp_of(data, target)
    for said in (b"tiff:XResolution>300/1<", b"tiff:YResolution>600/1<", b"tiff:ResolutionUnit>2<"):
        assert said in packet


@pytest.mark.parametrize(("kind", "values"), [("B", (6,)), ("H", (6, 6)), ("H", (6, 1, 1))])
def test_an_orientation_in_an_unusual_form_is_undone_too(kind: str, values: tuple[int, ...]) -> None:
    packed = struct.pack(f"<{len(values)}{kind}", *values)
    place, rest = (packed.ljust(4, b"\0"), b"") if len(packed) <= 4 else (struct.pack("<I", 26), packed)
    row = struct.pack("<HHI", 274, {"B": 1, "H": 3}[kind], len(values)) + place
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + row + struct.pack("<I", 0) + rest
    picture = photo.read_photo(saved(smooth(24, 40), "JPEG", exif=block))
    assert picture.luma.shape == (40, 24)
    assert photo.read_photo(coloured(picture, "JPEG")).luma.shape == (40, 24)


def test_raw_exif_profile_in_a_png() -> None:
    """ImageMagick stored EXIF like this before PNG had a chunk for it; its orientation counts, too."""
    block = b"Exif\0\0" + exif_block()
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n{block.hex()}\n", zip=True)
    picture = photo.read_photo(saved(smooth(48, 64), "PNG", pnginfo=info))
    assert picture.luma.shape == (64, 48)
    data = coloured(picture, "PNG")
    assert b"Raw profile" not in data
    assert Image.open(BytesIO(data)).getexif()[271] == "Leitz"


def test_long_xmp_is_continued_and_joined() -> None:
    """A JPEG segment holds 64 KB, so a long packet continues in a second one."""
    long = XMP.replace(b"Harvest at Bjerre", b"Harvest at Bjerre " + b"x" * 200_000)
    picture = photo.read_photo(saved(smooth(8, 8), "TIFF", tiffinfo={700: long}))
    data = coloured(picture, "JPEG")
    assert opened(data).size == (8, 8)
    assert data.count(b"http://ns.adobe.com/xmp/extension/\0") == 4
    first = data[data.index(b"http://ns.adobe.com/xap/1.0/\0") : data.index(b"http://ns.adobe.com/xmp/extension/\0")]
    for said in (b"<Iptc4xmpExt:DigitalSourceType>", b"<photochrom:Statement>", b"<photoshop:Instructions>"):
        assert said in first  # which is all that many readers open
    again = photo.read_photo(data)
    assert again.metadata.xmp is not None
    assert b"x" * 200_000 in again.metadata.xmp
    assert b"HasExtendedXMP" not in again.metadata.xmp
    assert again.metadata.xmp.count(b"<Iptc4xmpExt:DigitalSourceType>") == 1
    assert b"x" * 200_000 in xmp_of(coloured(again, "PNG"), "PNG")
    assert coloured(again, "JPEG").count(b"http://ns.adobe.com/xmp/extension/\0") == 4


def test_a_damaged_continuation_of_xmp_is_kept_and_the_picture_read() -> None:
    long = XMP.replace(b"Harvest at Bjerre", b"Harvest at Bjerre " + b"x" * 70_000)
    data = coloured(photo.read_photo(saved(smooth(8, 8), "TIFF", tiffinfo={700: long})), "JPEG")
    spoilt = data.replace(b"x" * 60_000, b"<" * 60_000)
    assert spoilt != data
    again = photo.read_photo(spoilt)
    assert again.metadata.xmp is not None
    assert b"UnreadableXMP" in again.metadata.xmp
    assert b"DigitalSourceType" in xmp_of(coloured(again, "PNG"), "PNG")


@pytest.mark.parametrize(("marker", "payload"), [(0xE0, b"JFIF\0\1\1"), (0xE2, b"ICC_PROFILE\0")])
def test_a_segment_that_is_too_short_is_passed_over(marker: int, payload: bytes) -> None:
    data = saved(smooth(8, 8), "JPEG")
    segment = bytes([0xFF, marker]) + (2 + len(payload)).to_bytes(2, "big") + payload
    assert photo.read_photo(data[:2] + segment + data[2:]).luma.shape == (8, 8)


def test_more_exif_than_a_jpeg_holds() -> None:
    tag = {37510: (7, bytes(70_000))}
    block = b"II*\0\x08\0\0\0" + directory("<", 8, tag)
    picture = photo.read_photo(saved(smooth(8, 8), "PNG", exif=block))
    with pytest.raises(PhotoError, match="more EXIF than a JPEG can hold"):
        coloured(picture, "JPEG")
    assert coloured(picture, "TIFF")


@pytest.mark.parametrize("block", [b"II*\0\xff\xff\0\0 of no use", b"of no use at all", b"II*\0"])
def test_damaged_exif_is_kept_where_it_can_be(block: bytes) -> None:
    picture = photo.read_photo(saved(smooth(8, 8), "JPEG", exif=b"Exif\0\0" + block))
    assert b"Exif\0\0" + block in coloured(picture, "JPEG")
    with pytest.raises(PhotoError, match="damaged EXIF"):
        coloured(picture, "TIFF")
    if not block.startswith(b"II*\0\xff"):
        with pytest.raises(PhotoError, match="write another format"):
            coloured(picture, "AVIF")


def test_cmyk_becomes_srgb_and_the_metadata_say_so() -> None:
    ink = Image.merge("CMYK", [Image.fromarray(smooth(48, 64) // n) for n in (1, 2, 3, 4)])
    block = exif_block(orientation=1)
    data = coloured(photo.read_photo(saved(ink, "JPEG", exif=b"Exif\0\0" + block)), "JPEG")
    assert opened(data).mode == "RGB"
    assert Image.open(BytesIO(data)).getexif().get_ifd(0x8769)[0xA001] == 1
    kept = coloured(photo.read_photo(saved(smooth(48, 64), "JPEG", exif=b"Exif\0\0" + block)), "JPEG")
    assert Image.open(BytesIO(kept)).getexif().get_ifd(0x8769)[0xA001] == 65535


def test_no_metadata_are_made_from_none() -> None:
    """A file without metadata gets the label, and no more."""
    for format in ("JPEG", "PNG", "TIFF", "WEBP"):
        data = coloured(photo.read_photo(saved(smooth(8, 8), "PNG")), format)
        image = opened(data)
        assert "icc_profile" not in image.info
        assert not Image.open(BytesIO(data)).getexif().get_ifd(0x8769)
        assert np.asarray(image.convert("RGB")).shape == (8, 8, 3)
