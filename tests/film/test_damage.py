"""Damaged films and other files: a one-line error with a remedy, no data lost, and the rest of the film coloured."""

import io
import itertools
import os
import shutil
import socket
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom.errors import FilmError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.damage_log import gap_notes
from photochrom.film.output import tracks
from photochrom.film.output.resume import work_folder
from photochrom.film.output.room import check_room, frame_size
from photochrom.film.plan import make_plan
from photochrom.film.reader import FilmReader
from photochrom.film.times import time_text
from tests.helpers.films import (
    colorizer,
    decoded,
    heard,
    in_fields,
    other_shot,
    packets,
    pan,
    plane,
    same_lumas,
    seconds,
    still_frame,
    write_film,
    write_frames,
)
from tests.helpers.permissions import as_nobody, public_folder
from tests.helpers.sequences import write_dpx

LOSSLESS = FilmOptions(codec="ffv1")


def refused(path, fake, match, output=None, options=LOSSLESS, **more):
    """Return the error for a film, and check that no files are left."""
    before = sorted(path.parent.iterdir()) if path.parent.is_dir() else None
    with pytest.raises(FilmError, match=match) as caught:
        colorize_film(path, output, options, colorizer=fake, **more)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message or str(output) in message
    if before is not None:
        assert sorted(path.parent.iterdir()) == before
    return message


def test_no_such_file(tmp_path, fake_colorizer):
    refused(tmp_path / "a.mp4", fake_colorizer, "does not exist: check the path")


def test_a_folder(tmp_path, fake_colorizer):
    (tmp_path / "a.mp4").mkdir()
    refused(tmp_path / "a.mp4", fake_colorizer, "cannot be read")


@pytest.mark.parametrize("content", [b"", b"Dear diary,\n" * 100, bytes(5000), bytes(range(256)) * 20])
def test_no_film_at_all(content, tmp_path, fake_colorizer):
    (tmp_path / "a.mp4").write_bytes(content)
    refused(tmp_path / "a.mp4", fake_colorizer, "cannot be read as a film|has no picture|none of its frames")


@pytest.mark.parametrize("name", ["reel", "reel/a.0001.dpx", "reel/a.%04d.dpx", "reel/a.mkv"])
def test_a_film_in_a_folder_without_permission(name, fake_colorizer):
    with public_folder() as folder:
        write_dpx(folder / "reel", pan(1))
        (folder / "reel").chmod(0)
        with as_nobody(), pytest.raises(FilmError, match=r"reel.*cannot be read \(Permission denied\): check"):
            colorize_film(folder / name, folder / "b.mkv", LOSSLESS, colorizer=fake_colorizer)
        (folder / "reel").chmod(0o755)


@pytest.mark.parametrize("name", ["a.mkv", "a.%04d.dpx"])
def test_an_output_in_a_folder_without_permission(name, fake_colorizer):
    with public_folder() as folder:
        (folder / "closed").mkdir(mode=0)
        film = write_film(folder / "a.mkv", pan(2))
        with as_nobody(), pytest.raises(FilmError, match=r"closed.* cannot be written \(Permission denied\): ask for"):
            colorize_film(film, folder / "closed" / name, colorizer=fake_colorizer)


@pytest.mark.parametrize("place", ["frames", "beside"])
def test_a_sequence_in_a_folder_that_may_not_be_written_is_refused_before_the_work(place, fake_colorizer, monkeypatch):
    """The frames are coloured in a folder beside theirs, and moved at the end."""
    monkeypatch.setattr("photochrom.film.job.ResumeFolder", lambda *_, **__: pytest.fail("the work has begun"))
    with public_folder() as folder:
        film = write_film(folder / "a.mkv", pan(2))
        (folder / "new").mkdir()
        locked = folder / "new" if place == "frames" else folder
        folder.chmod(0o777)
        (folder / "new").chmod(0o777)
        locked.chmod(0o755)
        match = rf"^{locked}: cannot be written \(Permission denied\): ask for"
        with as_nobody(), pytest.raises(FilmError, match=match):
            colorize_film(film, folder / "new" / "a.%04d.dpx", colorizer=fake_colorizer)


def with_little_room(monkeypatch, *, total=1_000_000):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=total, free=min(total, 1_000)))


@pytest.mark.parametrize(("codec", "name"), [("v210", "b.mov"), ("dpx", "b.%04d.dpx")])
def test_an_uncompressed_film_that_does_not_fit_on_the_disk(codec, name, tmp_path, fake_colorizer, monkeypatch):
    film = write_film(tmp_path / "a.mkv", pan(24))
    with_little_room(monkeypatch)
    told = rf"{name}: needs 0\.\d GB, and 0\.0 GB are free on its disk: make room, or choose another output or codec$"
    refused(film, fake_colorizer, told, tmp_path / name, FilmOptions(codec=codec))


def test_work_of_an_earlier_run_counts_as_room(tmp_path, monkeypatch):
    with_little_room(monkeypatch)
    size = frame_size("dpx", 10, 20, 10)
    assert size == 750
    check_room(tmp_path / "a.%04d.dpx", size, 1, muxed=False)
    with pytest.raises(FilmError, match="needs"):
        check_room(tmp_path / "a.%04d.dpx", size, 2, muxed=False)
    done = work_folder(tmp_path / "a.%04d.dpx") / "frames"
    done.mkdir(parents=True)
    (done / "a.0001.dpx").write_bytes(bytes(500))
    check_room(tmp_path / "a.%04d.dpx", size, 2, muxed=False)


def test_a_disk_that_does_not_state_its_size_may_have_room(tmp_path, monkeypatch):
    """Examples are tmpfs without a limit, and some network disks."""
    with_little_room(monkeypatch, total=0)
    check_room(tmp_path / "a.mov", 1_000_000, 1_000, muxed=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path, fake_colorizer):
    os.mkfifo(tmp_path / "a.mkv")
    refused(tmp_path / "a.mkv", fake_colorizer, "is a pipe or a device, .*: save it as a file")


@pytest.mark.parametrize("name", ["x" * 300 + ".mkv", "x" * 300 + ".%04d.dpx"])
def test_a_name_that_no_file_can_have(name, tmp_path, fake_colorizer):
    refused(tmp_path / name, fake_colorizer, "cannot be read")


def test_a_film_that_disappears_before_the_first_frame_is_coloured(tmp_path, fake_colorizer, monkeypatch):
    film = write_film(tmp_path / "a.mkv", pan(2))
    monkeypatch.setattr(type(fake_colorizer), "label", property(lambda _: film.unlink(missing_ok=True) or "fake"))
    with pytest.raises(FilmError, match=r"a\.mkv: has disappeared: put it back"):
        colorize_film(film, None, LOSSLESS, colorizer=fake_colorizer)


def test_a_film_that_disappears_while_it_is_planned(tmp_path, fake_colorizer):
    film = write_film(tmp_path / "a.mkv", pan(2))
    with FilmReader(film) as reader:
        film.unlink()
        with pytest.raises(FilmError, match=r"a\.mkv: does not exist"):
            make_plan(reader, tmp_path / "b.avi", LOSSLESS)


def test_a_film_whose_end_is_missing_is_planned(tmp_path, monkeypatch):
    film = write_film(tmp_path / "a.mkv", pan(9), codec="ffv1")

    class Torn:
        """A container whose file cannot be read to its end."""

        def __init__(self, container):
            self.container, self.streams, self.format = container, container.streams, container.format

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.container.close()

        def demux(self, stream):
            yield from itertools.islice(self.container.demux(stream), 5)
            raise av.error.InvalidDataError(1, "Invalid data")

    with FilmReader(film) as reader, av.open(str(film)) as container:
        monkeypatch.setattr(av, "open", lambda *_, **__: Torn(container))
        assert reader.irregular_at() is None


def test_sound_only(tmp_path, fake_colorizer):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        for i in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    refused(path, fake_colorizer, "has no picture")


def test_no_frames(tmp_path, fake_colorizer):
    path = write_film(tmp_path / "a.mkv", [], sound="aac")
    refused(path, fake_colorizer, "has no picture|none of its frames|cannot be read as a film")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("a.mp4", {"movflags": "+faststart"}), ("a.mkv", {})])
def test_half_a_film_is_coloured_and_reported(name, options, tmp_path, fake_colorizer):
    """The end is missing, and the index of the MP4 is at the beginning."""
    path = write_film(tmp_path / name, pan(96), container_options=options)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert 30 < report.frames < 80
    assert len(decoded(report.output)) == report.frames
    assert any("ends early" in note or "damaged" in note for note in report.notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "share", "missing"),
    [("a.mp4", 0.9, 0.1), ("a.mov", 0.5, 1), ("a.avi", 0.5, 1)],
)
def test_missing_frames_at_the_end_are_reported(name, share, missing, tmp_path, fake_colorizer):
    """MP4 and MOV list all frames in advance here, even less than a second of them; AVI states their number."""
    options = {} if name == "a.avi" else {"movflags": "+faststart"}
    path = write_film(tmp_path / name, pan(72, 320, 240), codec="mpeg4", container_options=options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    report = colorize_film(path, tmp_path / "b.mkv", LOSSLESS, colorizer=fake_colorizer)
    assert missing < (72 - report.frames) / 24 < 3
    last = time_text(Fraction(report.frames, 24))
    assert [note for note in report.notes if "ends early" in note and f"(no picture from {last} on" in note]


def test_a_film_without_its_index(tmp_path, fake_colorizer):
    """The end is missing, and with it the index."""
    path = write_film(tmp_path / "a.mp4", pan(48))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    refused(path, fake_colorizer, "cannot be read as a film")


def spoil(path, numbers):
    """Change bits in the packets of some frames."""
    with av.open(str(path)) as container:
        found = [bytes(p) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    for number in numbers:
        start = content.index(found[number])
        for i in range(start + len(found[number]) // 5, start + len(found[number]) * 4 // 5):
            content[i] ^= 0x35
    path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "ffv1", "mpeg4", "mjpeg"])
def test_damage_in_the_middle_is_reported_with_its_time(codec, tmp_path, fake_colorizer):
    path = write_film(tmp_path / "a.mkv", pan(72), codec=codec, options={"g": "12", "strict": "unofficial"})
    spoil(path, [30])
    readable = len(decoded_loosely(path))
    options = FilmOptions(codec="ffv1", recolor=True)
    report = colorize_film(path, None, options, colorizer=fake_colorizer)
    assert report.frames == len(decoded(report.output)) == readable >= 71
    assert "damaged packet" in report.notes[0]
    assert ["may be missing" in note for note in report.notes[1:]] == [True] * (72 - report.frames)
    told = [float(text[5:]) for text in report.notes[0].split(" at ")[1].split(", ")]
    assert abs(told[0] - 30 / 24) < 0.5
    intact = [plane(frame) for frame in decoded(report.output)][:24]
    assert all(np.array_equal(a, plane(b)) for a, b in zip(intact, decoded_loosely(path), strict=False))


def decoded_loosely(path):
    """Return all frames that can be decoded."""
    found = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                found += packet.decode()
            except av.error.InvalidDataError:
                continue
    return found


def test_the_time_of_a_change_of_size_is_reported(tmp_path, fake_colorizer):
    """The film consists of two H.264 streams, one after the other."""
    write_film(tmp_path / "1.h264", pan(30), format="h264")
    write_film(tmp_path / "2.h264", pan(30, 128, 80), format="h264")
    path = tmp_path / "a.h264"
    path.write_bytes((tmp_path / "1.h264").read_bytes() + (tmp_path / "2.h264").read_bytes())
    message = refused(path, fake_colorizer, "the size of the picture changes at")
    assert "colour the parts one by one" in message


def color_frames(count=6, width=128, height=96):
    """Return frames of a colour photograph."""
    picture = np.ascontiguousarray(data.astronaut()[::4, ::4][:height, :width])
    for _ in range(count):
        yield av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")


@pytest.mark.slow
@pytest.mark.parametrize("begins", [True, False])
def test_a_film_of_which_only_some_frames_are_interlaced(begins, tmp_path, fake_colorizer):
    """The output's stream is marked like the first frame."""
    plain, fields = [still_frame(luma) for luma in pan(12)], in_fields([still_frame(luma) for luma in pan(12)], "tff")
    frames = fields + plain if begins else plain + fields
    path = write_frames(tmp_path / "a.mkv", frames, codec="ffv1")
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert report.notes == [
        "only some frames are interlaced; all are marked like the first (one differs at 0:00:00.500)"
    ]
    assert [frame.interlaced_frame for frame in decoded(report.output)] == [begins] * 24


@pytest.mark.slow
@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_sound_whose_clock_goes_back(end, tmp_path, fake_colorizer):
    """As in two recordings joined with an overlap, nothing is lost, and the report says when."""
    for name, start in (("1", 0), ("2", 12)):
        pts = [start + i for i in range(12)]
        write_film(tmp_path / f"{name}.ts", pan(12), codec="mpeg2video", pts=pts, sound="aac")
    path = tmp_path / "a.ts"
    path.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())
    report = colorize_film(path, tmp_path / f"b.{end}", FilmOptions(), colorizer=fake_colorizer)
    assert "the time stamps of track 1 went back at 0:00:00.491 and were repaired" in report.notes
    assert report.frames == len(decoded(report.output)) == 24
    with av.open(str(path)) as before, av.open(str(report.output)) as after:
        heard, kept = ([f.to_ndarray() for f in film.decode(audio=0)] for film in (before, after))
        assert len(heard) > 40
        assert all(np.array_equal(a, b) for a, b in zip(heard, kept, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("end", ["mp4", "mkv"])
def test_a_film_in_colour_is_refused_unless_recolouring_is_asked_for(end, tmp_path, fake_colorizer):
    path = write_frames(tmp_path / f"a.{end}", list(color_frames()))
    refused(path, fake_colorizer, 'is in colour already: recolor="all"', options=FilmOptions())
    report = colorize_film(path, None, FilmOptions(codec="ffv1", recolor=True), colorizer=fake_colorizer)
    assert same_lumas(path, report.output)


def assert_colour_is_found(path, fake):
    """Check that the grey shots of a film partly in colour are coloured, and the others unchanged."""
    report = colorize_film(path, None, LOSSLESS, colorizer=fake)
    assert report.notes[0].startswith("1 of 2 shots is in colour and left unchanged")


@pytest.mark.slow
def test_a_film_may_turn_to_colour_later(tmp_path, fake_colorizer):
    frames = [still_frame(luma) for luma in pan(48, 128, 96)] + list(color_frames(48))
    path = write_frames(tmp_path / "a.mp4", frames, options={"g": "6"})
    assert_colour_is_found(path, fake_colorizer)


def test_a_uniform_tint_is_not_colour(tmp_path, fake_colorizer):
    path = write_frames(tmp_path / "a.mp4", [still_frame(luma, chroma=(110, 146)) for luma in pan(6)])
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert same_lumas(path, report.output)


@pytest.mark.slow
def test_a_sepia_tone_that_follows_the_luma_is_not_colour(tmp_path, fake_colorizer):
    """In a toned film, black and white stay neutral, and the tones between are brown."""
    sepia = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    frames = []
    for luma in pan(6, 128, 96):
        rgb = np.clip(np.dstack([luma] * 3) @ sepia.T, 0, 255).astype(np.uint8)
        frames.append(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p"))
    path = write_frames(tmp_path / "a.mp4", frames)
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert same_lumas(path, report.output)


def test_an_output_that_exists_is_kept(tmp_path, fake_colorizer):
    path = write_film(tmp_path / "a.mkv", pan(5))
    output = tmp_path / "b.mkv"
    output.write_bytes(b"mine")
    refused(path, fake_colorizer, "b.mkv: exists: .*overwrite=True", output)
    assert output.read_bytes() == b"mine"
    colorize_film(path, output, LOSSLESS, colorizer=fake_colorizer, overwrite=True)
    assert same_lumas(path, output)


@pytest.mark.parametrize("link", [False, True])
def test_the_film_itself_is_not_an_output(link, tmp_path, fake_colorizer):
    path = write_film(tmp_path / "a.mkv", pan(5))
    output = path
    if link:
        output = tmp_path / "b.mkv"
        os.link(path, output)
    content = path.read_bytes()
    refused(path, fake_colorizer, "is the film itself", output, overwrite=True)
    assert path.read_bytes() == content


def test_outputs_in_no_folder_and_that_are_folders(tmp_path, fake_colorizer):
    path = write_film(tmp_path / "a.mkv", pan(6))
    refused(path, fake_colorizer, "there is no folder", tmp_path / "none" / "b.mkv")
    (tmp_path / "c.mkv").mkdir()
    output = colorize_film(path, tmp_path / "c.mkv", LOSSLESS, colorizer=fake_colorizer).output
    assert output == tmp_path / "c.mkv" / "a.color.mkv"
    assert same_lumas(path, output)


def test_names_that_are_hard_to_spell(tmp_path, fake_colorizer):
    path = write_film(tmp_path / "zwölf % Männer: #1 'x' (1).mkv", pan(5))
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert report.output.name == "zwölf % Männer: #1 'x' (1).color.mkv"
    assert same_lumas(path, report.output)


def test_names_that_look_like_a_protocol(tmp_path, fake_colorizer, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_film(tmp_path / "Nosferatu:1922.mkv", pan(5))
    report = colorize_film(path.name, None, LOSSLESS, colorizer=fake_colorizer)
    assert report.output == Path("Nosferatu:1922.color.mkv")
    assert same_lumas(path, report.output.absolute())


@pytest.mark.slow
def test_one_frame(tmp_path, fake_colorizer):
    for end, options in (("mkv", LOSSLESS), ("mp4", FilmOptions())):
        path = write_film(tmp_path / f"a.{end}", pan(1))
        report = colorize_film(path, None, options, colorizer=fake_colorizer)
        assert (report.frames, report.shots) == (1, [0])
        assert len(decoded(report.output)) == 1


def test_a_film_with_a_palette_may_be_in_colour(tmp_path, fake_colorizer):
    colors = np.random.default_rng(0).integers(0, 256, (256, 4), np.uint8)  # blue, green, red, opaque
    frame = av.VideoFrame(96, 64, "pal8")
    frame.planes[0].update(np.resize(np.arange(256, dtype=np.uint8), (64, frame.planes[0].line_size)).tobytes())
    frame.planes[1].update((colors | np.uint8([0, 0, 0, 255])).tobytes())
    path = write_frames(tmp_path / "a.mov", [frame] * 5, name="pal8", codec="png")
    refused(path, fake_colorizer, 'is in colour already: recolor="all"', options=FilmOptions())


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "ffv1"])
@pytest.mark.parametrize("count", [2, 3, 4, 7])
def test_a_few_frames(count, codec, tmp_path, fake_colorizer):
    """There are so few that a decoder yields most of them only at the end, all at once."""
    path = write_film(tmp_path / "a.mkv", pan(count), codec=codec, options={"bf": "2"} if codec == "libx264" else {})
    report = colorize_film(path, None, FilmOptions(codec="ffv1", recolor=True), colorizer=fake_colorizer)
    assert (report.frames, report.notes) == (count, [])
    assert same_lumas(path, report.output)


@pytest.mark.parametrize("end", ["mkv", "avi"])
@pytest.mark.slow
def test_any_frame_can_be_begun_with(end, tmp_path, monkeypatch):
    """Decoders may hold back as many frames as the machine has cores, and AVI has no presentation times."""
    path = write_film(tmp_path / f"a.{end}", pan(80), options={"g": "5", "bf": "2", "preset": "veryfast"})
    opened = FilmReader._open

    def with_many_threads(reel):
        opened(reel)
        reel.video.codec_context.thread_count = 16

    monkeypatch.setattr(FilmReader, "_open", with_many_threads)
    with FilmReader(path) as reel:
        every = [frame.pts for frame in reel.frames()]
        assert len(every) == 80
        for number, pts in enumerate(every):
            assert reel.pts_at(reel.seconds(pts)) == pts
            assert [frame.pts for frame in reel.frames(pts)] == every[number:]


def test_films_that_were_joined_are_refused(tmp_path, fake_colorizer):
    """The clock of the second part starts again, so that sound would be out of step."""
    write_film(tmp_path / "1.ts", pan(40), codec="mpeg2video")
    write_film(tmp_path / "2.ts", other_shot(40), codec="mpeg2video")
    path = tmp_path / "a.ts"
    path.write_bytes((tmp_path / "1.ts").read_bytes() + (tmp_path / "2.ts").read_bytes())
    message = refused(path, fake_colorizer, "its time stamps start over at 0:00:01.6")
    assert "colour the parts" in message


@pytest.mark.slow
def test_sound_that_outlasts_the_picture_is_not_damage(tmp_path, fake_colorizer):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        sound, video = out.add_stream("aac", rate=48000), out.add_stream("libx264", rate=24)
        sound.layout = "mono"
        video.width, video.height = 96, 64
        for number, luma in enumerate(pan(24)):
            frame = still_frame(luma)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in range(0, 4 * 48000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    assert colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer).notes == []


@pytest.mark.slow
def test_sound_that_cannot_be_read_is_not_left_out_in_silence(tmp_path, fake_colorizer, monkeypatch):
    """The file may be whole, and the disk or the network the cause."""
    path = write_film(tmp_path / "a.mkv", pan(24), sound="aac")
    honest = tracks.packets

    def failing(source, *rest):
        def demux(streams):
            yield from itertools.islice(source.demux(streams), 5)
            raise av.error.OSError(5, "Input/output error")

        return honest(SimpleNamespace(streams=source.streams, demux=demux), *rest)

    monkeypatch.setattr(tracks, "packets", failing)
    with pytest.raises(FilmError, match=r"a\.mkv: cannot be read \(Input/output error\): check the disk, then"):
        colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    monkeypatch.undo()
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert packets(path, 1) == packets(report.output, 1)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["mp4", "ts", "mkv"])
def test_colour_behind_the_only_key_frame(end, tmp_path, fake_colorizer):
    """Seeking leads to a key frame, and a short film may have only one."""
    grey = [still_frame(luma) for luma in pan(90)]
    frames = grey + list(color_frames(90, 96, 64))
    path = write_frames(tmp_path / f"a.{end}", frames, options={"g": "250", "sc_threshold": "0"})
    assert_colour_is_found(path, fake_colorizer)


@pytest.mark.slow
def test_colour_far_into_a_film_that_cannot_be_sought_in(tmp_path, fake_colorizer):
    grey = write_film(tmp_path / "1.h264", pan(120), format="h264")
    color = write_frames(tmp_path / "2.h264", list(color_frames(120, 96, 64)), format="h264")
    path = tmp_path / "a.h264"
    path.write_bytes(grey.read_bytes() + color.read_bytes())
    assert_colour_is_found(path, fake_colorizer)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_film_of_a_camera_that_writes_exif(orientation, tmp_path, fake_colorizer):
    """PyAV cannot list the side data of such a frame."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Canon", orientation
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        video = out.add_stream("mjpeg", rate=24)
        video.width, video.height, video.pix_fmt = 96, 64, "yuvj420p"
        for number, luma in enumerate(pan(6)):
            jpeg = io.BytesIO()
            Image.fromarray(luma).convert("RGB").save(jpeg, "JPEG", exif=exif, quality=95)
            packet = av.Packet(jpeg.getvalue())
            packet.time_base, packet.pts, packet.dts, packet.duration = Fraction(1, 24), number, number, 1
            packet.is_keyframe, packet.stream = True, video
            out.mux(packet)
    report = colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer)
    assert same_lumas(path, report.output)
    assert [frame.rotation for frame in decoded(report.output)] == [frame.rotation for frame in decoded(path)]


@pytest.mark.parametrize(("count", "width"), [(20, 16), (5, 380)])
def test_tiny_and_very_wide_pictures(count, width, tmp_path, fake_colorizer):
    path = write_film(tmp_path / "a.mkv", pan(count, width, 16), codec="ffv1")
    assert same_lumas(path, colorize_film(path, None, LOSSLESS, colorizer=fake_colorizer).output)


@pytest.mark.slow
def test_shots_do_not_lend_each_other_colours(tmp_path):
    """In the written file, the dark shot is blue and the bright one orange, from one frame to the next."""

    def ab(lightness):
        return (30, 40) if lightness.mean() > 0.5 else (5, -40)

    dark = [luma // 4 + 16 for luma in pan(20)]
    bright = [255 - luma // 4 - 40 for luma in other_shot(20)]
    path = write_film(tmp_path / "a.mkv", dark + bright, codec="ffv1")
    report = colorize_film(path, None, LOSSLESS, colorizer=colorizer(tmp_path, ab))
    assert report.shots == [0, Fraction(833, 1000)]
    blue = [plane(frame, 1).mean() for frame in decoded(report.output)]
    assert min(blue[:20]) > 132
    assert max(blue[20:]) < 120
    assert seconds(report.output) == seconds(path)


def test_damage_that_the_decoder_of_ffv1_hides_is_reported(tmp_path, fake_colorizer):
    """It fills a damaged slice from the frame before, so that only the checksum shows the damage."""
    source = write_film(tmp_path / "a.mkv", pan(6), codec="ffv1", options={"level": "3", "slicecrc": "1"})
    assert colorize_film(source, tmp_path / "whole.mkv", LOSSLESS, colorizer=fake_colorizer).notes == []
    data = bytearray(source.read_bytes())
    victim = packets(source, 0)[3]
    data[bytes(data).index(victim) + len(victim) // 2] ^= 0x10
    source.write_bytes(data)
    report = colorize_film(source, None, LOSSLESS, colorizer=fake_colorizer)
    assert report.frames == 6
    assert report.notes == ["1 damaged packet, left out or repaired by the decoder, at 0:00:00.125"]


def test_damaged_sound_that_is_encoded_again_becomes_silence_and_is_reported(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(24), codec="ffv1", sound="ac3")
    whole = colorize_film(source, tmp_path / "whole.mxf", LOSSLESS, colorizer=fake_colorizer)
    victim, content = packets(source, 1)[10], source.read_bytes()
    assert content.count(victim) == 1
    source.write_bytes(content.replace(victim, bytes(len(victim))))
    report = colorize_film(source, tmp_path / "b.mxf", LOSSLESS, colorizer=fake_colorizer)
    assert "1 damaged packet, left out or repaired by the decoder, at 0:00:00.315" in report.notes
    damaged, whole = (heard(path)[0] for path in (report.output, whole.output))
    assert damaged.shape == whole.shape
    assert not damaged[15_500:16_300].any()
    assert damaged[20_000:44_000] == pytest.approx(whole[20_000:44_000], abs=1e6)  # AC-3 is decoded with some noise
    early = FilmOptions(codec="ffv1", end=Fraction(1, 4))
    report = colorize_film(source, tmp_path / "c.mxf", early, colorizer=fake_colorizer)
    assert not any("damaged" in note for note in report.notes)


def write_pcm(path, sizes):
    """Write a film with 8-bit stereo sound in packets of 2,000 samples, of which the first ``sizes`` bytes exist."""
    wave = (128 + 100 * np.sin(np.arange(2000) / 10)).astype(np.uint8).repeat(2).tobytes()
    with av.open(str(path), "w") as out:
        video, sound = out.add_stream("ffv1", rate=24), out.add_stream("pcm_u8", rate=48000)
        video.width, video.height, video.pix_fmt, sound.layout = 96, 64, "yuv420p", "stereo"
        for number, (luma, size) in enumerate(zip(pan(len(sizes)), sizes, strict=True)):
            frame = still_frame(luma)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            packet = av.Packet(wave[:size])
            packet.pts = packet.dts = 2000 * number
            packet.duration, packet.time_base, packet.stream = 2000, Fraction(1, 48000), sound
            out.mux([*video.encode(frame), packet])
        out.mux(video.encode(None))
    return path


@pytest.mark.parametrize("end", ["mp4", "mov"])
def test_packets_of_8_bit_sound_that_are_cut_short(end, tmp_path, fake_colorizer):
    """A packet of less than a sample can be neither decoded nor copied. In 8 bits, silence is 128."""
    source = write_pcm(tmp_path / "a.mkv", [4000] * 10 + [1] + [4000] * 5 + [2001] + [4000] * 7)
    report = colorize_film(source, tmp_path / f"b.{end}", FilmOptions(codec="libx264"), colorizer=fake_colorizer)
    damaged = "2 damaged packets, left out or repaired by the decoder, at 0:00:00.417, 0:00:00.667"
    assert damaged in report.notes
    if end == "mp4":  # as FLAC
        sound = heard(report.output)[0][::2]
        assert not sound[20_010:21_970].any()
        assert np.abs(sound[22_000:24_000]).max() > 25_000
        assert sound.size == pytest.approx(48_000 - 1000, abs=48)
    else:
        assert [len(packet) % 2 for packet in packets(report.output, 1)] == [0] * len(packets(report.output, 1))


def test_streams_without_checksums_are_not_called_damaged(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(4), codec="ffv1", options={"level": "1"})
    assert colorize_film(source, None, LOSSLESS, colorizer=fake_colorizer).notes == []


def test_a_clock_that_goes_back_a_little_is_reported(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mkv", pan(4), codec="ffv1")
    source.write_bytes(2 * source.read_bytes())
    report = colorize_film(source, None, LOSSLESS, colorizer=fake_colorizer)
    assert report.frames == 8
    assert report.notes == ["the time stamps of track 0 went back at 0:00:00.125 and were repaired"]


def test_frames_missing_in_the_middle_are_reported(tmp_path, fake_colorizer):
    """If the header of a Matroska block is overwritten, FFmpeg leaves out its packet, and more, without an error."""
    source = write_film(tmp_path / "a.mkv", pan(40), codec="ffv1", options={"g": "1"})
    content, victim = source.read_bytes(), packets(source, 0)[12]
    start = content.index(victim) - 8
    source.write_bytes(content[:start] + bytes(len(victim)) + content[start + len(victim) :])
    report = colorize_film(source, None, LOSSLESS, colorizer=fake_colorizer)
    lost = 40 - report.frames
    assert 1 <= lost <= 3
    assert report.notes == [f"frames may be missing: there are none from 0:00:00.500 for {lost / 24:.3f} s"]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([40] * 30, []),
        ([40, 60] * 15, []),
        ([40, 80] * 15, []),
        ([40] * 19 + [100], ["0:00:00.800 for 0.060 s"]),
        ([40] * 90 + [120] * 6, ["0:00:03.640 for 0.080 s", "0:00:03.760 for 0.080 s", "..."]),
        ([], []),
    ],
)
def test_gaps_between_frames_are_named_unless_they_are_usual(steps, said):
    pts = [0, *itertools.accumulate(steps)]
    found = gap_notes(pts, lambda pts: Fraction(pts, 1000))
    assert len(found) == bool(said)
    assert all(text in found[0] for text in said)


def put_ahead(path):
    """Overwrite the time stamp of the eleventh block of a Matroska file by one that is far ahead."""
    content = bytearray(path.read_bytes())
    at = bytes(content).index(packets(path, 0)[10]) - 3  # the block's time stamp and flags come before its packet
    content[at : at + 2] = (30_000).to_bytes(2, "big")
    path.write_bytes(content)


def test_one_time_stamp_that_is_far_ahead_does_not_stop_a_film(tmp_path, fake_colorizer):
    """Behind damage, AVI's packets get such time stamps."""
    source = write_film(tmp_path / "a.mkv", pan(40), codec="ffv1")
    put_ahead(source)
    report = colorize_film(source, None, LOSSLESS, colorizer=fake_colorizer)
    assert report.notes == ["the time stamps of track 0 went back at 0:00:00.375 and were repaired"]
    assert seconds(report.output) == pytest.approx([number / 24 for number in range(40)], abs=0.002)


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
def test_a_playlist_opens_no_connection(name, tmp_path, fake_colorizer):
    """Otherwise an upload could make FFmpeg open any address, and any file of the machine."""
    film = write_film(tmp_path / "private.ts", pan(4))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        for entry in (address, film):
            text = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{entry}\n#EXT-X-ENDLIST\n"
            if name.endswith(".mp4"):
                text = f"ffconcat version 1.0\nfile {entry if entry == address else film.name}\n"
            (tmp_path / name).write_text(text)
            refused(tmp_path / name, fake_colorizer, "lists other files|cannot be read")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_times_before_the_beginning_are_written_with_a_sign():
    assert [time_text(Fraction(t, 24)) for t in (-1, 0, 1)] == ["-0:00:00.042", "0:00:00.000", "0:00:00.042"]
