"""Metadata: from every container into every container, and true of the new picture when it gets there."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo

from photochrom import photo
from photochrom.errors import PhotoError
from tests.helpers.photographs import COLOR_FORMATS, coloured, opened, saved, smooth

XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" tiff:Orientation="6" tiff:SamplesPerPixel="1" exif:PixelXDimension="64">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Harvest at Bjerre</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
CAPTION = "Høst ved Bjerre"
IPTC = b"".join(
    b"\x1c" + struct.pack(">BBH", record, number, len(value)) + value
    for record, number, value in [
        (1, 90, b"\x1b%G"),
        (2, 25, b"harvest"),
        (2, 25, b"1935"),
        (2, 55, b"19350800"),
        (2, 80, b"A. Jensen"),
        (2, 105, b"Headline"),
        (2, 120, CAPTION.encode()),
    ]
)
THUMBNAIL = saved(smooth(16, 16), "JPEG")
MAKER_NOTE = b"Maker\0" + bytes(range(64))
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def resource(kind: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", kind, 0, len(content)) + content + b"\0" * (len(content) % 2)


GUIDES = resource(0x0408, b"\0\0\0\1guides")
RESOURCES = GUIDES + resource(0x0404, IPTC) + resource(0x040C, b"thumbnail " + THUMBNAIL)


def directory(order: str, start: int, tags: dict[int, tuple[int, object]], following: int = 0) -> bytes:
    """A TIFF directory to stand at ``start``, values behind it. Types: 2 text, 3 short, 4 long, 5 rational, 7 bytes."""
    rows, body = b"", b""
    behind = start + 2 + 12 * len(tags) + 4
    for tag, (kind, value) in sorted(tags.items()):
        if kind == 5:
            raw, count = struct.pack(order + "II", *value), 1
        elif kind in (3, 4):
            raw, count = struct.pack(order + {3: "H", 4: "I"}[kind], value), 1
        else:
            raw, count = bytes(value), len(value)
        if len(raw) > 4:
            raw, body = struct.pack(order + "I", behind + len(body)), body + raw + b"\0" * (len(raw) % 2)
        rows += struct.pack(order + "HHI", tag, kind, count) + raw.ljust(4, b"\0")
    return struct.pack(order + "H", len(tags)) + rows + struct.pack(order + "I", following) + body


def exif_block(
    order: str = "<",
    orientation: int = 6,
    width: int = 64,
    height: int = 48,
    *,
    start: int = 8,
    pixels: bytes = b"",
    extra: dict[int, tuple[int, object]] | None = None,
) -> bytes:
    """An EXIF block with everything in it, laid out as cameras do; with ``pixels`` and ``extra`` tags, a TIFF file."""
    main = {
        256: (4, width), 262: (3, 1), 277: (3, 1), 271: (2, b"Leitz\0"), 272: (2, b"Leica III\0"),
        274: (3, orientation), 282: (5, (600, 1)), 283: (5, (300, 1)), 296: (3, 2), 305: (2, b"Scan 1.2\0"),
        306: (2, b"2001:02:03 04:05:06\0"), 315: (2, b"A. Jensen\0"), 33432: (2, b"Museum\0"),
        0x8769: (4, 0), 0x8825: (4, 0),
        **(extra or {}),
    }  # fmt: skip
    details = {
        0x9003: (2, b"1935:08:01 12:00:00\0"), 0x927C: (7, MAKER_NOTE), 0xA001: (3, 65535), 0xA002: (3, width),
        0xA003: (3, height), 0xA005: (4, 0),
    }  # fmt: skip
    place = {1: (2, b"N\0"), 2: (5, (56, 1)), 29: (2, b"1935:08:01\0")}
    behind = start + len(directory(order, start, main))
    main[0x8769] = (4, behind)
    details[0xA005] = (4, behind + len(directory(order, 0, details)))
    block = directory(order, behind, details)
    block += directory(order, behind + len(block), {1: (2, b"R98\0")})
    main[0x8825] = (4, behind + len(block))
    block += directory(order, behind + len(block), place)
    second = behind + len(block)
    thumbnail = {259: (3, 6), 513: (4, second + 2 + 3 * 12 + 4), 514: (4, len(THUMBNAIL))}
    if pixels:  # in a TIFF file, a second directory would be a second page
        second = 0
    else:
        block += directory(order, second, thumbnail) + THUMBNAIL
    header = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", start)
    return header + pixels + directory(order, start, main, second) + block


def source(format: str, order: str = "<") -> bytes:
    """A grey picture of 64 x 48 pixels, lying on its side, with all the metadata that the container holds."""
    grey = smooth(48, 64)
    block = exif_block(order)
    if format == "JPEG":
        data = saved(grey, "JPEG", exif=b"Exif\0\0" + block, xmp=XMP, icc_profile=PROFILE, dpi=(600, 300), quality=95,
                     comment="a comment")  # fmt: skip
        segment = b"Photoshop 3.0\0" + RESOURCES
        at = data.index(b"\xff\xe2")
        return data[:at] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + data[at:]
    if format == "PNG":
        info = PngInfo()
        info.add_text("Title", "Harvest")
        info.add_text("Author", "Jørgen", zip=True)
        info.add_itxt("Remark", "Жатва", lang="ru")
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        lines = f"\niptc\n{len(RESOURCES):8d}\n{RESOURCES.hex()}\n"
        info.add_text("Raw profile type iptc", lines, zip=True)
        info.add(b"gAMA", struct.pack(">I", 45455))
        info.add(b"saFe", b"private, safe to copy")
        info.add(b"unSA", b"private, not safe to copy")
        return saved(grey, "PNG", exif=block, icc_profile=PROFILE, dpi=(600, 300), pnginfo=info)
    if format == "TIFF":
        extra = {
            257: (4, 48), 258: (3, 8), 259: (3, 1), 269: (2, b"Document\0"), 270: (2, b"Box 7\0"), 273: (4, 8),
            278: (4, 48), 279: (4, 48 * 64), 316: (2, b"Scanner\0"), 700: (1, XMP), 33723: (7, IPTC),
            34377: (1, RESOURCES), 34675: (7, PROFILE), 37724: (7, b"layers"),
        }  # fmt: skip
        return exif_block(order, start=8 + grey.size, pixels=grey.tobytes(), extra=extra)
    return saved(grey, "WEBP", exif=block, xmp=XMP, icc_profile=PROFILE, lossless=True)


def exif_of(data: bytes, format: str) -> Image.Exif:
    if format == "HEIF":
        exif = Image.Exif()
        exif.load(pytest.importorskip("pillow_heif").open_heif(data).info["exif"])
        return exif
    return Image.open(BytesIO(data)).getexif()


def xmp_of(data: bytes, format: str) -> bytes:
    if format == "HEIF":
        return pytest.importorskip("pillow_heif").open_heif(data).info["xmp"]
    image = Image.open(BytesIO(data))
    return image.tag_v2[700] if format == "TIFF" else image.info["xmp"]


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
    """As in browsers. The new file says 1 there, so that no reader turns it later."""
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    options = {"PNG": {"pnginfo": info}, "TIFF": {"tiffinfo": {700: XMP}}}.get(format, {"xmp": XMP})
    picture = photo.read_photo(saved(smooth(48, 64), format, **options))
    assert picture.luma.shape == (48, 64)
    assert b"Orientation>1</" in xmp_of(coloured(picture, "TIFF"), "TIFF")


def test_tags_of_a_big_tiff() -> None:
    stream = BytesIO()
    tags = [(315, 2, 0, "A. Jensen", True), (33432, 2, 0, "Museum", True)]
    tifffile.imwrite(stream, smooth(8, 8), bigtiff=True, description="Box 7", metadata=None, extratags=tags)
    for format in ("JPEG", "TIFF"):
        exif = exif_of(coloured(photo.read_photo(stream.getvalue()), format), format)
        assert (exif[270], exif[315], exif[33432]) == ("Box 7", "A. Jensen", "Museum")


def test_the_shape_that_tifffile_notes_is_not_kept() -> None:
    """It is the grey array's; the coloured one has another."""
    stream = BytesIO()
    tifffile.imwrite(stream, smooth(8, 8), software="Scanner")
    exif = exif_of(coloured(photo.read_photo(stream.getvalue()), "TIFF"), "TIFF")
    assert 270 not in exif
    assert exif[305] == "Scanner"


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_changed_in_place(order: str) -> None:
    """Nothing moves, so that what counts from the block's start (maker notes) still finds its place."""
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
    """Readers that find instructions in XMP do not look into IIM."""
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
def test_places_in_the_picture_go_when_it_is_turned(orientation: int, format: str) -> None:
    """Faces and subjects are told in the coordinates of the pixels as they were stored."""
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


def test_iptc_in_png_as_imagemagick_writes_it() -> None:
    data = coloured(photo.read_photo(source("JPEG")), "PNG")
    text = opened(data).text["Raw profile type iptc"].split("\n")
    assert text[1] == "iptc"
    assert bytes.fromhex(text[3]) == resource(0x0404, IPTC) + GUIDES
    assert int(text[2]) == len(text[3]) // 2


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_iptc_becomes_xmp_where_there_is_no_place_for_it(format: str) -> None:
    packet = xmp_of(coloured(photo.read_photo(source("TIFF")), format), format).decode()
    assert "<rdf:li>harvest</rdf:li><rdf:li>1935</rdf:li>" in packet
    assert "DateCreated" in packet
    assert ">1935-08<" in packet
    assert CAPTION not in packet  # the packet has a description of its own
    assert "<dc:creator><rdf:Seq><rdf:li>A. Jensen</rdf:li>" in packet


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


def test_chunks_of_a_png_are_no_comments_of_a_jpeg() -> None:
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


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_jfif_density_to_the_bit(unit: int) -> None:
    data = bytearray(saved(smooth(8, 8), "JPEG"))
    data[13:18] = struct.pack(">BHH", unit, 117, 119)
    again = coloured(photo.read_photo(bytes(data)), "JPEG")
    assert again[:2] + again[6:11] == b"\xff\xd8JFIF\0"
    assert struct.unpack(">BHH", again[13:18]) == ((unit, 117, 119) if unit else (0, 1, 1))


@pytest.mark.parametrize("density", [(11811, 23622, 1), (1, 2, 0), (3937, 3937, 1)])
def test_png_density_to_the_bit(density: tuple[int, int, int]) -> None:
    chunk = b"pHYs" + struct.pack(">IIB", *density)
    whole = struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = saved(smooth(8, 8), "PNG")
    assert whole in coloured(photo.read_photo(data[:33] + whole + data[33:]), "PNG")


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
    """ImageMagick's way before PNG had a chunk for EXIF; orientation counts there too."""
    block = b"Exif\0\0" + exif_block()
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n{block.hex()}\n", zip=True)
    picture = photo.read_photo(saved(smooth(48, 64), "PNG", pnginfo=info))
    assert picture.luma.shape == (64, 48)
    data = coloured(picture, "PNG")
    assert b"Raw profile" not in data
    assert Image.open(BytesIO(data)).getexif()[271] == "Leitz"


def test_long_xmp_is_continued_and_joined() -> None:
    """A JPEG segment holds 64 KB; what a second packet holds is part of the whole."""
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


@pytest.mark.parametrize("block", [b"II*\0\xff\xff\0\0 of no use", b"of no use at all"])
def test_damaged_exif_is_kept_where_it_can_be(block: bytes) -> None:
    picture = photo.read_photo(saved(smooth(8, 8), "JPEG", exif=b"Exif\0\0" + block))
    assert b"Exif\0\0" + block in coloured(picture, "JPEG")
    with pytest.raises(PhotoError, match="damaged EXIF"):
        coloured(picture, "TIFF")
    if not block.startswith(b"II"):
        with pytest.raises(PhotoError, match="write another format"):
            coloured(picture, "AVIF")


def test_cmyk_becomes_srgb_and_says_so() -> None:
    ink = Image.merge("CMYK", [Image.fromarray(smooth(48, 64) // n) for n in (1, 2, 3, 4)])
    block = exif_block(orientation=1)
    data = coloured(photo.read_photo(saved(ink, "JPEG", exif=b"Exif\0\0" + block)), "JPEG")
    assert opened(data).mode == "RGB"
    assert Image.open(BytesIO(data)).getexif().get_ifd(0x8769)[0xA001] == 1
    kept = coloured(photo.read_photo(saved(smooth(48, 64), "JPEG", exif=b"Exif\0\0" + block)), "JPEG")
    assert Image.open(BytesIO(kept)).getexif().get_ifd(0x8769)[0xA001] == 65535


def test_nothing_comes_from_nothing() -> None:
    """A file without metadata gets the label, and no more."""
    for format in ("JPEG", "PNG", "TIFF", "WEBP"):
        data = coloured(photo.read_photo(saved(smooth(8, 8), "PNG")), format)
        image = opened(data)
        assert "icc_profile" not in image.info
        assert not Image.open(BytesIO(data)).getexif().get_ifd(0x8769)
        assert np.asarray(image.convert("RGB")).shape == (8, 8, 3)
