"""Metadata: carried from every container to every other, and true of the new picture."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo

from photochrom import Colorizer, photo
from photochrom.photo.formats import icc
from photochrom.photo.formats.image import open_image
from photochrom.photo.inspection import color_images, upright_size
from tests.helpers.metadata import (
    CAPTION,
    GUIDES,
    IPTC,
    MAKER_NOTE,
    PROFILE,
    THUMBNAIL,
    XMP,
    exif_block,
    exif_of,
    source,
    xmp_of,
)
from tests.helpers.photographs import COLOR_FORMATS, coloured, opened, saved, smooth


@pytest.mark.parametrize("target", COLOR_FORMATS)
@pytest.mark.parametrize("origin", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_everything_goes_everywhere(origin: str, target: str) -> None:
    picture = photo.read_photo(source(origin))
    assert picture.luma.shape == (64, 48)
    data = coloured(picture, target)
    exif = exif_of(data, target)
    assert {
        271: "Leitz",
        272: "Leica III",
        306: "2001:02:03 04:05:06",
        315: "A. Jensen",
        33432: "Museum",
    }.items() <= dict(exif).items()
    assert exif.get(274, 1) == 1
    details, place = exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    assert details[0x9003] == "1935:08:01 12:00:00"
    assert bytes(details[0x927C]) == MAKER_NOTE
    assert (details[0xA002], details[0xA003]) == (48, 64)
    assert exif.get_ifd(0xA005)[1] == "R98"
    assert (place[1], place[29]) == ("N", "1935:08:01")
    assert not exif.get_ifd(1)
    assert THUMBNAIL[20:] not in data
    packet = xmp_of(data, target)
    assert b"Harvest at Bjerre" in packet
    assert packet.count(b"<Iptc4xmpExt:DigitalSourceType>") == 1
    assert b"SamplesPerPixel" not in packet
    assert b"Orientation>1</" in packet
    assert b"PixelXDimension>48</" in packet
    info = pytest.importorskip("pillow_heif").open_heif(data).info if target == "HEIF" else opened(data).info
    assert info["icc_profile"] == PROFILE
    if target in ("JPEG", "PNG", "TIFF"):
        assert [round(float(value)) for value in info["dpi"]] == [300, 600]  # the picture was turned


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_in_xmp_alone_turns_nothing(format: str) -> None:
    """Browsers ignore it, too. The new file states 1, so that no reader turns it later."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options = {"PNG": {"pnginfo": info}, "TIFF": {"tiffinfo": {700: XMP}}}.get(format, {"xmp": XMP})
    picture = photo.read_photo(saved(smooth(48, 64), format, **options))
    assert picture.luma.shape == (48, 64)
    assert b"Orientation>1</" in xmp_of(coloured(picture, "TIFF"), "TIFF")


STORED = np.zeros((40, 60, 3), np.uint8)
STORED[:20] = 200, 60, 40


def turned_file(format: str, orientation: int, *, by_xmp: bool) -> bytes:
    """Return a file in colour, upper half red, whose EXIF or only whose XMP states an orientation."""
    fields = Image.Exif()
    fields[0x0112] = orientation
    if not by_xmp:
        return saved(STORED, format, exif=fields)
    packet = XMP.replace(b'Orientation="6"', b'Orientation="%d"' % orientation)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    options = {"PNG": {"pnginfo": info}, "TIFF": {"tiffinfo": {700: packet}}}.get(format, {"xmp": packet})
    return saved(STORED, format, **options)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("orientation", "by_xmp"), [(6, False), (9, False), (0, False), (6, True)])
def test_all_readers_agree_on_the_orientation(format: str, orientation: int, by_xmp: bool, tmp_path: Path) -> None:
    path = tmp_path / "turned"
    path.write_bytes(turned_file(format, orientation, by_xmp=by_xmp))
    upright = np.rot90(STORED, -1) if orientation == 6 and not by_xmp else STORED
    assert photo.read_photo(path).shape == upright.shape[:2]
    assert upright_size(path) == upright.shape[1::-1]
    for image in color_images(path, None, 60):
        assert np.abs(icc.upright_srgb(image).astype(int) - upright).mean() < 20
    assert np.abs(icc.upright_srgb(open_image(path)).astype(int) - upright).mean() < 20


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_pictures_of_pillow_are_turned_like_files(format: str, fake_colorizer: Colorizer) -> None:
    for orientation, by_xmp, size in [(6, False, (40, 60)), (9, False, (60, 40)), (6, True, (60, 40))]:
        image = Image.open(BytesIO(turned_file(format, orientation, by_xmp=by_xmp)))
        colored = fake_colorizer.colorize(image)
        assert colored.size == size
        assert not colored.getexif()


def test_tags_of_a_big_tiff() -> None:
    stream = BytesIO()
    tags = [(315, 2, 0, "A. Jensen", True), (33432, 2, 0, "Museum", True)]
    tifffile.imwrite(stream, smooth(8, 8), bigtiff=True, description="Box 7", metadata=None, extratags=tags)
    for format in ("JPEG", "TIFF"):
        exif = exif_of(coloured(photo.read_photo(stream.getvalue()), format), format)
        assert (exif[270], exif[315], exif[33432]) == ("Box 7", "A. Jensen", "Museum")


def test_the_shape_that_tifffile_notes_is_not_kept() -> None:
    """It is the shape of the grey array, and the coloured array has another."""
    stream = BytesIO()
    tifffile.imwrite(stream, smooth(8, 8), software="Scanner")
    exif = exif_of(coloured(photo.read_photo(stream.getvalue()), "TIFF"), "TIFF")
    assert 270 not in exif
    assert exif[305] == "Scanner"


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_changed_in_place(order: str) -> None:
    """Nothing moves, so that maker notes with offsets from the block's start remain valid."""
    block = exif_block(order)
    data = coloured(photo.read_photo(source("JPEG", order)), "JPEG")
    start = data.index(b"Exif\0\0") + 6
    assert data[start : start + 4] == block[:4]
    for value in (MAKER_NOTE, b"Leica III", b"1935:08:01 12:00:00", b"Museum"):
        assert data.index(value) - start == block.index(value)
    tiff = coloured(photo.read_photo(source("JPEG", order)), "TIFF")
    assert tiff.index(MAKER_NOTE) == block.index(MAKER_NOTE)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_iptc_and_photoshop_resources_are_the_same_bytes(format: str) -> None:
    for origin in ("JPEG", "PNG", "TIFF"):
        data = coloured(photo.read_photo(source(origin)), format)
        info = IptcImagePlugin.getiptcinfo(Image.open(BytesIO(data)))
        assert info is not None
        assert info[(2, 120)] == CAPTION.encode()
        assert info[(2, 25)] == [b"harvest", b"1935"]
        assert IPTC in data
        assert GUIDES in data


@pytest.mark.parametrize("format", COLOR_FORMATS)
def test_an_embargo_in_iptc_is_not_hidden_by_the_label(format: str) -> None:
    """Readers that find instructions in XMP do not read IIM."""
    embargo = b"Embargo: do not publish"
    iptc = b"\x1c" + struct.pack(">BBH", 2, 40, len(embargo)) + embargo + b"\x1c\x02\x69\0\x08Headline"
    picture = photo.read_photo(saved(smooth(8, 8), "TIFF", tiffinfo={33723: iptc}))
    packet = xmp_of(coloured(picture, format), format).decode()
    assert "Instructions>Embargo: do not publish Colours added by software (" in packet
    assert ("Headline" in packet) == (format in ("WEBP", "HEIF", "AVIF"))
    own = XMP.replace(
        b"<dc:desc", b'<p:Instructions xmlns:p="http://ns.adobe.com/photoshop/1.0/">Own</p:Instructions><dc:desc'
    )
    picture = photo.read_photo(saved(smooth(8, 8), "TIFF", tiffinfo={33723: iptc, 700: own}))
    assert "Instructions>Own Colours added by software (" in xmp_of(coloured(picture, format), format).decode()


REGIONS = XMP.replace(
    b"<dc:description>",
    b"""<mwg-rs:Regions xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" rdf:parseType="Resource"/>
<MP:RegionInfo xmlns:MP="http://ns.microsoft.com/photo/1.2/" rdf:parseType="Resource"/>
<Iptc4xmpExt:ImageRegion xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Bag/>
</Iptc4xmpExt:ImageRegion><exif:SubjectArea><rdf:Seq/></exif:SubjectArea><dc:description>""",
)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 6])
def test_regions_are_removed_when_the_picture_is_turned(orientation: int, format: str) -> None:
    """Faces and subjects are given in the coordinates of the pixels as they were stored."""
    exif = Image.Exif()
    exif[274] = orientation
    exif[0x9214] = (3, 4)
    exif[0x8769] = {0x9003: "1935:08:01 12:00:00", 0x9214: (3, 4, 5), 0x927C: MAKER_NOTE, 0xA214: (3, 4)}
    if format == "TIFF":
        exif[700] = REGIONS
    grey = Image.fromarray(np.dstack([smooth(24, 40)] * 3))
    if format == "HEIF":
        stream = BytesIO()
        pytest.importorskip("pillow_heif").from_pillow(grey).save(stream, exif=exif.tobytes(), xmp=REGIONS)
        data = stream.getvalue()
    else:
        data = saved(grey, format, exif=exif.tobytes(), **places_in(format))
    written = coloured(photo.read_photo(data), "JPEG")
    kept = exif_of(written, "JPEG")
    details = kept.get_ifd(0x8769)
    assert details[0x9003] == "1935:08:01 12:00:00"
    assert bytes(details[0x927C]) == MAKER_NOTE
    packet = xmp_of(written, "JPEG")
    assert b"Harvest at Bjerre" in packet
    stays = orientation == 1
    assert [0x9214 in kept, 0x9214 in details, 0xA214 in details] == [stays] * 3
    assert [word in packet for word in (b":Regions", b":RegionInfo", b":ImageRegion", b":SubjectArea")] == [stays] * 4


def places_in(format: str) -> dict[str, object]:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", REGIONS.decode())
    return {"PNG": {"pnginfo": info}, "TIFF": {}}.get(format, {"xmp": REGIONS})


OF_THE_SCAN = b"""<dc:format xmlns:dc="http://purl.org/dc/elements/1.1/">image/x-adobe-dng</dc:format>
<p:ColorMode xmlns:p="http://ns.adobe.com/photoshop/1.0/">1</p:ColorMode>
<Iptc4xmpExt:ImageRegion xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Bag/>
</Iptc4xmpExt:ImageRegion><xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Alt/></xmp:Thumbnails>"""


@pytest.mark.parametrize("target", ["JPEG", "TIFF"])
@pytest.mark.parametrize("beside", [False, True])
def test_xmp_describes_the_output_and_not_the_scan(tmp_path: Path, target: str, beside: bool) -> None:
    """Whether it was in the file or in a sidecar; the picture is turned, so that places in it are no longer true."""
    described, exif = XMP.replace(b"<dc:description>", OF_THE_SCAN + b"<dc:description>"), Image.Exif()
    exif[274] = 6
    if not beside:
        exif[700] = described
    (tmp_path / "a.tif").write_bytes(saved(smooth(24, 40), "TIFF", exif=exif.tobytes()))
    if beside:
        (tmp_path / "a.tif.xmp").write_bytes(described)
    packet = xmp_of(coloured(photo.read_photo(tmp_path / "a.tif"), target), target)
    assert b"Harvest at Bjerre" in packet
    assert f"format>image/{target.lower()}</".encode() in packet
    assert b"ColorMode>3</" in packet
    assert b"Thumbnails" not in packet
    assert b"ImageRegion" not in packet
