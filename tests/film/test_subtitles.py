"""Subtitles that a container cannot hold are converted."""

import struct
from fractions import Fraction

import av
import pytest

from photochrom.film import FilmOptions, colorize_film
from tests.helpers.films import pan, write_film

FAST = FilmOptions(preset="ultrafast")
ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1
Style: Loud,Arial,16,&Hffffff,&Hffffff,&H0,&H0,-1,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def with_subtitles(path, codec, events, header=None):
    """Write a film of two seconds with subtitles: start and duration in milliseconds, and the bytes of the packet."""
    with av.open(str(path), "w") as out, av.open(str(write_film(path.with_name("b.mkv"), pan(48)))) as film:
        video = out.add_stream_from_template(film.streams.video[0])
        if header is None:
            titles = out.add_mux_stream(codec)
        else:
            titles = out.add_stream(codec)
            titles.codec_context.subtitle_header = header
            titles.codec_context.time_base = Fraction(1, 1000)
        titles.metadata["language"] = "fre"
        found = [packet for packet in film.demux(video=0) if packet.size]
        for packet in found:
            packet.stream = video
        for start, duration, data in events:
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.duration = start, start, duration
            packet.time_base, packet.stream = Fraction(1, 1000), titles
            found.append(packet)
        for packet in sorted(found, key=lambda packet: packet.dts * packet.time_base):
            out.mux(packet)
    return path


def shown(path):
    """Return start and end of each subtitle in milliseconds, and its packet, without those that mark gaps."""
    with av.open(str(path)) as film:
        found = [packet for packet in film.demux(subtitles=0) if packet.size > 2]
        return [(1000 * p.pts * p.time_base, 1000 * (p.pts + p.duration) * p.time_base, bytes(p)) for p in found]


def timed_text(path):
    """Return start and end of each subtitle of an MP4 or MOV in milliseconds, its text, and runs of style flags.

    A run is its first and last character, and 1 for bold, 2 for italic, or 3 for both; see 3GPP TS 26.245.
    """
    found = []
    for start, end, data in shown(path):
        size = int.from_bytes(data[:2], "big")
        text, boxes = data[2 : 2 + size].decode(), data[2 + size :]
        runs = []
        if boxes:
            assert boxes[4:8] == b"styl"
            runs = [struct.unpack(">HHxxB", boxes[at : at + 7]) for at in range(10, len(boxes), 12)]
        found.append((start, end, text, runs))
    return found


@pytest.mark.parametrize("end", ["mp4", "mov"])
def test_subrip_becomes_timed_text(end, tmp_path, fake_colorizer):
    events = [
        (100, 300, b"Who <i>goes</i> there?"),
        (500, 200, "{\\an8}Né à Paris.\r\n<b>♪</b>".encode()),
        (900, 100, b'<font color="#ff0000">a < b & c</font>'),
    ]
    source = with_subtitles(tmp_path / "a.mkv", "subrip", events)
    report = colorize_film(source, tmp_path / f"c.{end}", FAST, colorizer=fake_colorizer)
    note = "the subtitles of track 1 become timed text, without fonts, colours and positions, because"
    assert f"{note} {end} cannot hold subrip" in report.notes
    assert timed_text(report.output) == [
        (100, 400, "Who goes there?", [(4, 8, 2)]),
        (500, 700, "Né à Paris.\n♪", [(12, 13, 1)]),
        (900, 1000, "a < b & c", []),
    ]
    with av.open(str(report.output)) as film:
        assert film.streams.subtitles[0].codec_context.name == "mov_text"
        assert film.streams.subtitles[0].language == ("fra" if end == "mov" else "fre")


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        (b"<i><b>No</b>\nbody</i>", [(0, 2, 3), (2, 7, 2)]),
        (b"<i>a<b>b</b></i><b>c</b>", [(0, 1, 2), (1, 2, 3), (2, 3, 1)]),
        (b'<i>a<font color="#ff0000">b</font>c</i>', [(0, 3, 2)]),
    ],
)
def test_styles_within_styles_become_timed_text(text, runs, tmp_path, fake_colorizer):
    source = with_subtitles(tmp_path / "a.mkv", "subrip", [(0, 100, text)])
    output = colorize_film(source, tmp_path / "c.mp4", FAST, colorizer=fake_colorizer).output
    assert [found for *_, found in timed_text(output)] == [runs]


def test_subtitles_that_overlap_are_lines_of_one(tmp_path, fake_colorizer):
    events = [(100, 500, b"One"), (300, 500, b"<i>Two</i>"), (300, 100, b"Three"), (1000, 500, b"Four")]
    source = with_subtitles(tmp_path / "a.mkv", "subrip", events)
    output = colorize_film(source, tmp_path / "c.mp4", FAST, colorizer=fake_colorizer).output
    assert timed_text(output) == [
        (100, 300, "One", []),
        (300, 400, "One\nTwo\nThree", [(4, 7, 2)]),
        (400, 600, "One\nTwo", [(4, 7, 2)]),
        (600, 800, "Two", [(0, 3, 2)]),
        (1000, 1500, "Four", []),
    ]


def test_a_subtitle_that_is_too_long_is_left_out_and_reported(tmp_path, fake_colorizer):
    source = with_subtitles(tmp_path / "a.mkv", "subrip", [(100, 300, b"x" * 70_000), (600, 300, b"Two")])
    report = colorize_film(source, tmp_path / "c.mp4", FAST, colorizer=fake_colorizer)
    assert timed_text(report.output) == [(600, 900, "Two", [])]
    assert any(note.startswith("1 damaged packet") for note in report.notes)


def test_ass_becomes_timed_text_without_drawings(tmp_path, fake_colorizer):
    events = [
        (0, 300, rb"0,0,Loud,,0,0,0,,{\pos(3,4)\fad(20,20)}Loud\Nis"),
        (100, 300, rb"1,0,Default,,0,0,0,,{\k20}so{\k30}ft\hly"),
        (500, 300, rb"2,0,Default,,0,0,0,,{\p1}m 0 0 l 10 0 10 10{\p0}text"),
        (900, 300, rb"3,0,Default,,0,0,0,,{\an7\p1}m 0 0 l 10 0 10 10"),
        (1300, 300, rb"4,0,Loud,,0,0,0,,{\bord1}a{\i1}b{\b0}c{\rDefault}d{\r}e"),
    ]
    source = with_subtitles(tmp_path / "a.mkv", "ass", events, ASS_HEADER)
    output = colorize_film(source, tmp_path / "c.mp4", FAST, colorizer=fake_colorizer).output
    assert timed_text(output) == [
        (0, 100, "Loud\nis", [(0, 7, 1)]),
        (100, 300, "Loud\nis\nsoft\u00a0ly", [(0, 8, 1)]),
        (300, 400, "soft\u00a0ly", []),
        (500, 800, "text", []),
        (1300, 1600, "abcde", [(0, 1, 1), (1, 2, 3), (2, 3, 2), (4, 5, 1)]),
    ]


def test_converted_subtitles_are_cut_to_the_part(tmp_path, fake_colorizer):
    events = [(100, 400, b"One"), (600, 300, b"Two"), (1200, 300, b"Three")]
    source = with_subtitles(tmp_path / "a.mkv", "webvtt", events)
    part = FilmOptions(preset="ultrafast", start=Fraction(1, 4), end=Fraction(3, 4))
    output = colorize_film(source, tmp_path / "c.mp4", part, colorizer=fake_colorizer).output
    assert timed_text(output) == [(0, 250, "One", []), (350, 500, "Two", [])]


SUBRIP_NOTE = (
    "the subtitles of track 1 become SubRip, without fonts, colours and positions, because matroska "
    "cannot hold mov_text"
)


def styles(*runs):
    """Return the box of timed text with runs of text: first character, the one behind it, and flags of the style."""
    entries = b"".join(struct.pack(">HHHBBI", first, behind, 1, flags, 18, 0xFFFFFFFF) for first, behind, flags in runs)
    return struct.pack(">I4sH", 10 + len(entries), b"styl", len(runs)) + entries


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ((), "Né à Paris.\n♪"),
        (((0, 2, 1), (3, 13, 2)), "<b>Né</b> <i>à Paris.\n♪</i>"),
        (((12, 13, 7), (13, 99, 2)), "Né à Paris.\n<b><i><u>♪</u></i></b>"),
    ],
)
def test_timed_text_becomes_subrip_in_matroska(runs, found, encoding, tmp_path, fake_colorizer):
    """Behind the text of a packet, there may be boxes with its styles."""
    text = "Né à Paris.\n♪".encode(encoding)
    boxes = struct.pack(">I4s4x", 12, b"dlay") + styles(*runs)
    packet = len(text).to_bytes(2, "big") + text + boxes
    source = with_subtitles(tmp_path / "a.mp4", "mov_text", [(200, 300, packet)])
    report = colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer)
    assert SUBRIP_NOTE in report.notes
    assert shown(report.output) == [(200, 500, found.encode())]
    with av.open(str(report.output)) as film:
        assert film.streams.subtitles[0].codec_context.name in ("subrip", "srt")  # FFmpeg has two decoders of SubRip
        assert film.streams.subtitles[0].language == "fre"


def test_styles_are_the_same_after_both_conversions(tmp_path, fake_colorizer):
    events = [(100, 300, b"Who <i>goes</i> <b>there</b>?"), (500, 200, b"<i><b>No</b>\nbody</i>")]
    timed = colorize_film(
        with_subtitles(tmp_path / "a.mkv", "subrip", events), tmp_path / "c.mp4", FAST, colorizer=fake_colorizer
    )
    again = colorize_film(timed.output, tmp_path / "d.mkv", FAST, colorizer=fake_colorizer)
    assert shown(again.output) == [(100, 400, events[0][2]), (500, 700, b"<b><i>No</i></b><i>\nbody</i>")]


def test_the_style_of_a_whole_track_is_kept_in_subrip(tmp_path, fake_colorizer):
    events = [(0, 300, rb"0,0,Default,,0,0,0,,Loud")]
    header = ASS_HEADER.replace(b"&H0,0,0,0,0", b"&H0,-1,0,0,0")
    with_subtitles(tmp_path / "a.mkv", "ass", events, header)
    timed = colorize_film(tmp_path / "a.mkv", tmp_path / "c.mp4", FAST, colorizer=fake_colorizer).output
    assert timed_text(timed) == [(0, 300, "Loud", [])]
    again = colorize_film(timed, tmp_path / "d.mkv", FAST, colorizer=fake_colorizer)
    assert shown(again.output) == [(0, 300, b"<b>Loud</b>")]


def test_damaged_styles_are_ignored(tmp_path, fake_colorizer):
    packet = (3).to_bytes(2, "big") + b"Two" + styles((0, 3, 1))[:-3]
    source = with_subtitles(tmp_path / "a.mp4", "mov_text", [(200, 300, packet)])
    report = colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer)
    assert shown(report.output) == [(200, 500, b"Two")]
