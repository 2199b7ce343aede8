"""Every file has the label once, beside the metadata that it had before."""

from __future__ import annotations

import base64
from io import BytesIO

import pytest
from PIL import Image

from photochrom import Hint, __version__, photo
from photochrom.colorizer.hints import credit
from photochrom.label import DIGITAL_SOURCE_TYPE, has_label, statement
from photochrom.photo.formats.xmp import Packet
from photochrom.photo.metadata import label
from tests.helpers.photographs import COLOR_FORMATS, MODEL, coloured, neutral, saved, smooth

HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = b"</rdf:RDF></x:xmpmeta>"
SPACES = (
    b' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:other="http://example.org/other/"'
)
NAMES = {"dc": "{http://purl.org/dc/elements/1.1/}", "ext": "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}",
         "ps": "{http://ns.adobe.com/photoshop/1.0/}", "own": "{urn:photochrom:1.0:}",
         "rdf": "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"}  # fmt: skip


def labelled(packet: bytes | None, model: str = MODEL) -> bytes:
    parsed = Packet(packet)
    label(parsed, model)
    return parsed.to_bytes()


def properties(packet: bytes) -> dict[str, str]:
    """Return the simple properties that another parser finds, in both forms of RDF; fail if one occurs twice."""
    import xml.etree.ElementTree as ElementTree

    found: list[tuple[str, str]] = []
    for description in ElementTree.fromstring(packet).iter(NAMES["rdf"] + "Description"):
        found += description.items()
        found += [(child.tag, "".join(child.itertext())) for child in description]
    found = [item for item in found if item[0] != NAMES["rdf"] + "about"]
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize("format", COLOR_FORMATS)
def test_every_file_is_labelled(format: str) -> None:
    data = coloured(photo.read_photo(saved(smooth(16, 16), "PNG")), format)
    if format == "HEIF":
        packet = pytest.importorskip("pillow_heif").open_heif(data).info["xmp"]
    elif format == "TIFF":
        packet = Image.open(BytesIO(data)).tag_v2[700]
    else:
        packet = Image.open(BytesIO(data)).info["xmp"]
    found = properties(packet)
    assert found[NAMES["ext"] + "DigitalSourceType"] == DIGITAL_SOURCE_TYPE
    sentence = (
        f"Colours added by software (photochrom {__version__}, model tiny 1.0, sha256 0123abcd); "
        "not a record of the original colours"
    )
    assert found[NAMES["ps"] + "Instructions"] == sentence
    assert found[NAMES["own"] + "Statement"] == sentence
    assert found[NAMES["ext"] + "AISystemUsed"] == "Photochrom, model tiny 1.0, sha256 0123abcd"
    assert found[NAMES["ext"] + "AISystemVersionUsed"] == __version__
    assert has_label(data)


def test_pillow_reads_the_label() -> None:
    pytest.importorskip("defusedxml")
    image = Image.open(BytesIO(coloured(photo.read_photo(saved(smooth(16, 16), "PNG")), "JPEG")))
    assert image.getxmp()["xmpmeta"]["RDF"]["Description"]["DigitalSourceType"] == DIGITAL_SOURCE_TYPE


def test_existing_properties_are_kept() -> None:
    packet = (
        HEAD + b'<!-- kept --><rdf:Description rdf:about="uuid:1" ' + SPACES + b' other:lines="one&#10;two"'
        b' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/print">'
        b"<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>A &lt;quiet&gt; street</rdf:li></rdf:Alt>"
        b"</dc:description>"
        b"<photoshop:Instructions>Credit the museum.</photoshop:Instructions>"
        b"<other:thing rdf:parseType='Resource'><other:part>\xc3\xa6</other:part></other:thing>"
        b"</rdf:Description>" + TAIL
    )
    result = labelled(packet)
    found = properties(result)
    assert found["{http://example.org/other/}lines"] == "one\ntwo"
    assert found["{http://example.org/other/}thing"] == "æ"
    assert found[NAMES["dc"] + "description"] == "A <quiet> street"
    assert found[NAMES["ps"] + "Instructions"] == f"Credit the museum. {statement(MODEL)}"
    assert found[NAMES["ext"] + "DigitalSourceType"] == DIGITAL_SOURCE_TYPE
    assert found[NAMES["own"] + "OriginalDigitalSourceType"].endswith("/print")
    assert b"<!-- kept -->" in result
    assert result.count(b'rdf:about="uuid:1"') == 2  # one subject throughout


def test_a_source_type_given_as_a_resource_is_kept_too() -> None:
    given = b"<x:DigitalSourceType xmlns:x='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' rdf:resource='a/print'/>"
    found = properties(labelled(HEAD + b"<rdf:Description rdf:about=''>" + given + b"</rdf:Description>" + TAIL))
    assert found[NAMES["own"] + "OriginalDigitalSourceType"] == "a/print"


@pytest.mark.parametrize(
    ("given", "suggested", "words"),
    [
        (0, 0, ""),
        (1, 0, ", with 1 colour given by hand"),
        (3, 0, ", with 3 colours given by hand"),
        (0, 1, ", with 1 colour suggested by the model"),
        (0, 64, ", with 64 colours suggested by the model"),
        (1, 3, ", with 1 colour given by hand and 3 colours suggested by the model"),
    ],
)
def test_given_and_suggested_hints_are_credited_separately(given: int, suggested: int, words: str) -> None:
    hint = Hint(0.5, 0.5, (0, 0, 0))
    hints = [hint] * given + [Hint(0.5, 0.5, (0, 0, 0), suggested=True)] * suggested
    assert credit(MODEL, hints) == MODEL + words
    found = properties(labelled(None, credit(MODEL, hints)))
    assert found[NAMES["own"] + "Statement"] == (
        f"Colours added by software (photochrom {__version__}, model {MODEL}{words}); "
        "not a record of the original colours"
    )


def test_another_colouring_replaces_the_label_with_hints_or_without() -> None:
    packet = HEAD + b'<rdf:Description rdf:about="" ' + SPACES + b' photoshop:Instructions="Keep dry"/>' + TAIL
    hints = [Hint(0.5, 0.5, (0, 0, 0)), Hint(0.5, 0.5, (0, 0, 0), suggested=True)]
    for model in (credit(MODEL, hints), MODEL, credit("other (beta) 2", hints[:1]), "b 2.0 (beta), sha256 ff", "last"):
        packet = labelled(packet, model)
        found = properties(packet)
        assert found[NAMES["ps"] + "Instructions"] == f"Keep dry {statement(model)}"
        assert NAMES["own"] + "OriginalDigitalSourceType" not in found


def test_prefixes_of_the_packet_may_be_bound_to_other_namespaces() -> None:
    packet = (
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdf="http://example.org/not-rdf/">'
        b'<r:Description r:about="" xmlns:photoshop="http://example.org/not-photoshop/" photoshop:Instructions="x"'
        b' xmlns:q="http://ns.adobe.com/photoshop/1.0/" q:Instructions="Mind the frame"/></r:RDF>'
    )
    found = properties(labelled(packet))
    assert found["{http://example.org/not-photoshop/}Instructions"] == "x"
    assert found[NAMES["ps"] + "Instructions"] == f"Mind the frame {statement(MODEL)}"


def test_utf_16_packets() -> None:
    text = (
        (HEAD + b'<rdf:Description rdf:about="" ' + SPACES + b' other:name="@"/>' + TAIL).decode().replace("@", "Жатва")
    )
    assert properties(labelled(text.encode("utf-16")))["{http://example.org/other/}name"] == "Жатва"


LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "' + b"&a;" * 9 + b'"><!ENTITY c "' + b"&b;" * 9 + b'">]>'


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"not XML at all",
        HEAD,
        b"<a/>",
        b"\xff\xfe\x00",
        LAUGHS + HEAD + b"<rdf:Description>&c;</rdf:Description>" + TAIL,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + HEAD + TAIL,
        HEAD + b"<a>" * 5000 + b"</a>" * 5000 + TAIL,
    ],
)
def test_packets_that_cannot_be_read_are_kept(packet: bytes) -> None:
    found = properties(labelled(packet))
    assert base64.b64decode(found[NAMES["own"] + "UnreadableXMP"]) == packet
    assert found[NAMES["ext"] + "DigitalSourceType"] == DIGITAL_SOURCE_TYPE


def test_label_is_the_same_every_time() -> None:
    picture = photo.read_photo(saved(smooth(16, 16), "PNG"))
    cb, cr = neutral(picture, "PNG")
    files = {photo.encode_photo(picture, cb, cr, format="PNG", credit=MODEL) for _ in range(3)}
    assert len(files) == 1


def test_lone_surrogates_are_left_out() -> None:
    assert "tiny.1" in labelled(None, "tiny\udcff.1").decode()
