"""Time code is kept in containers, continued for a part, and read from frames if the file has none."""

import struct
from fractions import Fraction

import av
import pytest

from photochrom.film import FilmOptions, colorize_film
from photochrom.film.source.time_code import from_bcd, from_gop, from_s12m, to_bcd
from tests.helpers.films import pan, write_film
from tests.helpers.sequences import field, write_dpx


def stated(path):
    """Return time codes and reel names of a film's file and tracks."""
    with av.open(str(path)) as film:
        found = [film.metadata, *(stream.metadata for stream in film.streams)]
    return tuple({v for m in found for k, v in m.items() if k.lower() == name} for name in ("timecode", "reel_name"))


@pytest.mark.parametrize(
    ("rate", "start", "at_two_seconds"),
    [
        (25, "10:00:00:00", "10:00:02:00"),
        (18, "00:59:59:00", "01:00:01:00"),
        ("24000/1001", "23:59:58:23", "00:00:00:23"),
        ("30000/1001", "00:00:58;00", "00:01:00;02"),
        ("30000/1001", "00:09:58;00", "00:10:00;00"),
    ],
)
@pytest.mark.parametrize("end", [".mov", ".mxf"])
def test_a_part_has_its_own_time_code(end, rate, start, at_two_seconds, tmp_path, fake_colorizer):

    tags = {"timecode": start, "reel_name": "A003"}
    options = {"bf": "0"}
    source = write_film(
        tmp_path / "a.mov", pan(64, 256, 128), rate=Fraction(rate), video_metadata=tags, options=options
    )
    part = FilmOptions(codec="dnxhr", start=2, end=2.1)
    output = colorize_film(source, tmp_path / f"b{end}", part, colorizer=fake_colorizer).output
    assert stated(output) == ({at_two_seconds}, {"A003"})


@pytest.mark.parametrize("between", [".mxf", ".mkv"])
def test_time_code_goes_from_container_to_container(between, tmp_path, fake_colorizer):
    tags = {"timecode": "01:02:03;04", "reel_name": "A003"}
    source = write_film(tmp_path / "a.mov", pan(3, 256, 128), rate=30, video_metadata=tags, options={"bf": "0"})
    codec = {".mxf": "dnxhr", ".mkv": "ffv1"}[between]
    first = colorize_film(source, tmp_path / f"b{between}", FilmOptions(codec=codec), colorizer=fake_colorizer)
    second = FilmOptions(codec="prores", recolor=True)
    output = colorize_film(first.output, tmp_path / "c.mov", second, colorizer=fake_colorizer).output
    assert stated(output) == ({"01:02:03;04"}, {"A003"})
    with av.open(str(output)) as film:
        assert not [key for key in film.metadata if "uid" in key or "product" in key]


def test_time_code_of_pictures_in_the_stream(tmp_path, fake_colorizer):
    """MPEG-2 stores it in the headers of its groups of pictures."""
    source = write_film(
        tmp_path / "a.mpg", pan(5), codec="mpeg2video", rate=25, options={"gop_timecode": "03:04:05:06"}
    )
    output = colorize_film(source, tmp_path / "b.mov", colorizer=fake_colorizer).output
    assert stated(output)[0] == {"03:04:05:06"}


def test_time_code_of_a_film_goes_into_the_headers_of_frames(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mov", pan(30), rate=25, video_metadata={"timecode": "01:00:00:24"})
    report = colorize_film(source, None, FilmOptions(codec="dpx", start=1), colorizer=fake_colorizer)
    found = sorted(report.output.parent.iterdir())
    assert [field(path, "I", 1920) for path in found[:2]] == [0x01000124, 0x01000200]
    back = colorize_film(report.output, tmp_path / "c.mov", FilmOptions(recolor=True), colorizer=fake_colorizer)
    assert stated(back.output)[0] == {"01:00:01:24"}


@pytest.mark.parametrize("codec", ["ffv1", "png"])
def test_a_container_without_time_code_is_named(codec, tmp_path, fake_colorizer):
    source = write_film(
        tmp_path / "a.mov", pan(2), rate=25, video_metadata={"timecode": "01:00:00:00"}, options={"bf": "0"}
    )
    output = tmp_path / ("b.avi" if codec == "ffv1" else "%03d.png")
    report = colorize_film(source, output, FilmOptions(codec=codec), colorizer=fake_colorizer)
    kind = "avi" if codec == "ffv1" else "png"
    assert f"not kept: the time code 01:00:00:00, which {kind} does not state" in report.notes


@pytest.mark.parametrize(
    ("code", "rate", "stated"),
    [("01:00:00;02", Fraction(30000, 1001), "01:00:00;02"), ("01:00:00;02", 24, ""), ("tape 3", 25, "")],
)
def test_mxf_without_a_time_code_that_it_cannot_state(code, rate, stated, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(4), rate=rate, codec="ffv1", metadata={"timecode": code})
    report = colorize_film(source, tmp_path / "b.mxf", FilmOptions(codec="ffv1"), colorizer=fake_colorizer)
    with av.open(str(report.output)) as film:
        assert film.metadata["timecode"] == (stated or "00:00:00:00")
    lost = f"not kept: the time code {code}, which mxf cannot state at {rate} frames a second"
    assert report.notes == ([] if stated else [lost])


def test_gaps_that_are_filled_have_time_codes_of_their_own(tmp_path, fake_colorizer):
    fields = {1920: ("I", 0x01000010), 1724: ("f", 24.0)}
    folder = write_dpx(tmp_path / "reel", pan(4), 8, fields=lambda i: fields | {1920: ("I", 0x01000010 + i)})
    (folder / "reel.0000002.dpx").unlink()
    report = colorize_film(folder, None, FilmOptions(fill_gaps=True), colorizer=fake_colorizer)
    found = sorted(report.output.parent.iterdir())
    assert [field(path, "I", 1920) for path in found] == [0x01000010 + i for i in range(4)]


@pytest.mark.parametrize("text", ["00:00:00:00", "23:59:59:29", "01:02:03;04", ""])
def test_binary_coded_decimals(text):
    if text:
        assert from_bcd(to_bcd(text)) == text
    assert from_bcd(0x2A000000) == from_bcd(0x24000000) == from_bcd(0x00610000) == ""


def test_side_data_of_frames():
    frames_first = int.from_bytes(to_bcd("10:20:30;12").to_bytes(4, "big"), "little")
    assert from_s12m(struct.pack("<4I", 1, frames_first, 0, 0)) == "10:20:30;12"
    assert from_s12m(struct.pack("<4I", 0, 0, 0, 0)) == ""
    assert from_gop(struct.pack("<q", 1 << 24 | 10 << 19 | 20 << 13 | 1 << 12 | 30 << 6 | 12)) == "10:20:30;12"
