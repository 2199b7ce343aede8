"""Photographs with every kind of metadata in every container, and readers that do not use Photochrom."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from tests.helpers.photographs import saved, smooth

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
    """Build a TIFF directory at ``start`` with its values. Types: 2 text, 3 short, 4 long, 5 rational, 7 bytes."""
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
    """Build an EXIF block with all kinds of entries, laid out as by cameras; with ``pixels`` and ``extra``, a TIFF
    file."""
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
    """Return a grey picture of 64 x 48 pixels, stored on its side, with all metadata that the container can hold."""
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
