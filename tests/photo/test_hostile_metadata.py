"""The work and the memory for metadata grow with the size of a file, however it is divided into parts."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from photochrom import Colorizer, photo
from photochrom.errors import PhotoError
from photochrom.photo.formats import exif, photoshop, png, splice
from photochrom.photo.formats.image import Metadata
from photochrom.photo.formats.tiff_pages import Pages
from photochrom.photo.formats.xmp import RDF, Packet
from tests.photo.test_losses import chunk, data_set, png_with, raw_profile

DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
RESOURCE = b"8BIM" + struct.pack(">HHI", 1280, 0, 0)


def operations(work: Callable[[], object]) -> int:
    """Return how many functions, of Python and of C, are called or continued."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    former = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(former)
    return count


def packet(content: str, declarations: str = DC) -> bytes:
    rdf = f'<rdf:RDF xmlns:rdf="{RDF}" {declarations}>{content}</rdf:RDF>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}</x:xmpmeta>'.encode()


def test_texts_of_a_png_are_collected_before_the_metadata_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made, original = [], Metadata.__init__

    def counted(self: Metadata, **fields: object) -> None:
        made.append(fields)
        original(self, **fields)  # type: ignore[arg-type]

    monkeypatch.setattr(Metadata, "__init__", counted)
    found = png.read(png_with(*[chunk(b"tEXt", b"Title\0Petals")] * 50)).metadata
    assert (len(found.native), len(found.texts)) == (50, 50)
    assert len(made) == 1


def test_each_block_of_iptc_in_a_png_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [data_set(number, b"a") for number in range(1, 41)]
    data, read, original = png_with(*(raw_profile("iptc", block) for block in blocks)), [], photoshop._data_sets
    monkeypatch.setattr(photoshop, "_data_sets", lambda block: read.append(block) or original(block))
    assert png.read(data).metadata.iptc == b"".join(blocks)
    assert read == blocks


def test_later_blocks_of_iptc_add_what_the_first_lacks() -> None:
    first, second, utf8 = data_set(5, b"a"), data_set(25, b"b"), data_set(90, b"\x1b%G", record=1)
    assert photoshop.merged([first, data_set(5, b"c") + second, data_set(25, b"d")]) == first + second
    assert photoshop.merged([first, utf8 + second]) == first
    assert photoshop.merged([]) is None


def test_photoshop_resources_are_joined_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Whole(bytes):
        def __radd__(self, other: bytes) -> bytes:
            raise AssertionError("all resources before this one were copied")

    resources = [(1280, Whole(RESOURCE), b"")] * 3
    monkeypatch.setattr(photoshop, "_resources", lambda data: iter(resources))
    assert photoshop.split(b"") == (None, 3 * RESOURCE)


def adopt(count: int) -> None:
    properties = "".join(f"<dc:a{number}/>" for number in range(count))
    assert Packet().adopt(packet(f"<rdf:Description>{properties}</rdf:Description>"))


def adopt_descriptions(count: int) -> None:
    assert Packet().adopt(packet('<rdf:Description dc:title="a"/>' * count))


def remove(count: int) -> None:
    Packet(packet(f"<rdf:Description>{'<dc:a/>' * count}</rdf:Description>")).remove("dc:a")


def scans(count: int) -> None:
    stream = BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG")
    tables = splice.segment(0xDD, b"\0\0") * count + splice.segment(0xDB, b"") * count
    splice.luma_scans(b"\xff\xd8" + tables + stream.getvalue()[2:])


@pytest.mark.parametrize("work", [adopt, adopt_descriptions, remove, scans])
def test_the_work_is_linear(work: Callable[[int], None]) -> None:
    work(1)  # imports
    few, more, many = (operations(lambda count=count: work(count)) for count in (0, 50, 100))
    assert many - few < 2.2 * (more - few)


def test_a_repeated_property_of_a_sidecar_has_its_last_value() -> None:
    own = Packet(packet('<rdf:Description dc:title="a"/>'))
    own.adopt(packet('<rdf:Description dc:title="b" dc:source="s"/><rdf:Description><dc:title>c</dc:title>'
                     "</rdf:Description>"))  # fmt: skip
    text = Packet(own.to_bytes()).to_bytes()
    assert (own.get("dc:title"), own.get("dc:source"), text.count(b"title>")) == ("c", "s", 2)


@pytest.mark.parametrize("extended", [False, True])
def test_declarations_are_copied_only_where_they_are_needed(extended: bool) -> None:
    declarations = DC + "".join(f' xmlns:a{number}="urn:{number}"' for number in range(50))
    described = '<rdf:Description dc:source="s"/><rdf:Description><a7:b/><dc:title><a8:c a9:d="e"/></dc:title>'
    source = packet(f"{described}</rdf:Description>" + '<rdf:Description dc:source="t"/>' * 50, declarations)
    own = Packet(packet("", 'xmlns:a8="urn:other"'))
    if extended:
        own.absorb(source)
    else:
        own.adopt(source)
    text = own.to_bytes()
    assert len(text) < 4 * len(source)
    assert b'xmlns:a8="urn:8"' in text
    assert b'xmlns:a9="urn:9"' in text
    Packet(text)


def test_subdirectories_are_not_multiplied() -> None:
    data, start = bytearray(b"II*\0" + struct.pack("<I", 8)), 8
    for level in range(12):  # each directory points to the next one three times
        start += 2 + 3 * 12 + 4
        entry = struct.pack("<HHII", 34665 if level == 0 else 40965, exif.LONG, 1, start)
        data += struct.pack("<H", 3) + 3 * entry + bytes(4)
    data += struct.pack("<HHHIII", 1, 1, exif.LONG, 1, 5, 0)
    tiff = exif.open_tiff(bytes(data))
    block = exif.from_tiff(tiff, tiff.directory(8)[0])
    assert block is not None
    assert len(block) <= len(data)


def test_a_directory_whose_values_overlap_is_refused() -> None:
    count, size = 50, 10_000
    head = b"II*\0" + struct.pack("<IH", 8, count)
    place = len(head) + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", 50_000 + tag, exif.BYTE, size, place) for tag in range(count))
    tiff = exif.open_tiff(head + entries + bytes(4) + bytes(size))
    with pytest.raises(struct.error, match="overlap"):
        tiff.directory(tiff.first)


def test_tables_of_a_jpeg() -> None:
    tables = splice._quantization_tables(b"\x00" + bytes(range(64)) + b"\x11" + bytes(128))
    assert tables == {0: b"\x00" + bytes(range(64)), 1: b"\x11" + bytes(128)}
    with pytest.raises(splice.CannotSplice):
        splice._quantization_tables(b"\x00" + bytes(range(63)))


def directories(data: bytes, tags: Callable[[int], list[tuple[int, int]]], count: int) -> bytes:
    """Append linked directories with the given tags of 32 bits, by the number of the directory, to the pixels."""
    file = bytearray(b"II*\0" + struct.pack("<I", 8 + len(data)) + data)
    for number in range(count):
        entries = b"".join(struct.pack("<HHII", tag, exif.LONG, 1, value) for tag, value in tags(number))
        file += struct.pack("<H", len(entries) // 12) + entries
        file += struct.pack("<I", 0 if number == count - 1 else len(file) + 4)
    return bytes(file)


def page_tags(kind: int = 0, size: int = 64) -> list[tuple[int, int]]:
    return [(254, kind), (256, 8), (257, 8), (258, 8), (262, 1), (273, 8), (277, 1), (278, 8), (279, size)]


@pytest.mark.parametrize("count", [2, 9])
def test_each_directory_is_parsed_twice_at_most(
    count: int, monkeypatch: pytest.MonkeyPatch, fake_colorizer: Colorizer
) -> None:
    """It is once to find the pages, and once to read the page."""
    data, parsed, original = directories(bytes(range(64)), lambda _: page_tags(), count), [], exif.Tiff.directory

    def counted(tiff: exif.Tiff, start: int) -> tuple[list[exif.Entry], int]:
        parsed.extend([start] if len(tiff.data) == len(data) else [])
        return original(tiff, start)

    monkeypatch.setattr(exif.Tiff, "directory", counted)
    assert photo.read_photo(data, page=count).shape == (8, 8)
    assert len(parsed) == count + 1
    report = photo.colorize_photo(data, BytesIO(), colorizer=fake_colorizer)
    assert report.pages == count
    assert len(parsed) == count + 1 + 3 * count  # once more to count the pages


def test_masks_that_share_their_pixels_are_refused() -> None:
    data = directories(bytes(20_000), lambda number: page_tags(4 if number else 0, 20_000), 12)
    with pytest.raises(PhotoError, match="its masks overlap"):
        Pages(data).mask_files()


def test_pages_are_counted_from_one() -> None:
    data = directories(bytes(64), lambda _: page_tags(), 3)
    for number in (0, 4):
        with pytest.raises(PhotoError, match=f"has 3 pages, and none with the number {number}"):
            Pages(data).upright_size(number)
