"""All other tracks of a film, and their times, stay as they were."""

import io
import itertools
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.output import tracks
from photochrom.film.output.resume import whole_film
from tests.helpers.films import decoded, heard, packets, pan, same_lumas, seconds, still_frame, write_film

FAST = FilmOptions(preset="ultrafast")
FILM_RATE = Fraction(24000, 1001)
MILLISECOND = Fraction(1, 1000)
IRREGULAR = [0, 1000, 1500, 4000, 4001, 4800, 7000, 7700, 9000, 12000, 12345, 15000]


def facts(path):
    """Return kind, codec, meaningful metadata and disposition of each track."""
    with av.open(str(path)) as container:
        return [
            (
                stream.type,
                stream.codec_context.name if stream.codec_context else None,
                {k: v for k, v in stream.metadata.items() if k in ("language", "title", "timecode", "filename")},
                int(stream.disposition),
            )
            for stream in container.streams
        ]


def length(path):
    """Return the seconds of the picture, including its last frame."""
    found = decoded(path)
    return (found[-1].pts - found[0].pts + found[-1].duration) * found[0].time_base


@pytest.mark.parametrize("end", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    "times",
    [
        {"rate": FILM_RATE},
        {"rate": FILM_RATE, "pts": [i + 5 for i in range(24)]},
        {"rate": 24, "time_base": Fraction(1, 16000), "pts": [1600 + p for p in IRREGULAR]},
        {"rate": 1, "time_base": Fraction(1, 90000), "pts": [90000 * i for i in range(20)]},
    ],
    ids=["film", "late", "irregular", "slow"],
)
@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])
@pytest.mark.slow
def test_times_are_exact(times, end, preset, tmp_path, fake_colorizer):
    count = len(times.get("pts", range(24)))
    source = write_film(tmp_path / f"a.{end}", pan(count), **times)
    output = colorize_film(source, None, FilmOptions(preset=preset), colorizer=fake_colorizer).output
    allowed = MILLISECOND if end == "mkv" else 0
    assert all(abs(a - b) <= allowed for a, b in zip(seconds(output), seconds(source), strict=True))
    if preset == "ultrafast":  # with B-frames, MP4 keeps no length of a single frame
        assert abs(length(output) - length(source)) <= allowed


def test_times_survive_a_change_of_container(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(24), rate=FILM_RATE)
    output = colorize_film(source, tmp_path / "b.mkv", FAST, colorizer=fake_colorizer).output
    wrong = [abs(a - b) for a, b in zip(seconds(source), seconds(output), strict=True)]
    assert max(wrong) <= MILLISECOND
    again = colorize_film(output, tmp_path / "c.mp4", FilmOptions(recolor=True), colorizer=fake_colorizer).output
    assert seconds(again) == seconds(output)


def test_chapters_stay_in_step_in_matroska(tmp_path, fake_colorizer):
    """AAC begins with silence before 0, which must not shift the pictures against it."""
    source = write_film(tmp_path / "a.mp4", pan(30), sound="aac", chapters=[(0, 0.5, "One"), (0.5, 1.25, "Two")])
    output = colorize_film(source, tmp_path / "b.mkv", FilmOptions(), colorizer=fake_colorizer).output
    for path in (source, output):
        with av.open(str(path)) as film:
            assert [float(chapter["start"] * chapter["time_base"]) for chapter in film.chapters()] == [0, 0.5]
            (first, *_) = (packet for packet in film.demux(audio=0) if packet.size)
            assert float(first.pts * first.time_base) == pytest.approx(-1024 / 48000, abs=0.001)
    assert seconds(output)[0] == 0


def test_times_that_do_not_rise_are_mended(tmp_path, fake_colorizer):
    """Containers with time stamps cannot hold such times, so each frame gets a time of its own."""
    source = write_film(tmp_path / "a.avi", pan(12), codec="mjpeg", name="yuvj420p", full=True)
    assert [frame.pts for frame in decoded(source)] != [None] * 12
    output = colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer).output
    assert output == tmp_path / "a.color.mkv"
    assert same_lumas(source, output)
    assert all(a < b for a, b in itertools.pairwise(seconds(output)))


def test_a_film_without_times_gets_some(tmp_path, fake_colorizer):
    """A bare H.264 stream has no time stamps at all."""
    source = write_film(tmp_path / "a.h264", pan(30), format="h264", options={"bf": "2", "preset": "veryfast"})
    report = colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer)
    assert report.frames == len(decoded(source)) == 30
    assert same_lumas(source, report.output)
    times = seconds(report.output)
    assert all(a < b for a, b in itertools.pairwise(times))


def shift_blocks(path, by):
    """Subtract milliseconds from the times of the blocks of a Matroska file that has one cluster."""
    film = bytearray(path.read_bytes())

    def number(at, mask):
        length = 9 - film[at].bit_length()
        return int.from_bytes(film[at : at + length]) & ((1 << 7 * length) - 1 if mask else -1), at + length

    def walk(at, end):
        while at < end:
            kind, at = number(at, mask=False)
            size, at = number(at, mask=True)
            if kind in (0x18538067, 0x1F43B675, 0xA0):  # segment, cluster, block group
                walk(at, at + size)
            elif kind in (0xA1, 0xA3):  # block, simple block
                _, time = number(at, mask=True)
                struct.pack_into(">h", film, time, struct.unpack_from(">h", film, time)[0] - by)
            at += size

    walk(0, len(film))
    path.write_bytes(film)


@pytest.mark.parametrize("end", ["mkv", "mp4"])
@pytest.mark.parametrize("frames", [0, 2])
def test_times_before_0_that_ffmpeg_leaves_out_are_found(frames, end, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(30), rate=25, sound="pcm_s16le", options={"bf": f"{frames}"})
    expected = seconds(source)
    shift_blocks(source, 200)
    assert [frame.pts for frame in decoded(source)][:4] == [None] * 4
    output = colorize_film(source, tmp_path / f"b.{end}", colorizer=fake_colorizer).output
    assert [float(time) for time in seconds(output)] == pytest.approx([float(time) for time in expected], abs=0.0015)
    assert len(packets(output, 1)) >= len(packets(source, 1)) - 1


@pytest.mark.parametrize("end", ["ts", "mpg", "avi"])
def test_other_containers_are_read_whole(end, tmp_path, fake_colorizer):
    codec = {"ts": "libx264", "mpg": "mpeg2video", "avi": "mpeg4"}[end]
    source = write_film(tmp_path / f"a.{end}", pan(60), codec=codec, rate=25, sound="mp2")
    report = colorize_film(source, None, FilmOptions(codec="ffv1", recolor=True), colorizer=fake_colorizer)
    assert report.output.suffix == ".mkv"
    assert same_lumas(source, report.output)
    assert packets(report.output, 1) == packets(source, 1)


@pytest.mark.parametrize(("end", "late"), [("ts", 36_000), ("mpg", 0)])
@pytest.mark.parametrize("name", ["b.mkv", "b.mp4"])
def test_mpeg_streams_whose_clock_begins_late_begin_at_0(name, end, late, tmp_path, fake_colorizer):
    """Players would otherwise show nothing for hours; sound and picture keep their distance."""
    how = {"codec": "mpeg2video", "rate": 25, "sound": "mp2", "container_options": {"output_ts_offset": f"{late}"}}
    source = write_film(tmp_path / f"a.{end}", pan(12), **how)
    with av.open(str(source)) as film:
        video, sound = (stream.start_time * stream.time_base for stream in film.streams)
    assert min(video, sound) > late - 1
    report = colorize_film(source, tmp_path / name, FAST, colorizer=fake_colorizer)
    with av.open(str(report.output)) as film:
        found = [float(stream.start_time * stream.time_base) for stream in (film.streams[0], film.streams[1])]
    wanted = [float(start - min(video, sound)) for start in (video, sound)]
    assert found == pytest.approx(wanted, abs=0.002)
    assert packets(report.output, 1) == packets(source, 1)


@pytest.mark.parametrize(
    ("end", "sound", "titles"), [("mp4", "aac", "mov_text"), ("mov", "pcm_s16le", "mov_text"), ("mkv", "aac", "subrip")]
)
def test_everything_else_is_copied(end, sound, titles, tmp_path, fake_colorizer):
    source = write_film(
        tmp_path / f"a.{end}",
        pan(36),
        sound=sound,
        titles=titles,
        languages=("deu", "fra"),
        chapters=[(0, 0.5, "One"), (0.5, 1.25, "Two")],
        metadata={"title": "The Film", "artist": "Someone"},
        attachment=("letters.ttf", "font/ttf", b"letters") if end == "mkv" else None,
        video_metadata={"timecode": "01:00:00:00"} if end != "mkv" else None,
    )
    report = colorize_film(source, None, FAST, colorizer=fake_colorizer)
    assert report.notes == []
    assert facts(report.output) == facts(source)
    for index in (1, 2):
        assert packets(report.output, index, times=True) == packets(source, index, times=True)
    with av.open(str(source)) as before, av.open(str(report.output)) as after:
        assert after.chapters() == before.chapters()
        assert after.metadata.items() >= {k: v for k, v in before.metadata.items() if k.lower() != "encoder"}.items()
        assert {k.lower(): v for k, v in after.metadata.items()}["artist"] == "Someone"
        if end == "mkv":
            assert after.streams.attachments[0].data == b"letters"
    assert len(decoded(report.output)) == 36


@pytest.mark.parametrize(
    ("end", "lost"),
    [
        ("mxf", ["2 chapters", "languages of tracks (fre)", "the rotation by 90 degrees"]),
        (
            "avi",
            [
                "metadata of the film (synopsis)",
                "2 chapters",
                "languages of tracks (fre)",
                "the rotation by 90 degrees",
            ],
        ),
        ("mkv", []),
        ("mov", ["metadata of the film (synopsis)"]),
    ],
)
def test_metadata_that_a_container_cannot_hold_is_named(end, lost, tmp_path, fake_colorizer):
    source = write_film(
        tmp_path / "a.mkv",
        pan(24),
        sound="pcm_s16le",
        languages=["fre"],
        rotation=90,
        chapters=[(0, 0.5, "One"), (0.5, 1, "Two")],
        metadata={"title": "The Film", "synopsis": "A walk."},
    )
    codec = "prores" if end == "mov" else "ffv1"
    report = colorize_film(source, tmp_path / f"b.{end}", FilmOptions(codec=codec), colorizer=fake_colorizer)
    found = [note for note in report.notes if note.startswith("not kept") and "of sound" not in note]
    assert found == [f"not kept: {part}, which {end} cannot hold" for part in lost]
    with av.open(str(report.output)) as film:
        metadata = {key.lower(): value for key, value in film.metadata.items()}
    name = "comment_{}" if end == "mxf" else "{}"
    assert metadata[name.format("title")] == "The Film"
    assert metadata[name.format("comment")].startswith("Colours added by software (photochrom")


@pytest.mark.parametrize(
    ("end", "languages", "found"),
    [
        ("mov", ("fre", "deu"), ["fra", "ger"]),  # MOV numbers its languages, and FFmpeg has one code for each number
        ("mov", ("fra", "tlh"), ["fra", None]),
        ("mov", ("swe", "hrv"), ["sve", "hr "]),  # FFmpeg's names for the numbers 5 and 18
        ("mp4", ("fre", "deu"), ["fre", "deu"]),
        ("mp4", ("fre", "ENG"), ["fre", None]),
    ],
)
def test_a_language_is_kept_or_its_loss_is_named(end, languages, found, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(4), sound="aac", titles="subrip", languages=languages)
    report = colorize_film(source, tmp_path / f"b.{end}", FAST, colorizer=fake_colorizer)
    with av.open(str(report.output)) as film:
        assert [stream.metadata.get("language") for stream in film.streams][1:] == found
    lost = [code for code, kept in zip(languages, found, strict=True) if kept is None]
    notes = [f"not kept: languages of tracks ({code}), which {end} cannot hold" for code in lost]
    assert [note for note in report.notes if "languages" in note] == notes


@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_languages_of_mov_get_their_code_of_iso_639_again(end, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mov", pan(4), sound="aac", titles="mov_text", languages=("sve", "sr "))
    report = colorize_film(source, tmp_path / f"b.{end}", FAST, colorizer=fake_colorizer)
    with av.open(str(report.output)) as film:
        assert [stream.metadata.get("language") for stream in film.streams][1:] == ["swe", "srp"]
    assert not any("languages" in note for note in report.notes)


def with_marks(path, source):
    """Copy a film, and give its tracks titles and marks."""
    marks = av.stream.Disposition
    chosen = {"video": marks.default, "audio": marks.comment | marks.hearing_impaired, "subtitle": marks.forced}
    with av.open(str(source)) as film, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(stream) for stream in film.streams]
        for stream, copied in zip(film.streams, streams, strict=True):
            copied.metadata["title"], copied.disposition = f"The {stream.type}", chosen[stream.type]
        for packet in film.demux():
            packet.stream = streams[packet.stream.index]
            if packet.size:
                out.mux(packet)
    return path


def test_marks_of_tracks_are_kept_or_named(tmp_path, fake_colorizer):
    source = with_marks(tmp_path / "a.mkv", write_film(tmp_path / "s.mkv", pan(4), sound="aac", titles="subrip"))
    for end, notes in (("mov", ["comment, forced, hearing_impaired"]), ("mp4", []), ("mkv", [])):
        report = colorize_film(source, tmp_path / f"b.{end}", FAST, colorizer=fake_colorizer)
        lost = [f"not kept: marks of tracks ({marks}), which mov cannot hold" for marks in notes]
        assert [note for note in report.notes if "marks" in note] == lost
        with av.open(str(report.output)) as film:
            kept = [track.disposition & 0x7FFFFFFE & ~av.stream.Disposition.captions for track in film.streams]
        assert kept == ([0, 0, 0] if lost else [0, 0x88, 0x40])


def test_titles_of_tracks_in_mp4_are_titles_elsewhere(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "s.mp4", pan(4), sound="aac", titles="mov_text")
    source = with_marks(tmp_path / "a.mp4", source)
    for end in ("mkv", "mov"):
        output = colorize_film(source, tmp_path / f"b.{end}", FAST, colorizer=fake_colorizer).output
        with av.open(str(output)) as film:
            found = [track.metadata["title" if end == "mkv" else "name"] for track in film.streams]
        assert found == ["The video", "The audio", "The subtitle"]


NUMBERS = {"swe": 5, "hrv": 18, "fao": 30, "gle": 35, "srp": 42, "pan": 70}
"""Numbers of languages in MOV (QuickTime File Format, Language Codes) for which FFmpeg has names of its own."""


def mov_of_languages(codes):
    """Return a MOV with a track of each language."""
    file = io.BytesIO()
    with av.open(file, "w", format="mov") as film:
        streams = [film.add_stream("pcm_s16le", rate=8000) for _ in codes]
        for stream, code in zip(streams, codes, strict=True):
            stream.metadata["language"] = code
        for stream in streams:
            packet = av.Packet(bytes(4))  # one stereo sample
            packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1
            film.mux(packet)
    return file.getvalue()


def test_languages_of_mov_are_those_that_ffmpeg_writes():
    written = [*tracks._MOV_LANGUAGES.split(), *tracks._MOV_NAMES.values()]
    with av.open(io.BytesIO(mov_of_languages([*written, *tracks._MOV_NAMES]))) as film:
        assert [stream.metadata.get("language") for stream in film.streams] == [
            *written,
            *[None] * len(tracks._MOV_NAMES),
        ]
    boxes = mov_of_languages([tracks._MOV_NAMES[code] for code in NUMBERS]).split(b"mdhd")[1:]
    assert [int.from_bytes(box[20:22], "big") for box in boxes] == [*NUMBERS.values()]
    assert {tracks._FROM_MOV[tracks._MOV_NAMES[code]]: code for code in NUMBERS} == {code: code for code in NUMBERS}


def test_user_comments_of_mxf_are_metadata_elsewhere(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mxf", pan(4), codec="ffv1", metadata={"comment_title": "The Film"})
    report = colorize_film(source, tmp_path / "b.mkv", colorizer=fake_colorizer)
    with av.open(str(report.output)) as film:
        assert film.metadata["title"] == "The Film"


def test_the_label_stands_behind_the_comment_once(tmp_path, fake_colorizer):
    for end, key in (("mp4", "comment"), ("mkv", "COMMENT")):
        source = write_film(tmp_path / f"a.{end}", pan(3), metadata={"comment": "From the attic."})
        once = colorize_film(source, None, FAST, colorizer=fake_colorizer).output
        options = FilmOptions(preset="ultrafast", recolor=True)
        twice = colorize_film(once, None, options, colorizer=fake_colorizer).output
        for path in (once, twice):
            with av.open(str(path)) as container:
                comment = container.metadata[key]
            assert comment.startswith("From the attic. Colours added by software (photochrom")
            assert comment.count("Colours added") == 1


def test_a_track_that_does_not_fit_is_reported_before_any_work(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(12), sound="aac", titles="hdmv_pgs_subtitle")
    with pytest.raises(FilmError, match=r"mp4.*subtitle.*\.mkv") as caught:
        colorize_film(source, tmp_path / "b.mp4", FAST, colorizer=fake_colorizer)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mkv", "fake.onnx"]


def test_a_track_that_no_container_can_hold_is_reported(tmp_path, fake_colorizer):
    """Matroska cannot hold these subtitles either, so it is not suggested."""
    source = write_film(tmp_path / "a.ts", pan(24), codec="mpeg2video", titles="dvb_teletext")
    with pytest.raises(FilmError, match=r"matroska cannot hold its subtitle track 1.*without that track"):
        colorize_film(source, tmp_path / "b.mkv", FAST, colorizer=fake_colorizer)


@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_data_that_is_left_out_is_reported(end, tmp_path, fake_colorizer):
    source = tmp_path / "a.ts"
    with av.open(str(write_film(tmp_path / "plain.mp4", pan(6)))) as film, av.open(str(source), "w") as out:
        video, data = out.add_stream_from_template(film.streams.video[0]), out.add_data_stream("klv")
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        packet = av.Packet(bytes(range(40)))
        packet.pts = packet.dts = 0
        packet.time_base, packet.stream = Fraction(1, 90000), data
        out.mux(packet)
    report = colorize_film(source, tmp_path / f"b.{end}", FAST, colorizer=fake_colorizer)
    assert report.notes == ["not kept: track 1, klv data"]
    assert report.frames == 6


@pytest.mark.parametrize(("name", "codec"), [("b.mov", "ffv1"), ("b.webm", "libx264"), ("b", "libx264")])
def test_a_container_that_cannot_be_written_is_reported_before_any_work(name, codec, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(3))
    with pytest.raises(FilmError, match="mkv"):
        colorize_film(source, tmp_path / name, FilmOptions(codec=codec), colorizer=fake_colorizer)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "fake.onnx"]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_a_part_is_cut_with_its_tracks_and_chapters(end, tmp_path, fake_colorizer):
    source = write_film(
        tmp_path / f"a.{end}",
        pan(96),
        rate=24,
        pts=[i + 6 for i in range(96)],
        sound="pcm_s16le" if end == "mkv" else "aac",
        chapters=[(0.25, 1, "One"), (1, 2, "Two"), (2, 4.25, "Three")],
        options={"g": "12"},
    )
    whole = seconds(source)
    options = FilmOptions(codec="ffv1", start=Fraction(5, 4), end=Fraction(5, 2))
    output = colorize_film(source, tmp_path / "b.mkv", options, colorizer=fake_colorizer).output
    chosen = [i for i, time in enumerate(whole) if Fraction(5, 4) <= time - whole[0] < Fraction(5, 2)]
    times = seconds(output)
    assert times[0] == 0
    assert len(times) == len(chosen) == 30
    assert max(abs(t - (whole[i] - whole[chosen[0]])) for t, i in zip(times, chosen, strict=True)) <= MILLISECOND
    lumas = [frame.to_ndarray(format="gray") for frame in decoded(output)]
    expected = [frame.to_ndarray(format="gray") for frame in decoded(source)]
    assert all((a == expected[i]).all() for a, i in zip(lumas, chosen, strict=True))
    begin = whole[chosen[0]]
    times, sound = zip(*packets(source, 1, times=True), strict=True)
    last = max(i for i, time in enumerate(times) if time < whole[0] + Fraction(5, 2))
    first = max(i for i, time in enumerate(times) if time <= begin)
    found_times, found = zip(*packets(output, 1, times=True), strict=True)
    assert found[1:] == sound[first + 1 : last + 1]
    assert sound[first].endswith(found[0])
    expected = [time - begin for time in times[first : last + 1]]
    if end == "mkv":  # PCM is cut
        assert len(found[0]) == pytest.approx(2 * 48000 * (times[first + 1] - begin), abs=2 * 48)
        expected[0] = 0
    assert max(abs(t - u) for t, u in zip(found_times, expected, strict=True)) <= MILLISECOND
    with av.open(str(output)) as container:
        chapters = [
            (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
            for c in container.chapters()
        ]
    assert chapters == [(0, Fraction(1, 2), "Two"), (Fraction(1, 2), Fraction(5, 4), "Three")]


@pytest.mark.parametrize(("end", "codec"), [("mov", "prores"), ("mxf", "prores"), ("avi", "ffv1"), ("mkv", "ffv1")])
def test_pcm_of_a_part_begins_at_its_first_frame(end, codec, tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mov", pan(30), sound="pcm_s16le")
    part = FilmOptions(codec=codec, start=Fraction(25, 24))  # in the middle of a packet
    output = colorize_film(source, tmp_path / f"b.{end}", part, colorizer=fake_colorizer).output
    samples, begins = heard(output)
    assert begins == seconds(output)[0] == 0
    assert np.array_equal(samples[:9000], heard(source)[0][50000:59000])


def reel_with_click(path, picture, sound, codec, ends=None):
    """Write two seconds of picture from one time on, and sound from another, with a click at the picture's 30th frame.

    All times are in seconds; the sound ends with the picture unless ``ends`` states another time.
    """
    click, hertz = picture + Fraction(30, 24), 48000
    wave = np.zeros(round(((ends or picture + 2) - sound) * hertz), np.int16)
    at = round((click - sound) * hertz)
    wave[at : at + 960] = np.sin(np.arange(960) / 5) * 25000
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("ffv1", rate=24), out.add_stream(codec, rate=hertz)
        video.width, video.height, video.pix_fmt, audio.layout = 96, 64, "yuv420p", "mono"
        video.codec_context.time_base = MILLISECOND
        made = []
        for number, luma in enumerate(pan(48)):
            frame = still_frame(luma)
            frame.pts, frame.time_base = round((picture + Fraction(number, 24)) * 1000), MILLISECOND
            made += video.encode(frame)
        for start in range(0, len(wave), 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = hertz, start + round(sound * hertz), Fraction(1, hertz)
            made += audio.encode(frame)
        for packet in sorted([*made, *video.encode(None), *audio.encode(None)], key=lambda p: p.dts * p.time_base):
            out.mux(packet)
    return path


@pytest.mark.parametrize("end", ["mxf", "avi"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "ac3", "libmp3lame", "libopus"])
@pytest.mark.parametrize(("picture", "sound"), [("0", "0.5"), ("0.5", "0"), ("1.4", "1.2"), ("1.4", "1.6")])
def test_sound_is_in_step_in_containers_without_time_stamps(end, codec, picture, sound, tmp_path, fake_colorizer):
    source = reel_with_click(tmp_path / "a.mkv", Fraction(picture), Fraction(sound), codec)
    report = colorize_film(source, tmp_path / f"b.{end}", FilmOptions(codec="ffv1"), colorizer=fake_colorizer)
    samples, begins = heard(report.output)
    loud = np.abs(samples) > 0.3 * np.abs(samples).max()
    found = seconds(report.output)
    assert len(found) == 48
    slack = 0.03 if end == "avi" and (codec, picture) != ("pcm_s16le", "0") else 0.003  # whole packets are kept
    assert float(begins) + int(loud.argmax()) / 48000 == pytest.approx(float(found[30] - found[0]), abs=slack)
    assert any("s of sound of track 1 before the first frame" in note for note in report.notes) == (
        Fraction(picture) > Fraction(sound)
    )


def test_sound_that_ends_early_does_not_end_mxf(tmp_path, fake_colorizer):
    source = reel_with_click(tmp_path / "a.mkv", Fraction(0), Fraction(0), "pcm_s16le", ends=Fraction(3, 2))
    options = FilmOptions(codec="ffv1")
    output = colorize_film(source, tmp_path / "b.mxf", options, colorizer=fake_colorizer).output
    assert same_lumas(output, source)
    samples, _ = heard(output)
    assert np.array_equal(samples, np.pad(heard(source)[0], (0, 24000)))


@pytest.mark.parametrize(("begins", "ends"), [(0, 0.1), (1.9, 2)])
def test_a_short_track_lets_mxf_write_the_others_at_once(begins, ends, tmp_path, fake_colorizer):
    """Otherwise, FFmpeg would hold the whole picture in memory until the short track has its silence."""
    one = reel_with_click(tmp_path / "one.mkv", Fraction(0), Fraction(0), "pcm_s16le")
    with av.open(str(one)) as a, av.open(str(one)) as b, av.open(str(tmp_path / "a.mkv"), "w") as out:
        chosen = [*a.streams, b.streams.audio[0]]
        new = {id(stream): out.add_stream_from_template(stream) for stream in chosen}
        short = [p for p in b.demux(audio=0) if p.size and begins <= p.pts * p.time_base < ends]
        for packet in sorted([*(p for p in a.demux() if p.size), *short], key=lambda p: p.dts * p.time_base):
            packet.stream = new[id(packet.stream)]
            out.mux(packet)
    sizes = []

    def measure(_):
        if (path := whole_film(tmp_path / "b.mxf")).exists():
            sizes.append(path.stat().st_size)

    options = FilmOptions(codec="ffv1")
    report = colorize_film(tmp_path / "a.mkv", tmp_path / "b.mxf", options, colorizer=fake_colorizer, progress=measure)
    assert sizes[len(sizes) * 3 // 4] > report.output.stat().st_size / 3
    assert same_lumas(report.output, one)
    with av.open(str(report.output)) as film:
        assert [stream.duration * stream.time_base for stream in film.streams.audio] == [2, 2]


def test_pcm_that_ends_before_a_part_is_left_out_whatever_duration_its_packet_states(
    tmp_path, fake_colorizer, monkeypatch
):
    source = write_film(tmp_path / "a.mkv", pan(30), sound="pcm_s16le")
    read = tracks._read

    def overstated(*arguments):
        for packet in read(*arguments):
            packet.duration *= 2
            yield packet

    monkeypatch.setattr(tracks, "_read", overstated)
    part = FilmOptions(codec="ffv1", start=Fraction(25, 24))
    output = colorize_film(source, tmp_path / "b.mkv", part, colorizer=fake_colorizer).output
    samples, begins = heard(output)
    assert begins == 0
    assert np.array_equal(samples[:9000], heard(source)[0][50016:59016])  # Matroska rounds times to 1 ms


def test_sound_of_a_part_that_is_re_encoded_begins_at_its_first_frame(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(30), sound="flac")
    part = FilmOptions(codec="prores", start=Fraction(25, 24))
    output = colorize_film(source, tmp_path / "b.mxf", part, colorizer=fake_colorizer).output
    samples, begins = heard(output)
    assert begins == 0
    assert np.array_equal(samples[:9000] >> 16, heard(source)[0][50000:59000])


def test_packets_of_sound_that_last_into_a_part_are_kept(tmp_path, fake_colorizer):
    """The edit list of MP4 tells players to leave out what such a packet holds before the part."""
    source = write_film(tmp_path / "a.mp4", pan(30), sound="aac")
    part = FilmOptions(preset="ultrafast", start=Fraction(25, 24))
    output = colorize_film(source, tmp_path / "b.mp4", part, colorizer=fake_colorizer).output
    samples, begins = heard(output)
    assert begins == seconds(output)[0] == 0
    settled = 2048  # after two packets, the decoder no longer lacks those before
    assert np.allclose(samples[settled:9000], heard(source)[0][50000 + settled : 59000], atol=1e-4)


def test_a_part_up_to_the_end_and_one_from_the_beginning(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(48), sound="aac")
    tail = FilmOptions(preset="ultrafast", start=Fraction(1))
    report = colorize_film(source, tmp_path / "tail.mp4", tail, colorizer=fake_colorizer)
    assert (report.frames, report.shots) == (24, [1])
    head = FilmOptions(preset="ultrafast", end=Fraction(1))
    report = colorize_film(source, tmp_path / "head.mp4", head, colorizer=fake_colorizer)
    assert (report.frames, report.shots) == (24, [0])
    assert seconds(report.output)[0] == 0


def test_a_part_behind_the_end_is_an_error(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(12))
    with pytest.raises(FilmError, match=r"no frame at 0:00:09.000: give a time up to"):
        colorize_film(source, None, FilmOptions(start=Fraction(9)), colorizer=fake_colorizer)


def test_a_cover_is_not_a_film_and_stays(tmp_path, fake_colorizer):
    """FFmpeg presents a cover as a video track; it is copied and not coloured."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(stream, "JPEG")
    source = write_film(tmp_path / "a.mkv", pan(6), attachment=("cover.jpg", "image/jpeg", stream.getvalue()))
    with av.open(str(source)) as container:
        assert len(container.streams.video) == 2
    report = colorize_film(source, None, FAST, colorizer=fake_colorizer)
    assert report.frames == 6
    assert packets(report.output, 1) == [stream.getvalue()]


def test_transparency_that_is_not_kept_is_named(tmp_path, fake_colorizer):
    """The stream no longer states that it is transparent, or which encoder made the old one."""
    old = {"alpha_mode": "1", "encoder": "Scanner 7"}
    source = write_film(tmp_path / "a.mkv", pan(2), name="yuva420p", codec="ffv1", video_metadata=old)
    report = colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer)
    assert report.notes == ["not kept: the alpha channel (transparency)"]
    with av.open(report.output) as film:
        assert film.streams.video[0].metadata.keys() <= {"DURATION"}
