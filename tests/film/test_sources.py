"""Unusual content of films: it is kept, or its loss is named."""

import sys
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from photochrom.errors import FilmError, OptionError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.output.codecs import FORMATS, REFUSED_SOUND
from photochrom.film.reader import FilmReader
from photochrom.film.source import samples
from photochrom.film.source.color_detection import has_colors
from photochrom.film.source.samples import FrameSamples
from photochrom.film.source.side_data import kinds
from tests.helpers.films import (
    RATE,
    colorizer,
    decoded,
    documentary,
    halves,
    heard,
    in_fields,
    packets,
    pan,
    plane,
    same_lumas,
    seconds,
    still_frame,
    with_chroma,
    write_film,
    write_frames,
)

LOSSLESS = FilmOptions(codec="ffv1")


@pytest.fixture
def red(tmp_path):
    return colorizer(tmp_path, lambda lightness: (40 + 0 * lightness, 20 + 0 * lightness))


def noise(number, index, shape, *, blur=0.0, spread=6.0, cast=4):
    """Return chroma of a tape: noise around a cast."""
    grain = np.random.default_rng([number, index]).normal(0, 1, shape)
    if blur:
        grain = cv2.GaussianBlur(grain, (0, 0), blur)
        grain /= grain.std()
    return np.round(128 + cast + spread * grain)


@pytest.mark.slow
@pytest.mark.parametrize("blur", [0, 1.5])
@pytest.mark.parametrize("spread", [3, 6])
def test_noise_and_a_cast_are_not_colours(blur, spread, tmp_path, red):
    frames = with_chroma(pan(30), lambda *place: noise(*place, blur=blur, spread=spread))
    path = write_frames(tmp_path / "tape.mkv", frames, codec="ffv1")
    report = colorize_film(path, None, LOSSLESS, colorizer=red)
    assert same_lumas(path, report.output)
    assert all(plane(frame, 2).mean() > 140 for frame in decoded(report.output))


def test_a_strong_tint_that_grows_with_the_luma_is_not_colour():
    """In dyed film, each channel is the same share of the luma everywhere."""
    frames = []
    for luma in pan(5, 320, 240, top=0):
        dyed = np.rint(luma[..., None] * np.array([1.0, 0.82, 0.45])).astype(np.uint8)
        frames.append(av.VideoFrame.from_ndarray(dyed, format="rgb24").reformat(format="yuv444p"))
    assert not has_colors(frames[::4])
    assert not has_colors(frames[:1])


def test_pale_colours_are_colours(tmp_path, red):
    path = write_frames(tmp_path / "pale.mkv", with_chroma(pan(30), halves), codec="ffv1")
    with pytest.raises(FilmError, match="is in colour already"):
        colorize_film(path, None, LOSSLESS, colorizer=red)


def test_one_frame_is_judged_alone():
    assert has_colors(with_chroma(pan(1), halves))
    assert not has_colors(with_chroma(pan(1, 320, 240, top=0), lambda *place: noise(*place, spread=3)))


@pytest.mark.slow
def test_blank_frames_stay_neutral(tmp_path, red):
    """These are a grey leader with grain, and black; the picture between them has its colours."""
    rng = np.random.default_rng(0)
    leader = [np.clip(rng.normal(110, 3, (64, 96)), 0, 255).astype(np.uint8) for _ in range(20)]
    path = write_film(tmp_path / "a.mkv", leader + pan(30) + [np.full((64, 96), 16, np.uint8)] * 5, codec="ffv1")
    frames = decoded(colorize_film(path, None, LOSSLESS, colorizer=red).output)
    for frame in frames[:20] + frames[-5:]:
        assert (plane(frame, 1) == 128).all()
        assert (plane(frame, 2) == 128).all()
    assert all(plane(frame, 2).mean() > 140 for frame in frames[20:-5])


@pytest.mark.slow
def test_grey_shots_of_a_film_partly_in_colour_are_coloured(tmp_path, red):
    path = documentary(tmp_path)
    report = colorize_film(path, None, LOSSLESS, colorizer=red)
    assert report.notes == ['1 of 3 shots is in colour and left unchanged: recolor="all" colours all of them']
    for number, (before, after) in enumerate(zip(decoded(path), decoded(report.output), strict=True)):
        assert np.array_equal(plane(before), plane(after))
        if 24 <= number < 48:
            assert all(np.array_equal(plane(before, index), plane(after, index)) for index in (1, 2))
        else:
            assert plane(after, 2).mean() > 140


@pytest.mark.slow
def test_all_shots_of_a_film_partly_in_colour_are_recoloured_if_asked(tmp_path, red):
    report = colorize_film(documentary(tmp_path), None, replace(LOSSLESS, recolor="all"), colorizer=red)
    assert report.notes == []
    assert all(plane(frame, 2).mean() > 140 for frame in decoded(report.output))


def test_a_film_is_refused_if_all_its_shots_turn_out_to_have_colours(tmp_path, red, monkeypatch):
    path = write_frames(tmp_path / "a.mkv", with_chroma(pan(12), halves), codec="ffv1")
    monkeypatch.setattr(FrameSamples, "colored_part", lambda *_: "some")
    with pytest.raises(FilmError, match="is in colour already"):
        colorize_film(path, None, LOSSLESS, colorizer=red)
    asked = colorize_film(path, None, replace(LOSSLESS, recolor="grey-shots"), colorizer=red)
    assert asked.notes == ["1 of 1 shots is in colour: nothing was coloured"]


def test_recolor_grey_shots_is_allowed_for_a_grey_film(tmp_path, red):
    grey = with_chroma(pan(12), lambda *_: np.float64(128))
    path = write_frames(tmp_path / "a.mkv", grey, codec="ffv1")
    report = colorize_film(path, None, replace(LOSSLESS, recolor="grey-shots"), colorizer=red)
    assert report.notes == ["no shot is in colour: all of them were coloured"]


@pytest.mark.slow
def test_a_part_that_begins_in_a_coloured_shot_keeps_its_colours(tmp_path, red):
    path = documentary(tmp_path)
    options = FilmOptions(codec="ffv1", recolor="grey-shots", start=30 / RATE)
    report = colorize_film(path, None, options, colorizer=red)
    made = decoded(report.output)
    for before, after in zip(decoded(path)[30:48], made[:18], strict=True):
        assert all(np.array_equal(plane(before, index), plane(after, index)) for index in range(3))
    assert min(plane(frame, 2).mean() for frame in made[18:]) > 140


@pytest.mark.slow
def test_the_notes_on_a_grey_part_of_a_film_partly_in_colour_do_not_contradict_each_other(tmp_path, red):
    path = documentary(tmp_path)
    report = colorize_film(path, None, replace(LOSSLESS, end=20 / RATE), colorizer=red)
    assert report.notes == []
    assert all(plane(frame, 2).mean() > 140 for frame in decoded(report.output))


@pytest.mark.slow
def test_a_grey_part_of_a_film_whose_samples_are_all_in_colour_is_coloured(tmp_path, red, monkeypatch):
    monkeypatch.setattr(FrameSamples, "colored_part", lambda *_: "all")
    path = documentary(tmp_path)
    assert colorize_film(path, None, replace(LOSSLESS, end=20 / RATE), colorizer=red).frames == 20
    part = replace(LOSSLESS, start=26 / RATE, end=46 / RATE)
    with pytest.raises(FilmError, match="is in colour already"):
        colorize_film(path, None, part, colorizer=red, overwrite=True)


@pytest.mark.slow
def test_a_single_shot_in_colour_is_refused_or_reported_as_unchanged(tmp_path, red):
    path = documentary(tmp_path)
    second = replace(LOSSLESS, only_shots=(2,))
    with pytest.raises(FilmError, match='shot 2 is in colour already: recolor="all"'):
        colorize_film(path, None, second, colorizer=red)
    asked = colorize_film(path, None, replace(second, recolor="grey-shots"), colorizer=red)
    assert asked.notes == ["shot 2 is in colour: nothing was coloured"]
    both = colorize_film(path, None, replace(LOSSLESS, only_shots=(2, 3)), colorizer=red, overwrite=True)
    assert both.notes == ['shot 2 is in colour and left unchanged: recolor="all" colours all of them']
    grey = colorize_film(path, None, replace(LOSSLESS, only_shots=(3,)), colorizer=red, overwrite=True)
    assert grey.notes == []


def test_recolor_is_checked():
    with pytest.raises(OptionError, match="recolor is 'some': choose one of all, grey-shots"):
        FilmOptions(recolor="some")
    assert FilmOptions(recolor=True) == FilmOptions(recolor="all")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "flac"), (".mp4", "flac"), (".mov", "pcm_s24le")])
def test_sound_that_a_container_cannot_hold_is_encoded_without_loss(suffix, codec, tmp_path, red):
    path = write_film(tmp_path / "old.avi", pan(24), codec="mpeg4", sound="adpcm_ms")
    report = colorize_film(path, tmp_path / f"new{suffix}", colorizer=red)
    assert report.notes == [
        f"the sound of track 1 is re-encoded without loss as {codec}, because {FORMATS[suffix]} cannot hold adpcm_ms"
    ]
    before, after = (heard(film)[0].astype(np.int64) for film in (path, report.output))
    assert np.array_equal(before, after if suffix != ".mov" else after >> 16)


@pytest.mark.parametrize("sound", ["flac", "libopus"])
def test_sound_that_only_the_muxer_of_mov_refuses_is_pcm_there(sound, tmp_path, red):
    path = write_film(tmp_path / "old.mkv", pan(24), sound=sound)
    report = colorize_film(path, tmp_path / "new.mov", FilmOptions(preset="ultrafast"), colorizer=red)
    name = sound.removeprefix("lib")
    assert report.notes == [
        f"the sound of track 1 is re-encoded without loss as pcm_s24le, because mov cannot hold {name}"
    ]
    if sound == "flac":
        assert np.array_equal(heard(path)[0], heard(report.output)[0] >> 16)


@pytest.mark.parametrize(("name", "sound"), [(name, sound) for name in REFUSED_SOUND for sound in REFUSED_SOUND[name]])
def test_the_table_of_refused_sound_agrees_with_ffmpeg(name, sound, tmp_path):
    with av.open(str(tmp_path / "a"), "w", format=name) as out:
        out.add_mux_stream(sound, rate=48000)
        with pytest.raises((av.error.ArgumentError, av.error.ExperimentalError)):
            out.start_encoding()


def test_sound_that_neither_fits_nor_can_be_decoded_is_an_error(tmp_path, red):
    """The track has no packets, so that its sample format is unknown."""
    with av.open(str(tmp_path / "a.mkv"), "w") as out, av.open(str(write_film(tmp_path / "b.mkv", pan(4)))) as film:
        video = out.add_stream_from_template(film.streams.video[0])
        out.add_mux_stream("truehd", rate=48000)
        for packet in film.demux(video=0):
            packet.stream = video
            if packet.size:
                out.mux(packet)
    with pytest.raises(
        FilmError, match=r"mp4 cannot hold its audio track 1 \(it cannot hold truehd\): write to a .mkv"
    ):
        colorize_film(tmp_path / "a.mkv", tmp_path / "c.mp4", FilmOptions(preset="ultrafast"), colorizer=red)


@pytest.mark.parametrize(
    ("name", "end", "total", "is_estimate"),
    [("a.mp4", None, 12, False), ("a.mp4", 0.25, 6, True), ("a.mkv", None, 12, True), ("a.h264", None, 0, False)],
)
def test_progress_tells_whether_the_file_states_its_number_of_frames(name, end, total, is_estimate, tmp_path, red):
    source = write_film(tmp_path / name, pan(12))
    seen = []
    colorize_film(source, tmp_path / "b.mkv", FilmOptions(end=end), colorizer=red, progress=seen.append)
    during = {(progress.total, progress.is_estimate) for progress in seen[: min(12, total or 12)]}
    assert during == {(total, is_estimate)}
    assert (seen[-1].done, seen[-1].total, seen[-1].is_estimate) == (total or 12, total or 12, False)


def raw_stream(tmp_path):
    """Return a raw H.264 stream that states 24 frames per second, while FFmpeg assumes 25."""
    return write_film(tmp_path / "pi.h264", pan(30), rate=24, format="h264")


def test_a_raw_stream_keeps_its_own_rate(tmp_path, red):
    report = colorize_film(raw_stream(tmp_path), tmp_path / "b.mkv", colorizer=red)
    with av.open(str(report.output)) as film:
        assert film.streams.video[0].average_rate == 24
    assert float(seconds(report.output)[-1]) == pytest.approx(29 / 24, abs=1e-3)


@pytest.mark.parametrize(("rate", "found"), [(None, 25), ("24000/1001", Fraction(24000, 1001))])
def test_the_rate_of_a_raw_stream_that_states_none_is_given_or_assumed(rate, found, tmp_path, red):
    unofficial = {"strict": "unofficial"}  # range of the samples
    path = write_film(tmp_path / "a.mjpeg", pan(6), codec="mjpeg", rate=18, format="mjpeg", options=unofficial)
    report = colorize_film(path, tmp_path / "b.mp4", FilmOptions(preset="ultrafast", rate=rate), colorizer=red)
    assert seconds(report.output) == pytest.approx([i / found for i in range(6)], abs=1e-4)
    assumed = "the stream does not state its rate; 25 frames per second are assumed: rate=18 sets another"
    assert [note for note in report.notes if "rate" in note] == ([] if rate else [assumed])


@pytest.mark.parametrize("codec", ["h261", "h263"])
@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(15000, 1001), Fraction(10000, 1001)])
def test_a_raw_h261_or_h263_stream_states_its_rate_by_the_numbers_of_its_pictures(rate, codec, tmp_path):
    path = write_film(tmp_path / f"a.{codec}", pan(140, 176, 144), codec=codec, rate=rate, format=codec)
    with FilmReader(path) as film:
        assert (film.rate, film.states_rate) == (rate, True)
        assert [frame.pts * film.time_base for frame in film.frames()] == [i / rate for i in range(140)]


@pytest.mark.parametrize("codec", ["h261", "h263"])
def test_a_raw_h261_or_h263_stream_of_another_rate_than_its_clock_gets_the_given_rate(codec, tmp_path):
    path = write_film(tmp_path / f"a.{codec}", pan(12, 176, 144), codec=codec, rate=24, format=codec)
    for given, rate in ((None, 25), (Fraction(24), 24), (Fraction(18), 18)):
        with FilmReader(path, rate=given) as film:
            assert (film.rate, film.states_rate) == (rate, given is not None)
            times = [film.seconds(frame.pts) for frame in film.frames()]
            assert times == pytest.approx([Fraction(i, rate) for i in range(12)], abs=1e-6)


def test_the_pictures_of_raw_h261_may_begin_between_two_bytes(tmp_path):
    path = write_film(tmp_path / "a.h261", pan(12, 176, 144), codec="h261", rate=Fraction(15000, 1001), format="h261")
    data = path.read_bytes()
    shifted = int.from_bytes(data, "big") << 5
    path.write_bytes(shifted.to_bytes(len(data) + 1, "big"))
    with FilmReader(path) as film:
        assert (film.rate, film.states_rate) == (Fraction(15000, 1001), True)
        assert len(list(film.frames())) == 12


def test_raw_h261_is_coloured_at_its_own_rate(tmp_path, red):
    rate = Fraction(10000, 1001)
    path = write_film(tmp_path / "a.h261", pan(30, 176, 144), codec="h261", rate=rate, format="h261")
    report = colorize_film(path, tmp_path / "b.mp4", colorizer=red)
    assert seconds(report.output) == pytest.approx([i / rate for i in range(30)], abs=1e-4)
    part = colorize_film(path, tmp_path / "c.mp4", FilmOptions(start=1, end=2), colorizer=red)
    assert part.frames == 10


def test_a_raw_mpeg_2_stream_begins_at_0(tmp_path, red):
    """FFmpeg's first time stamp is later by the delay of B-frames."""
    path = write_film(tmp_path / "a.m2v", pan(12), codec="mpeg2video", format="mpeg2video", options={"bf": "2"})
    assert seconds(path)[0] > 0
    report = colorize_film(path, tmp_path / "b.mp4", colorizer=red)
    assert seconds(report.output) == [Fraction(i, 24) for i in range(12)]


def test_raw_dv_has_the_rate_of_its_frames(tmp_path, red):
    lumas = [cv2.resize(luma, (720, 576)) for luma in pan(4)]
    path = write_film(tmp_path / "a.dv", lumas, codec="dvvideo", rate=25, format="rawvideo")
    report = colorize_film(path, tmp_path / "b.mxf", FilmOptions(codec="ffv1"), colorizer=red)
    assert seconds(report.output) == [Fraction(i, 25) for i in range(4)]


def captioned(tmp_path):
    """Return an MPEG-2 film with closed captions (CEA-708) in the user data of each picture."""
    plain = write_film(tmp_path / "plain.m2v", pan(12), codec="mpeg2video", format="mpeg2video")
    data = plain.read_bytes()
    caption = b"\0\0\1\xb2GA94\3\x41\xff\xfc\x94\x20\xff"
    parts = data.split(b"\0\0\1\1")  # the first slice of each picture; user data goes before it
    (tmp_path / "news.m2v").write_bytes((caption + b"\0\0\1\1").join(parts))
    return tmp_path / "news.m2v"


def side_data_of(path):
    return {part.type.name for frame in decoded(path) for part in frame.side_data}


def test_closed_captions_are_carried(tmp_path, red):
    path = captioned(tmp_path)
    assert "A53_CC" in side_data_of(path)
    report = colorize_film(path, tmp_path / "b.mp4", colorizer=red)
    assert "A53_CC" in side_data_of(report.output)
    assert report.notes == []
    assert all(plane(frame, 2).mean() > 140 for frame in decoded(report.output))


def test_looking_at_side_data_does_not_keep_a_frame(tmp_path):
    frame = decoded(captioned(tmp_path))[0]
    before = sys.getrefcount(frame)
    assert "A53_CC" in kinds(frame)
    assert sys.getrefcount(frame) == before


@pytest.mark.parametrize("codec", ["ffv1", "libx265"])
def test_closed_captions_that_a_codec_does_not_carry_are_named(codec, tmp_path, red):
    report = colorize_film(captioned(tmp_path), tmp_path / "b.mkv", FilmOptions(codec=codec), colorizer=red)
    assert report.notes == ["not kept: closed captions (libx264 keeps them)"]


@pytest.mark.slow
def test_sound_that_the_container_holds_is_copied(tmp_path, red):
    path = write_film(tmp_path / "old.avi", pan(24), codec="mpeg4", sound="mp3")
    report = colorize_film(path, None, colorizer=red)
    # The chunk of the second frame is empty: FFmpeg delays the picture by the delay of the MP3 encoder.
    assert seconds(report.output)[:3] == pytest.approx([0, 2 / 24, 3 / 24], abs=0.001)
    assert report.notes == []
    assert packets(report.output, 1) == packets(path, 1)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_frames_of_avi_with_b_frames_have_a_constant_rate(codec, tmp_path, red):
    """AVI states no presentation times; those that FFmpeg guesses for H.264 with B-frames are not even increasing."""
    options = {"bf": "2", "preset": "veryfast"}
    path = write_film(tmp_path / "a.avi", pan(24), codec=codec, options=options, sound="pcm_s16le")
    report = colorize_film(path, tmp_path / "b.mxf", FilmOptions(codec="ffv1"), colorizer=red)
    assert seconds(report.output) == [Fraction(i, 24) for i in range(24)]
    assert not any("missing" in note or "time stamps" in note for note in report.notes)
    read = [plane(frame) for frame in decoded(path)]
    assert all(np.array_equal(plane(a), b) for a, b in zip(decoded(report.output), read, strict=True))


def test_frames_of_avi_keep_their_times_behind_a_damaged_first_packet(tmp_path):
    """If they were earlier, the sound would be late."""
    lumas = pan(8)
    path = write_film(tmp_path / "a.avi", lumas, codec="ffv1", options={"g": "1"})
    content, first = path.read_bytes(), packets(path, 0)[0]
    path.write_bytes(content.replace(first, bytes(len(first)), 1))
    with FilmReader(path) as reader:
        frames = list(reader.frames())
    assert 0 < frames[0].pts == reader.first_pts
    assert all(np.array_equal(plane(frame), lumas[frame.pts]) for frame in frames)


@pytest.mark.parametrize("codec", ["dnxhr", "prores", "ffv1"])
def test_mxf_states_the_shape_of_pixels(codec, tmp_path, red):
    """FFmpeg alone states square pixels for DNxHR."""
    path = write_film(tmp_path / "a.mp4", pan(2, 320, 240), aspect=Fraction(12, 11))
    report = colorize_film(path, tmp_path / "b.mxf", FilmOptions(codec=codec), colorizer=red)
    assert not any("aspect" in note for note in report.notes)
    with av.open(str(report.output)) as film:
        assert film.streams.video[0].sample_aspect_ratio == Fraction(12, 11)


def test_the_shape_and_the_fields_that_avi_does_not_state_are_named(tmp_path, red):
    frames = in_fields([still_frame(luma) for luma in pan(2)], "bff")
    source = write_frames(tmp_path / "a.mp4", frames, aspect=Fraction(12, 11), options={"x264-params": "bff=1"})
    found = {
        codec: colorize_film(source, tmp_path / f"{codec}.avi", FilmOptions(codec=codec), colorizer=red).notes
        for codec in ("v210", "ffv1")
    }
    assert found["v210"][:2] == [
        "not kept: the pixel aspect ratio 12/11, which v210 in avi does not state",
        "not kept: that the bottom field is first, since v210 in avi does not state fields",
    ]
    assert found["ffv1"] == ["the avi header does not state the pixel aspect ratio 12/11; the frames of FFV1 do"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(8, 9)])
def test_the_shape_of_pixels_is_kept(aspect, codec, suffix, tmp_path, red):
    path = write_film(tmp_path / "pal.mp4", pan(12), aspect=aspect, sound="aac")
    output = tmp_path / f"b{suffix}"
    report = colorize_film(path, output, FilmOptions(codec=codec, end=0.4), colorizer=red)
    assert report.notes == []
    with av.open(str(output)) as film:
        assert film.streams.video[0].sample_aspect_ratio == aspect
        assert len(film.streams) == 2
        film.seek(300_000)
        assert len(list(film.decode(video=0))) > 0
    assert len(decoded(output)) == 10


def test_samples_of_one_long_shot_are_read_on_and_read_once(tmp_path, monkeypatch):
    """Each frame is decoded once, instead of from the only key frame for every sample and every purpose.

    Frames on which no others depend are not decoded between two samples.
    """
    frames, settings = with_chroma(pan(120), lambda *_: np.float64(128)), {"bf": "3", "b_strategy": "0"}
    path = write_frames(tmp_path / "long.mp4", frames, options=settings)
    with FilmReader(path) as reader:
        decoded = reader._decoded
        count = 0

        def counted(damage):
            nonlocal count
            for frame in decoded(damage):
                count += 1
                yield frame

        monkeypatch.setattr(reader, "_decoded", counted)
        film = FrameSamples(reader)
        times = [frame.pts for frame in film.frames()]
        assert len(times) == 8
        assert times == sorted(set(times))
        assert count <= 90
        assert film.colored_part() == "none"
        assert count <= 90


@pytest.mark.parametrize(("chroma", "part"), [(lambda *_: np.float64(128), "none"), (halves, "all")])
def test_keyframes_of_a_film_without_chroma_are_decoded_alone(chroma, part, tmp_path, monkeypatch):
    path = write_frames(tmp_path / "many.mp4", with_chroma(pan(60), chroma), options={"g": "10"})
    with FilmReader(path) as reader:
        if part == "none":
            monkeypatch.setattr(reader, "_decoded", None)
        film = FrameSamples(reader)
        frames = list(film.frames())
        assert len({frame.pts for frame in frames}) >= 5
        assert all(frame.key_frame for frame in frames) or part == "all"
        assert film.colored_part() == part
        found = reader.keyframes_near([0, frames[-1].pts])
        assert [(frame.pts, frame.time_base) for frame in found] == [
            (pts, reader.time_base) for pts in (0, frames[-1].pts)
        ]


def test_keyframes_of_an_interlaced_or_large_film_are_not_decoded_alone(tmp_path, monkeypatch):
    path = write_film(tmp_path / "fields.mp4", pan(60), options={"g": "10", "x264-params": "tff=1"})
    with FilmReader(path) as reader:
        assert reader.fields
        assert reader.keyframes_near([0]) == []
        assert FrameSamples(reader).colored_part() == "none"
    monkeypatch.setattr(samples, "_MOST_PIXELS", 1)
    monkeypatch.setattr(FilmReader, "keyframes_near", None)
    with FilmReader(write_film(tmp_path / "large.mp4", pan(60), options={"g": "10"})) as reader:
        assert len(list(FrameSamples(reader).frames())) == 8
