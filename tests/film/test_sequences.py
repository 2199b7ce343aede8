"""Numbered frames: read in every coding, written with the same luma, headers kept, resumed frame by frame."""

import errno
import itertools
import shutil
import struct
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from photochrom.errors import FilmError, OptionError, PhotoError
from photochrom.film import FilmOptions, colorize_film
from photochrom.film.damage_log import Damage
from photochrom.film.frames import FrameColorizer
from photochrom.film.plan import make_plan
from photochrom.film.preview import preview_film
from photochrom.film.sequences import writer
from photochrom.film.sequences.names import find_sequence, frames_in_words, missing, pattern_of
from photochrom.film.sequences.reader import open_film
from tests.film.test_resume import FAST, run_in_a_process
from tests.helpers.films import decoded, other_shot, pan, plane, seconds, write_film
from tests.helpers.interruptions import Stop, stop_at, varied_model
from tests.helpers.sequences import codes, field, luma_of, pixels, read_by_ffmpeg, write_dpx

NO_RATE = "the frames do not state their rate; 24 per second is assumed: rate=18 sets another"


def files(report):
    return sorted(report.output.parent.iterdir())


@pytest.mark.parametrize("rgb", [True, False], ids=["rgb", "luma"])
@pytest.mark.parametrize("order", [">", "<"], ids=["big", "little"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_dpx_of_every_coding_keeps_its_luma(bits, order, rgb, tmp_path, red):
    lumas = pan(2, 97, 65)
    folder = write_dpx(tmp_path / "reel", lumas, bits, order=order, rgb=rgb, first=86400)
    report = colorize_film(folder, None, colorizer=red)
    found = files(report)
    assert [path.name for path in found] == [f"reel.00864{i:02}.dpx" for i in range(2)]
    assert found[0].parent == tmp_path / "reel.color"
    for path, luma in zip(found, lumas, strict=True):
        assert np.array_equal(luma_of(path), codes(luma, bits))
        assert path.read_bytes()[:4] == (b"SDPX" if order == ">" else b"XPDS")
    rgb_means = pixels(found[0])[0].reshape(-1, 3).mean(axis=0)
    assert rgb_means[0] > 1.1 * rgb_means[2]
    read = read_by_ffmpeg(found[0])
    assert (read.width, read.height, read.format.components[0].bits) == (97, 65, bits)
    assert report.notes == [NO_RATE]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".jp2"])
def test_pictures_keep_their_luma(suffix, bits, tmp_path, red):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, luma in enumerate(pan(3, 97, 65)):
        cv2.imwrite(str(folder / f"{i:08}{suffix}"), codes(luma, bits))
    report = colorize_film(folder, None, colorizer=red)
    assert [path.name for path in files(report)] == [f"{i:08}{suffix}" for i in range(3)]
    for path in files(report):
        source = pixels(folder / path.name)[0]
        assert np.array_equal(luma_of(path), source)
        assert pixels(path)[0].dtype == source.dtype
        assert b"Photochrom" in path.read_bytes()  # the label


def test_metadata_of_pictures_is_kept(tmp_path, red):
    folder = tmp_path / "scans"
    folder.mkdir()
    for i, luma in enumerate(pan(2)):
        Image.fromarray(luma).save(folder / f"scan{i}.tif", dpi=(2400, 2400))
    report = colorize_film(folder, None, colorizer=red)
    with Image.open(files(report)[1]) as picture:
        assert picture.info["dpi"] == (2400, 2400)


@pytest.mark.parametrize("codec", ["dpx", "tiff", "png", "jp2"])
def test_one_format_becomes_another(codec, tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(2), 10)
    report = colorize_film(folder, None, FilmOptions(codec=codec), colorizer=red)
    bits = 10 if codec == "dpx" else 16
    wanted = codes(pan(2)[1], 10).astype(float) * ((1 << bits) - 1) / 1023
    assert np.abs(luma_of(files(report)[1]) - wanted).max() <= 0.5
    said = "luma of 10 bits becomes luma of 16 bits, exactly scaled"
    assert (said in report.notes) == (bits == 16)


def test_a_sequence_becomes_a_film_and_a_film_a_sequence(tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(4), 10, first=7)
    film = colorize_film(folder, tmp_path / "a.mkv", FilmOptions(codec="ffv1", rate=18), colorizer=red)
    assert np.array_equal(plane(decoded(film.output)[3]), codes(pan(4)[3], 10))
    assert [round(time * 18) for time in seconds(film.output)] == [0, 1, 2, 3]
    assert film.notes == []
    options = FilmOptions(recolor=True)
    frames = colorize_film(film.output, tmp_path / "out" / "x.%05d.dpx", options, colorizer=red)
    assert [path.name for path in files(frames)] == [f"x.{i:05}.dpx" for i in range(1, 5)]
    assert np.array_equal(luma_of(files(frames)[3]), codes(pan(4)[3], 10))
    assert field(files(frames)[0], "f", 1724) == 18
    first = colorize_film(folder, tmp_path / "b.mov", FilmOptions(codec="prores", rate=18), colorizer=red)
    assert seconds(first.output) == [Fraction(i, 18) for i in range(4)]


def test_sound_that_frames_cannot_hold_is_named(tmp_path, red):
    film = write_film(tmp_path / "a.mov", pan(2), sound="aac")
    report = colorize_film(film, None, FilmOptions(codec="png"), colorizer=red)
    assert [path.name for path in files(report)] == ["a.0000001.png", "a.0000002.png"]
    assert "not kept: audio of track 1, which frames cannot hold" in report.notes
    assert any("scaled from limited range to full range" in note for note in report.notes)


def test_the_shape_that_frames_cannot_state_is_named(tmp_path, red):
    film = write_film(tmp_path / "a.mov", pan(2), rotation=90, aspect=Fraction(4, 3))
    notes = colorize_film(film, None, FilmOptions(codec="png"), colorizer=red).notes
    assert "not kept: the rotation by 90 degrees, which frames cannot state" in notes
    notes = colorize_film(film, None, FilmOptions(codec="jp2"), colorizer=red, overwrite=True).notes
    assert "not kept: the pixel aspect ratio 4/3, which jp2 does not state" in notes


def test_a_part_keeps_the_numbers_of_the_whole(tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(48), 8, first=1000)
    whole = files(colorize_film(folder, tmp_path / "whole", colorizer=red))
    part = files(colorize_film(folder, tmp_path / "part", FilmOptions(start=1, end=1.25), colorizer=red))
    assert [path.name for path in part] == [f"reel.000{n}.dpx" for n in range(1024, 1030)]
    assert np.array_equal(luma_of(part[0]), luma_of(whole[24]))


def header_of(position):
    """Return film and television fields of a frame's header, as a scanner writes them."""
    frames = f"{0x01000000 + int(f'{position:02}', 16):08x}"
    return {
        160: ("100s", b"scanner 4.1"),
        260: ("200s", b"Restoration of a reel"),
        1432: ("100s", b"reel 3"),
        1628: ("II", 1, 1),
        1664: ("2s2s2s6s4s32s", b"KJ", b"23", b"01", b"123456", b"0042", b"Academy"),
        1712: ("III", 100 + position, 2000, 1),
        1724: ("f", 18.0),
        1732: ("32s", b"frame"),
        1764: ("100s", b"REEL 3"),
        1920: ("I", int(frames, 16)),
    }


def test_fields_of_the_header_are_kept(tmp_path, red):
    folder = write_dpx(tmp_path / "reel", pan(3), 10, fields=header_of, user=b"scanner's own" + bytes(3))
    report = colorize_film(folder, None, colorizer=red)
    assert report.notes == []
    for number, path in enumerate(files(report)):
        source = folder / path.name
        for form, place in (("200s", 260), ("100s", 1432), ("48s", 1664), ("III", 1712), ("f", 1724), ("132s", 1732)):
            assert field(path, form, place) == field(source, form, place), place
        assert field(path, "I", 1920) == 0x01000000 + number
        assert field(path, "100s", 36).rstrip(b"\0").decode() == path.name
        assert b"Colours added by software (photochrom" in field(path, "100s", 160)
        assert field(path, "I", 16) == path.stat().st_size
        data = path.read_bytes()
        assert data[2048 : field(path, "I", 4)] == b"scanner's own" + bytes(3)


def test_time_code_and_rate_of_headers_become_those_of_the_film(tmp_path, red):
    import av

    folder = write_dpx(tmp_path / "reel", pan(36), 8, fields=header_of)
    report = colorize_film(folder, tmp_path / "a.mov", FilmOptions(codec="prores", start=1), colorizer=red)
    with av.open(str(report.output)) as film:
        video = film.streams.video[0]
        assert video.metadata["timecode"] == "01:00:01:00"
        assert video.average_rate == 18


def as_displayed(rgb):
    """Convert Cineon's printing densities of 10 bits to displayed values, 0..1."""
    light = 10 ** ((rgb.astype(float) - 685) * 0.002 / 0.6)
    black = 10 ** ((95 - 685) * 0.002 / 0.6)
    light = np.clip((light - black) / (1 - black), 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_logarithmic_frames_are_reported_and_stay_so(tmp_path, red):
    """On a display they look like the same picture that is not logarithmic."""
    transfer = {801: ("B", 1)}
    plain = pan(3)
    shown = np.linspace(95, 685, 4096)
    logs = [np.interp(luma / 255, as_displayed(shown), shown) for luma in plain]
    folder = write_dpx(tmp_path / "log", [log / 4 for log in logs], 10, fields=lambda _: transfer)
    report = colorize_film(folder, None, colorizer=red)
    assert any("logarithmic (Cineon)" in note for note in report.notes)
    found = files(report)[1]
    assert field(found, "B", 801) == 1
    source = pixels(folder / found.name)[0]
    assert np.array_equal(luma_of(found), source[..., 0])
    other = colorize_film(write_dpx(tmp_path / "plain", plain, 10), None, colorizer=red)
    log, video = as_displayed(pixels(found)[0]), pixels(files(other)[1])[0] / 1023
    middle = (video.min(axis=-1) > 0.25) & (video.max(axis=-1) < 0.85)
    assert np.abs(log - video)[middle].mean() < 0.02
    red_over_blue = (log[..., 0] - log[..., 2])[middle].mean()
    assert red_over_blue == pytest.approx((video[..., 0] - video[..., 2])[middle].mean(), rel=0.15)


@pytest.fixture
def reel(tmp_path):
    return write_dpx(tmp_path / "reel", pan(6), 10)


def test_a_missing_frame_is_named_or_filled_on_request(reel, tmp_path, red):
    for number in (2, 3):
        (reel / f"reel.{number:07}.dpx").unlink()
    with pytest.raises(FilmError, match="lacks frames 2 to 3: add what is missing, or repeat the frame before"):
        colorize_film(reel, None, colorizer=red)
    report = colorize_film(reel, None, FilmOptions(fill_gaps=True), colorizer=red)
    assert "missing frames 2 to 3: the frame before is repeated" in report.notes
    found = files(report)
    assert len(found) == 6
    assert np.array_equal(luma_of(found[1]), luma_of(found[3]))
    assert not np.array_equal(luma_of(found[3]), luma_of(found[4]))


def test_one_of_several_sequences_in_a_folder_is_colored_by_its_pattern(tmp_path, red):
    for name in ("a", "b"):
        for i, luma in enumerate(pan(3)):
            cv2.imwrite(str(tmp_path / f"{name}.{i}.png"), luma)
    report = colorize_film(tmp_path / "a.%d.png", None, colorizer=red)
    assert [path.name for path in files(report)] == ["a.0.png", "a.1.png", "a.2.png"]


def test_errors_name_the_sequence_as_the_user_did(reel, tmp_path, red):
    colorize_film(reel, tmp_path / "a.mkv", FilmOptions(codec="ffv1"), colorizer=red)
    with pytest.raises(FilmError, match=r"a\.mkv: exists: choose another output"):
        colorize_film(reel, tmp_path / "a.mkv", FilmOptions(codec="ffv1"), colorizer=red)
    with pytest.raises(FilmError, match=f"^{reel}: has no frame at 0:01:40"):
        colorize_film(reel, None, FilmOptions(start=100), colorizer=red)
    with pytest.raises(FilmError, match=f"^{reel}/f.###.dpx: names no frame that exists"):
        colorize_film(reel / "f.###.dpx", None, colorizer=red)
    (reel / "reel.0000002.dpx").unlink()
    with pytest.raises(FilmError, match=f"^{reel}: lacks frame 2"):
        colorize_film(reel, None, colorizer=red)
    nowhere = tmp_path / "x" / "y"
    with pytest.raises(FilmError, match=f"^{nowhere}: there is no folder {nowhere.parent}: create it first$"):
        colorize_film(reel, nowhere, FilmOptions(fill_gaps=True), colorizer=red)


def test_png_with_a_named_profile_does_not_crash(tmp_path):
    """PyAV frees the name of such a profile a second time, which ends the process."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for i, luma in enumerate(pan(3)):
        Image.fromarray(luma).save(tmp_path / f"{i}.png", icc_profile=profile)
    script = """
        import gc, sys
        from photochrom.film import FilmOptions
        from photochrom.film.sequences.reader import open_film
        from photochrom.film.source.side_data import kinds
        with open_film(sys.argv[1], FilmOptions()) as reader:
            for frame in reader.frames(0):
                assert kinds(frame) == {"ICC_PROFILE"}, kinds(frame)
        gc.collect()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(tmp_path)], check=True)


def test_numbers_that_are_dates_take_no_memory_for_the_gaps(tmp_path, red):
    for number in (20240131000001, 30240131000001):
        cv2.imwrite(str(tmp_path / f"scan_{number}.png"), pan(1)[0])
    with pytest.raises(FilmError, match="lacks frames 20240131000002 to 30240131000000: add what is missing"):
        colorize_film(tmp_path / "scan_%d.png", None, colorizer=red)


def test_a_number_of_a_billion_digits_is_refused(tmp_path, red):
    (tmp_path / "1.png").touch()
    with pytest.raises(FilmError, match="is not a pattern of frames: write one like"):
        colorize_film(tmp_path / "%09999999999999999999d.png", None, colorizer=red)


def test_frames_of_several_pages_are_refused(tmp_path, red):
    first, second = (Image.fromarray(luma) for luma in pan(2))
    (tmp_path / "frames").mkdir()
    first.save(tmp_path / "frames" / "1.tif", save_all=True, append_images=[second])
    with pytest.raises(FilmError, match=r"1.tif: holds 2 pages, and a frame is one picture: save each page as a file"):
        colorize_film(tmp_path / "frames", None, colorizer=red)


def test_frames_are_not_written_into_a_file(reel, tmp_path, red):
    frame = reel / "reel.0000001.dpx"
    before = frame.read_bytes()
    with pytest.raises(FilmError, match=r"reel.0000001.dpx: is a file: give a folder, or a pattern"):
        colorize_film(reel, frame, FilmOptions(codec="dpx"), overwrite=True, colorizer=red)
    assert frame.read_bytes() == before


@pytest.mark.parametrize("name", ["f.%04d.tga", "f.####.gif", "%d.xyz"])
def test_patterns_of_unknown_frames_are_not_folders(name, reel, tmp_path, red):
    with pytest.raises(FilmError, match=f"numbered frames cannot have the suffix .{name[-3:]}: use .dpx, "):
        colorize_film(reel, tmp_path / name, colorizer=red)
    assert not (tmp_path / name).exists()


def rewritten(path, place, value):
    data = bytearray(path.read_bytes())
    data[place : place + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, b"DPX!", "is not a DPX file: its first bytes differ"),
        (772, b"\xff\xff\xff\xff", "states a size of 4294967295 x 64 pixels"),
        (772, b"\0\0\0\x40", "has 64 x 64 pixels, and the first frame has 96 x 64"),
        (803, b"\x08", "has 3 samples of 8 bits a pixel, and the first frame has 3 samples of 10 bits a pixel"),
        (803, b"\x0b", "states 11 bits per sample"),
        (800, b"\x64", "has pixels of descriptor 100"),
        (806, b"\0\1", "is run-length encoded"),
        (770, b"\0\2", "holds 2 picture elements"),
        (4, b"\xff\xff\xff\xff", "is cut short, or states a wrong offset of its pixels"),
        (4, b"\0\0\0\0", "is cut short, or states a wrong offset of its pixels"),
    ],
)
def test_wrong_headers_are_found_before_any_work(place, value, said, reel, tmp_path, red):
    rewritten(reel / "reel.0000004.dpx", place, value)
    with pytest.raises(FilmError, match=f"reel.0000004.dpx: {said}") as raised:
        colorize_film(reel, None, colorizer=red)
    assert "\n" not in str(raised.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fake.onnx", "reel"]


def test_rows_with_padding_are_refused_instead_of_sheared(reel, red):
    path = reel / "reel.0000002.dpx"
    head, rows = path.read_bytes()[:2048], path.read_bytes()[2048:]
    length = len(rows) // 64
    padded = b"".join(rows[at : at + length] + bytes(8) for at in range(0, len(rows), length))
    head = head[:812] + struct.pack(">I", 8) + head[816:]
    path.write_bytes(head + padded)
    with pytest.raises(FilmError, match=r"reel.0000002.dpx: has 8 bytes of padding after each row, which are not"):
        colorize_film(reel, None, colorizer=red)
    path.write_bytes(head + rows)  # the field alone says nothing
    assert colorize_film(reel, None, colorizer=red).frames == 6


def test_a_file_size_that_is_stated_wrongly_does_no_harm(reel, red):
    for path in reel.iterdir():
        rewritten(path, 16, b"\0\0\0\x07")
    report = colorize_film(reel, None, colorizer=red)
    assert field(files(report)[0], "I", 16) == files(report)[0].stat().st_size


def test_frames_that_disappear_while_the_film_is_read(reel):
    with open_film(reel, FilmOptions()) as film:
        film.file(0).unlink()
        with pytest.raises(
            FilmError, match=r"reel\.0+\.dpx: cannot be read \(No such file or directory\): check the disk"
        ):
            next(film.frames())
    with pytest.raises(PhotoError, match="does not exist"):
        writer._photo(reel / "reel.png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2"])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        (pan(1, 64, 64)[0], "has 64 x 64 pixels, and the first frame has 96 x 64"),
        (codes(pan(1)[0], 16), "has 1 sample of 16 bits a pixel, and the first frame has 1 sample of 8 bits"),
    ],
)
def test_a_late_picture_that_does_not_fit_is_found_before_any_work(other, said, suffix, tmp_path):
    for i, luma in enumerate([*pan(3), other]):
        cv2.imwrite(str(tmp_path / f"{i:04}{suffix}"), luma)
    with pytest.raises(FilmError, match=f"0003{suffix}: {said}"):
        open_film(tmp_path, FilmOptions())


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2"])
@pytest.mark.parametrize("content", [b"", b"II*\0\xff\xff\xff\xff", b"\x89PNG\r\n\x1a\nnothing else", bytes(2000)])
def test_a_damaged_picture_is_reported_when_it_is_decoded(content, suffix, tmp_path):
    for i, luma in enumerate(pan(3)):
        cv2.imwrite(str(tmp_path / f"{i:04}{suffix}"), luma)
    (tmp_path / f"0002{suffix}").write_bytes(content)
    with open_film(tmp_path, FilmOptions()) as reader, pytest.raises(FilmError, match=r"0002.*cannot be decoded"):
        list(reader.frames(0, damage=Damage()))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d: d, r"since it is a folder without numbered frames \(.dpx, .*\): name a film in it"),
        (
            lambda d: [(d / n).touch() for n in ("a.1.dpx", "b.1.dpx")] and d,
            r"several sequences \(beginning with a.1.dpx, b.1.dpx\): name one, as in .*a.%d.dpx$",
        ),
        (
            lambda d: [(d / n).touch() for n in ("a.0001.dpx", "a.0002.dpx", "a.2.dpx")] and d,
            r"numbers are written in several ways \(a.0001.dpx, and a.2.dpx\): rename them alike",
        ),
        (
            lambda d: [(d / n).touch() for n in ("a.-0001.dpx", "a.0000.dpx")] and d,
            r"numbers are written in several ways \(a.-0001.dpx, and a.0000.dpx\): rename them alike",
        ),
        (
            lambda d: [(d / n).touch() for n in ("a.0001.dpx", "a.2.dpx")] and d / "a.0001.dpx",
            "numbers are written in several ways",
        ),
        (lambda d: d / "x.%04d.dpx", "names no frame that exists"),
        (lambda d: d / "nowhere" / "x.%04d.dpx", "nowhere: does not exist"),
        (lambda d: d / "x.%04d.%04d.dpx", "is not a pattern of frames"),
        (lambda d: d / "x.%04d.a.dpx", "has text after the number"),
    ],
)
def test_paths_that_name_no_sequence(make, said, tmp_path, red):
    folder = tmp_path / "d"
    folder.mkdir()
    with pytest.raises(FilmError, match=said):
        colorize_film(make(folder), None, colorizer=red)


NEGATIVE = ["reel.-003.png", "reel.-002.png", "reel.-001.png", "reel.0000.png", "reel.0001.png"]
"""Names of frames before 0, as Nuke writes them: ``%04d`` counts the sign among the four characters."""


def write_handles(folder, names):
    folder.mkdir()
    for name, luma in zip(names, pan(len(names)), strict=True):
        cv2.imwrite(str(folder / name), luma)
    return folder


@pytest.mark.parametrize("source", [".", "reel.%04d.png", "reel.####.png"])
def test_frames_before_0_come_first(source, tmp_path, red):
    folder = write_handles(tmp_path / "reel", NEGATIVE)
    report = colorize_film(folder / source, tmp_path / "a.mkv", FilmOptions(codec="ffv1", rate=24), colorizer=red)
    assert [plane(frame).tolist() for frame in decoded(report.output)] == [luma.tolist() for luma in pan(5)]
    assert report.notes == ["the frames are numbered from -3 to 1, in this order"]
    frames = colorize_film(folder / source, tmp_path / "out", FilmOptions(rate=24, start="0:00.04"), colorizer=red)
    assert [path.name for path in files(frames)] == sorted(NEGATIVE[1:])
    for name, luma in zip(NEGATIVE[1:], pan(5)[1:], strict=True):
        assert np.array_equal(luma_of(tmp_path / "out" / name), luma)


def test_a_gap_among_frames_before_0_is_named(tmp_path, red):
    folder = write_handles(tmp_path / "reel", [*NEGATIVE[:2], *NEGATIVE[4:]])
    with pytest.raises(FilmError, match="lacks frames -1 to 0"):
        colorize_film(folder, None, colorizer=red)
    report = colorize_film(folder, None, FilmOptions(rate=24, fill_gaps=True), colorizer=red)
    assert [path.name for path in files(report)] == sorted(NEGATIVE)
    assert "missing frames -1 to 0: the frame before is repeated" in report.notes


def test_frames_before_0_are_not_overwritten_unasked(tmp_path, red):
    folder = write_handles(tmp_path / "reel", NEGATIVE)
    options = FilmOptions(rate=24)
    report = colorize_film(folder, tmp_path / "out" / "x%04d.png", options, colorizer=red)
    assert files(report)[0].name == "x-001.png"
    with pytest.raises(FilmError, match=r"x-003.png: exists"):
        colorize_film(folder, tmp_path / "out" / "x%04d.png", options, colorizer=red)


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["reel-001.dpx", "reel-002.dpx"], [1, 2]),
        (["reel - 1.dpx", "reel - 2.dpx"], [1, 2]),
        (["reel_-1.dpx", "reel_0.dpx", "reel_1.dpx"], [-1, 0, 1]),
        (["-10.dpx", "-09.dpx"], [-10, -9]),
        (["a.b-c.-9.dpx", "a.b-c.-10.dpx"], [-10, -9]),
    ],
)
def test_a_hyphen_is_a_minus_sign_only_where_no_name_precedes_it(names, numbers, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    pattern = find_sequence(tmp_path)
    assert pattern.numbers() == numbers
    assert {pattern.file(number).name for number in numbers} == set(names)


def test_one_frame_stands_for_all_whatever_its_digits(tmp_path):
    for number in (9, 10, 11):
        (tmp_path / f"shot{number}.dpx").touch()
    assert {find_sequence(tmp_path / f"shot{number}.dpx").path.name for number in (9, 10, 11)} == {"shot%d.dpx"}


@pytest.mark.parametrize("pattern", ["reel.%07d.dpx", "reel.0%06d.dpx", "reel.%03d.dpx"])
def test_frames_are_not_written_over_the_film_by_another_pattern(pattern, reel, red):
    before = {path.name: path.read_bytes() for path in reel.iterdir()}
    with pytest.raises(FilmError, match="holds the film itself"):
        colorize_film(reel, reel / pattern, colorizer=red, overwrite=True)
    assert {path.name: path.read_bytes() for path in reel.iterdir()} == before


def test_a_codec_and_a_pattern_that_disagree_are_refused(reel, tmp_path, red):
    with pytest.raises(
        FilmError, match="is a pattern of png files, but the codec is dpx: change the suffix or the codec"
    ):
        colorize_film(reel, tmp_path / "x.%04d.png", FilmOptions(codec="dpx"), colorizer=red)


def test_a_name_that_is_not_a_text_fits_into_a_header(reel, tmp_path, red):
    colorize_film(reel, tmp_path / "b\udcff.%04d.dpx", colorizer=red)
    assert field(sorted(tmp_path.glob("b*.dpx"))[0], "6s", 36) == b"b?.000"


def test_names_of_sequences(tmp_path, reel):
    assert find_sequence(reel).path.name == "reel.%07d.dpx"
    assert find_sequence(reel / "reel.0000003.dpx").path.name == "reel.%07d.dpx"
    assert find_sequence(tmp_path / "a.mov") is None
    (reel / "._reel.0000003.dpx").write_bytes(b"of macOS")
    assert find_sequence(reel / "._reel.0000003.dpx") is None
    assert pattern_of(Path("a/x_####.tif")).file(7) == Path("a/x_0007.tif")
    assert frames_in_words(missing([0, 4, 6, 8, 10, 12, 14])) == "frames 1 to 3, 5, 7, 9, 11, ..."
    assert frames_in_words(missing([0, 2])) == "frame 1"
    for number in (8, 9, 10, 11):
        (tmp_path / f"shot{number}.png").touch()
    assert find_sequence(tmp_path / "shot%d.png").numbers() == [8, 9, 10, 11]


def test_frames_that_exist_stay(reel, tmp_path, red):
    target = tmp_path / "out"
    target.mkdir()
    (target / "reel.0000003.dpx").write_bytes(b"another's")
    with pytest.raises(FilmError, match=r"reel.0000003.dpx: exists: choose another output, or overwrite=True"):
        colorize_film(reel, target, colorizer=red)
    with pytest.raises(FilmError, match="holds the film itself"):
        colorize_film(reel, reel, colorizer=red)
    report = colorize_film(reel, target, colorizer=red, overwrite=True)
    assert len(files(report)) == 6
    assert all(path.stat().st_size > 9 for path in files(report))
    assert not list(tmp_path.glob("*.photochrom"))


@pytest.mark.slow
def test_all_frames_by_name_are_one_film_and_paths_stay_relative(reel, tmp_path, monkeypatch, capsys):
    from photochrom.commands.main import main

    monkeypatch.chdir(tmp_path)
    names = [str(path.relative_to(tmp_path)) for path in sorted(reel.iterdir())]
    assert main([*names, "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(f"{names[0]}: 6 frames") for line in lines) == 1
    assert lines[1].startswith(f"{reel.name}.color/reel.%07d.dpx: ")


def test_a_folder_of_frames_is_not_a_folder_of_photographs(reel, capsys):
    from photochrom.commands.main import main

    assert main(["photo", str(reel)]) == 1
    assert f"{reel}: holds frames of a film: colour it with 'photochrom film'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--dry-run"], ["--list-shots"], ["--preview"]])
def test_the_command_plans_and_previews_sequences(arguments, reel, tmp_path, capsys):
    from photochrom.commands.main import main

    assert main(["film", str(reel), *arguments]) == 0
    told = capsys.readouterr().out
    assert {"--dry-run": "reel.%07d.dpx: dpx, yuv444p10le", "--list-shots": "6 frames"}.get(
        arguments[0], "reel.preview.png"
    ) in told
    assert ("--rate 18 sets another" in told) == (arguments == ["--dry-run"])
    assert "rate=18" not in told
    assert not (tmp_path / "reel.color").exists()


@pytest.mark.slow
def test_a_sequence_has_a_preview_film_if_its_codec_fits(reel, tmp_path, capsys):
    from photochrom.commands.main import main

    command = ["film", str(reel), "--preview", "-o", str(tmp_path / "trial.mp4")]
    assert main(command) == 0
    assert len(decoded(tmp_path / "trial.mp4")) == 6
    assert main([*command, "--overwrite", "--codec", "dpx"]) == 1
    assert "mp4 files cannot hold dpx" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["trial.gif", "trial"])
def test_a_preview_film_with_another_suffix_is_refused(name, reel, tmp_path, red):
    with open_film(reel, FilmOptions()) as reader:
        plan = make_plan(reader, None, FilmOptions(codec="libx264"))
        frames = FrameColorizer(red, reader, plan.planes, FilmOptions(codec="libx264"))
        with pytest.raises(FilmError, match=rf"{name}: has no suffix of a container that can be written: use"):
            preview_film(frames, plan, tmp_path / name)


@pytest.mark.parametrize("rate", ["much", 0, -1, 2000, "1/0"])
def test_invalid_rates(rate):
    with pytest.raises(OptionError, match="give frames per second, such as 18 or 24000/1001"):
        FilmOptions(rate=rate)


@pytest.mark.slow
def test_only_missing_frames_are_made_again(tmp_path, short_segments, monkeypatch):
    from photochrom.film.sequences.writer import SequenceWriter

    source = write_dpx(tmp_path / "reel", pan(16) + other_shot(14), 8)
    whole = [
        path.read_bytes() for path in files(colorize_film(source, tmp_path / "whole", colorizer=varied_model(tmp_path)))
    ]
    made = []
    write = SequenceWriter._write
    monkeypatch.setattr(SequenceWriter, "_write", lambda self, *args: (made.append(args[1]), write(self, *args)))
    for stop in (6, 21):
        with pytest.raises(Stop):
            colorize_film(source, tmp_path / "out", colorizer=varied_model(tmp_path), progress=stop_at(stop))
        assert not (tmp_path / "out").exists()
        assert len(list((tmp_path / "out.photochrom" / "frames").glob("reel*"))) >= stop - 4
    report = colorize_film(source, tmp_path / "out", colorizer=varied_model(tmp_path))
    assert sorted(made) == list(range(30))  # each frame once
    assert [path.read_bytes() for path in files(report)] == whole
    assert not list(tmp_path.glob("*.photochrom"))


@pytest.mark.parametrize("kill_at", [7, 24])
@pytest.mark.slow
def test_a_killed_sequence_resumes(kill_at, tmp_path, short_segments):
    source = write_dpx(tmp_path / "reel", pan(16) + other_shot(14), 8)
    whole = files(colorize_film(source, tmp_path / "whole", FAST, colorizer=varied_model(tmp_path)))
    assert run_in_a_process(source, tmp_path / "out", kill_at=kill_at).returncode == -9
    found = files(colorize_film(source, tmp_path / "out", FAST, colorizer=varied_model(tmp_path)))
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(found, whole, strict=True))


@pytest.mark.parametrize("kind", ["mounted", "link"])
def test_unfinished_work_is_on_the_disk_of_the_output(kind, reel, tmp_path, red, monkeypatch):
    """Frames cannot be moved from one disk to another, so another place would fail after all the work."""
    target = tmp_path / "disk" / "out"
    target.mkdir(parents=True)
    if kind == "mounted":
        monkeypatch.setattr("photochrom.film.output.resume.os.path.ismount", lambda path: path == target)
        output, work = target, target / "out.photochrom"
    else:
        output, work = tmp_path / "link", tmp_path / "disk" / "out.photochrom"
        output.symlink_to(target)
    with pytest.raises(Stop):
        colorize_film(reel, output, colorizer=red, progress=stop_at(5))
    assert list(tmp_path.rglob("*.photochrom")) == [work]
    report = colorize_film(reel, output, colorizer=red)
    assert sorted(path.name for path in target.iterdir()) == [f"reel.{number:07}.dpx" for number in range(6)]
    assert report.frames == 6
    assert not work.exists()


def test_stopped_while_frames_get_their_names(reel, tmp_path, red, monkeypatch):
    import photochrom.film.sequences.writer as module

    replace, count = Path.replace, itertools.count()

    def fails(self, target):
        if self.parent.name == "frames" and not self.name.startswith(".") and next(count) == 3:
            raise Stop
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(module.Path, "replace", fails)
        with pytest.raises(Stop):
            colorize_film(reel, tmp_path / "out", colorizer=red)
    assert len(list((tmp_path / "out").iterdir())) == 3
    assert len(files(colorize_film(reel, tmp_path / "out", colorizer=red))) == 6


def test_killed_after_all_frames_have_their_names(reel, tmp_path, red, monkeypatch):
    def killed(_):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("photochrom.film.output.resume.ResumeFolder.discard", killed)
        with pytest.raises(Stop):
            colorize_film(reel, tmp_path / "out", colorizer=red)
    assert len(list((tmp_path / "out").iterdir())) == 6
    assert len(files(colorize_film(reel, tmp_path / "out", colorizer=red))) == 6
    assert not (tmp_path / "out.photochrom").exists()


def test_a_finished_frame_that_is_deleted_is_coloured_again(reel, tmp_path, red, monkeypatch):
    def stopped(*_):
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("photochrom.film.job.publish_frames", stopped)
        with pytest.raises(Stop):
            colorize_film(reel, tmp_path / "out", colorizer=red)
    sorted((tmp_path / "out.photochrom" / "frames").iterdir())[3].unlink()
    assert len(files(colorize_film(reel, tmp_path / "out", colorizer=red))) == 6


def test_a_full_disk_gives_a_one_line_error_and_nothing_is_lost(reel, tmp_path, red, monkeypatch):
    from photochrom.film.sequences import writer

    file_of, count = writer.file_of, itertools.count()

    def full(*args):
        if next(count) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return file_of(*args)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "file_of", full)
        with pytest.raises(FilmError, match=r"cannot be written \(No space left on device\).*finished work is kept"):
            colorize_film(reel, tmp_path / "out", colorizer=red)
    assert len(list((tmp_path / "out.photochrom" / "frames").iterdir())) >= 3
    assert len(files(colorize_film(reel, tmp_path / "out", colorizer=red))) == 6


def test_other_settings_do_not_resume_finished_frames(reel, tmp_path, red):
    with pytest.raises(Stop):
        colorize_film(reel, tmp_path / "out", colorizer=red, progress=stop_at(6))
    other = FilmOptions(bits=12)
    with pytest.raises(FilmError, match=r"other settings \(.*format.*\).*restart=True"):
        colorize_film(reel, tmp_path / "out", other, colorizer=red)
    report = colorize_film(reel, tmp_path / "out", other, colorizer=red, restart=True)
    assert pixels(files(report)[0])[1] == 12


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mediainfo") is None, reason="needs mediainfo")
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_other_readers_agree(reel, tmp_path, red):
    found = files(colorize_film(reel, None, colorizer=red))
    inform = "--Inform=Image;%Format% %Width% %Height% %BitDepth% %ColorSpace%"
    told = subprocess.run(["mediainfo", inform, found[0]], capture_output=True, text=True, check=True).stdout.strip()
    assert told == "DPX 96 64 10 RGB"
    pattern = found[0].with_name("reel.%07d.dpx")
    command = ["ffmpeg", "-v", "error", "-i", str(pattern), "-f", "framecrc", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum(not line.startswith("#") for line in lines) == 6
