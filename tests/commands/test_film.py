"""``photochrom film``, as users call it."""

import fcntl
import itertools
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import photochrom.colorizer.colorizer
from photochrom import EngineError, FilmError, ModelError, OptionError, PhotochromError, PhotoError
from photochrom.color import bands
from photochrom.commands.main import main
from photochrom.film import FilmOptions, FilmReport, Progress, colorize_film, parse_time
from photochrom.film.times import time_text
from tests.helpers.films import (
    decoded,
    documentary,
    halves,
    in_fields,
    other_shot,
    pan,
    plane,
    same_lumas,
    seconds,
    still_frame,
    with_chroma,
    write_film,
    write_frames,
)

pytestmark = pytest.mark.usefixtures("no_network")
ROOT = str(Path(__file__).parents[2])

# The command with a colorizer that needs no network, and segments of half a second. If it is told a number, it sends
# itself this signal as it finishes its fourth segment, however busy the machine is.
COMMAND = f"""
import os, sys
sys.path.insert(0, {ROOT!r})
import photochrom.colorizer.colorizer, photochrom.film.coloring
from pathlib import Path
from tests.helpers.films import colorizer
ready = colorizer(Path(sys.argv[1]), lambda lightness: (30, 40))
photochrom.colorizer.colorizer.Colorizer = lambda *_: ready
photochrom.film.coloring._SHORTEST = 0.5
number = int(sys.argv[2])

def hear(event, arguments):
    if number and event == "os.rename" and Path(arguments[1]).name == "00003.json":
        os.kill(os.getpid(), number)

sys.addaudithook(hear)
sys.argv[:3] = ["photochrom", "film"]
from photochrom.commands.main import run
run()
"""


@pytest.fixture
def film(tmp_path):
    """Return a film of two shots, of 24 and 30 frames."""
    return write_film(tmp_path / "reel.mkv", pan(24) + other_shot(30), codec="ffv1", rate=24)


def command(folder, *arguments, number=0):
    return [sys.executable, "-c", COMMAND, str(folder), str(int(number)), *map(str, arguments)]


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.slow
def test_a_film_is_coloured_beside_its_source(film, tmp_path, capsys):
    assert main(["film", str(film), "--codec", "ffv1"]) == 0
    assert names(tmp_path) == ["reel.color.mkv", "reel.mkv"]
    assert same_lumas(film, tmp_path / "reel.color.mkv")
    captured = capsys.readouterr()
    assert captured.err == ""  # no bar without a terminal


@pytest.mark.slow
def test_the_embedded_model_colours_a_film(tmp_path):
    """The command runs with the real network."""
    film = write_film(tmp_path / "a.mp4", pan(8, 160, 120, step=0), sound="aac")
    result = subprocess.run([sys.executable, "-m", "photochrom", "film", str(film)], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    said = re.escape(f"{film} -> {tmp_path / 'a.color.mp4'}: 8 frames, 1 shot, in ")
    assert re.match(rf"{said}\d+:\d\d\b", result.stdout)
    rgb = [frame.to_ndarray(format="rgb24").astype(int) for frame in decoded(tmp_path / "a.color.mp4")]
    assert len(rgb) == 8
    assert all(np.ptp(frame, axis=2).mean() > 4 for frame in rgb)
    assert max(np.abs(a - b).mean() for a, b in itertools.pairwise(rgb)) < 3  # of one picture


def test_options_reach_the_film(film, tmp_path):
    output = tmp_path / "b.mp4"
    arguments = ["--start", "0:00:00.5", "--end", "1.5", "--crf", "30", "--preset", "ultrafast", "--strength", "0"]
    assert main(["film", str(film), "-o", str(output), *arguments]) == 0
    frames = decoded(output)
    assert len(frames) == 24
    assert all(np.all(frame.to_ndarray()[64:] == 128) for frame in frames)


def test_shots_are_listed_and_nothing_else_done(film, tmp_path, capsys):
    assert main(["film", str(film), "--list-shots"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["1", "0:00:00.000", "0:00:01.000", "24", "frames"],
        ["2", "0:00:01.000", "0:00:02.250", "30", "frames"],
    ]
    assert main(["film", str(film), "--list-shots", "--start", "1.25", "--end", "2"]) == 0
    assert capsys.readouterr().out.split()[1:] == ["0:00:01.250", "0:00:02.000", "18", "frames"]
    assert names(tmp_path) == ["reel.mkv"]


def test_a_plan_is_refused_as_the_film_would_be(tmp_path, capsys):
    frames = in_fields([still_frame(luma) for luma in pan(4)], "tff")
    film = write_frames(tmp_path / "reel.mkv", frames, codec="ffv1")
    for more in ([], ["--dry-run"]):
        assert main(["film", str(film), "--codec", "libx265", *more]) == 1
        assert "interlaced" in capsys.readouterr().err


def test_a_preview_is_a_sheet_with_a_row_for_each_shot(film, tmp_path, capsys):
    assert main(["film", str(film), "--preview"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "reel.preview.png")
    assert names(tmp_path) == ["reel.mkv", "reel.preview.png"]
    with Image.open(tmp_path / "reel.preview.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    height, width = 64, 96  # of the thumbnail
    assert pixels.shape == (2 * (2 * height + 14), 3 * width, 3)
    grey, orange = pixels[14 : 14 + height], pixels[14 + height : 14 + 2 * height]
    assert np.ptp(grey, axis=2).max() == 0
    assert (orange[..., 0] - orange[..., 2]).mean() > 30
    content = (tmp_path / "reel.preview.png").read_bytes()
    assert main(["film", str(film), "--preview"]) == 1
    assert "reel.preview.png: exists: choose another output, or --overwrite" in capsys.readouterr().err
    assert (tmp_path / "reel.preview.png").read_bytes() == content
    assert main(["film", str(film), "--preview", "--overwrite"]) == 0


def test_a_preview_shows_the_frame_of_a_still_in_its_colours(film, tmp_path):
    luma = decoded(film)[2].to_ndarray(format="gray").astype(int)
    stripes = np.where(np.arange(96) // 12 % 2, 1, -1)[None, :, None] * [-25, 15, 20]
    Image.fromarray(np.clip(luma[..., None] + stripes, 0, 255).astype(np.uint8)).save(tmp_path / "still.png")
    assert main(["film", str(film), "--preview", "--still", f"{2 / 24:.4f}={tmp_path / 'still.png'}"]) == 0
    with Image.open(tmp_path / "reel.preview.png") as sheet:
        grey, color = np.asarray(sheet.convert("RGB"))[14 : 14 + 128, :96].astype(int).reshape(2, 64, 96, 3)
    assert np.abs(grey[..., 0] - luma).mean() < 3  # the first of three pictures is the third frame
    middle = (6 + 12 * np.arange(8))[:, None] + np.arange(-3, 3)
    green, violet = (color[:, middle[i::2].ravel()].mean((0, 1)) for i in (1, 0))
    assert green[1] > green[0] + 20
    assert violet[0] > violet[1] + 20


@pytest.mark.slow
def test_a_preview_shows_shots_in_colour_as_the_film_leaves_them(tmp_path):
    film = documentary(tmp_path)
    assert main(["film", str(film), "--preview"]) == 0
    with Image.open(tmp_path / "documentary.preview.png") as sheet:
        rows = np.asarray(sheet.convert("RGB")).astype(int).reshape(3, 14 + 2 * 64, 3 * 96, 3)
    own = np.asarray(decoded(film)[30].to_image()).astype(int)  # the first of its shot on the sheet
    assert np.abs(rows[1, 14 + 64 :, :96] - own).mean() < 3
    assert np.ptp(rows[[0, 2], 14 + 64 :].mean((1, 2)), axis=-1).min() > 10
    trial = tmp_path / "trial.mkv"
    assert main(["film", str(film), "--preview", "-o", str(trial), "--codec", "ffv1"]) == 0
    for before, after in zip(decoded(film)[24:48], decoded(trial)[24:48], strict=True):
        assert all(np.array_equal(plane(before, index), plane(after, index)) for index in range(3))
    assert main(["film", str(film), "--preview", "--recolor", "--overwrite"]) == 0
    with Image.open(tmp_path / "documentary.preview.png") as sheet:
        recolored = np.asarray(sheet.convert("RGB")).astype(int).reshape(rows.shape)
    assert np.abs(recolored[1, 14 + 64 :, :96] - own).mean() > 10


@pytest.mark.slow
def test_a_dry_run_says_that_shots_in_colour_are_left_unchanged(tmp_path, capsys):
    film = documentary(tmp_path)
    assert main(["film", str(film), "--dry-run"]) == 0
    assert "\nshots in colour are left unchanged: --recolor all colours them, too\n" in capsys.readouterr().out


@pytest.mark.slow
def test_a_preview_is_refused_where_the_film_would_be(tmp_path, capsys):
    film = write_frames(tmp_path / "new.mkv", with_chroma(pan(24), halves), codec="ffv1")
    assert main(["film", str(film), "--preview"]) == 1
    assert "is in colour already: --recolor all colours from the luma" in capsys.readouterr().err
    assert names(tmp_path) == ["new.mkv"]


def test_a_preview_replaces_no_source(film, tmp_path, capsys):
    (tmp_path / "frames").mkdir()
    for number, luma in enumerate(pan(3)):
        Image.fromarray(luma).save(tmp_path / "frames" / f"{number:04}.png")
    (other := tmp_path / "other.mkv").write_bytes(film.read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    frame = tmp_path / "frames" / "0001.png"
    for arguments in (
        [film, "-o", film],
        [tmp_path / "frames", "-o", frame],
        [film, "--still", f"0={frame}", "-o", frame],
    ):
        assert main(["film", *map(str, arguments), "--preview", "--overwrite"]) == 1, arguments
        assert "would be replaced, but the preview is made from it" in capsys.readouterr().err
    (tmp_path / "copy").mkdir()
    copy = other.rename(tmp_path / "copy" / film.name)
    assert main(["film", str(film), str(copy), "-o", str(tmp_path / "sheets"), "--preview", "--overwrite"]) == 1
    assert "reel.preview.png, like " in capsys.readouterr().err
    assert all(path.read_bytes() == content for path, content in before.items() if path.exists())


def test_a_preview_is_written_to_the_given_path(film, tmp_path, capsys):
    assert main(["film", str(film), "--preview", "-o", str(tmp_path / "sheet.png")]) == 0
    assert (tmp_path / "sheet.png").is_file()
    assert main(["film", str(film), "--preview", "-o", str(tmp_path / "sheet.jpg")]) == 2
    assert "a preview is a PNG file" in capsys.readouterr().err
    assert main(["film", str(film), "--preview", "-o", str(tmp_path / "none" / "sheet.png")]) == 1
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
@pytest.mark.parametrize(("encoding", "told"), [("utf-8", b"r\xe9el"), ("ascii", b"r\\udce9el")])
@pytest.mark.slow
def test_a_name_that_is_not_text_is_reported(encoding, told, film):
    name = os.fsencode(film.parent) + b"/r\xe9el.mkv"
    film.rename(os.fsdecode(name))
    command = [sys.executable, "-m", "photochrom", "film", name, "--preview"]
    result = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.rstrip().endswith(told + b".preview.png")


@pytest.mark.slow
def test_a_preview_of_many_shots_shows_some(tmp_path):
    sources = [pan, other_shot]
    lumas = [luma for i in range(60) for luma in sources[i % 2](8)]
    film = write_film(tmp_path / "a.mkv", lumas, codec="ffv1")
    assert main(["film", str(film), "--preview"]) == 0
    with Image.open(tmp_path / "a.preview.png") as sheet:
        assert sheet.height == 48 * (2 * 64 + 14)


def test_a_dry_run_prints_the_plan_and_does_nothing(film, tmp_path, capsys):
    assert main(["film", str(film), "--dry-run"]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == f"{film}: about 54 frames, 96x64, 24.000 frames/s"  # Matroska states only the duration
    assert second == f"{tmp_path / 'reel.color.mkv'}: matroska, libx264, yuv420p"
    assert re.fullmatch(r"about \d+\.\d frames/s here: \d+:\d\d:\d\d in all", last)
    assert names(tmp_path) == ["reel.mkv"]


@pytest.mark.parametrize(
    ("name", "codec", "part", "length"),
    [
        ("a.mp4", "libx264", [], "12 frames"),
        ("a.mp4", "libx264", ["--end", "0.25"], "about 6 frames"),
        ("a.mkv", "ffv1", [], "about 12 frames"),
        ("a.h264", "libx264", [], "length unknown"),
    ],
)
def test_a_dry_run_says_whether_the_file_states_its_number_of_frames(name, codec, part, length, tmp_path, capsys):
    source = write_film(tmp_path / name, pan(12, 96, 64), codec=codec)
    assert main(["film", str(source), "--dry-run", *part]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{source}: {length}, 96x64, ")
    assert ("in all" in last) == (length != "length unknown")


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        (Progress(5, 9), "continuing at frame 5 of 9"),
        (Progress(5, 9, is_estimate=True), "continuing at frame 5 of about 9"),
        (Progress(5, 0), "continuing at frame 5"),
    ],
)
def test_a_film_that_continues_says_of_how_many_frames(progress, told, film, monkeypatch, capsys):
    def colorize(*_, **options):
        options["progress"](progress)
        return FilmReport(film, 9, [])

    monkeypatch.setattr("photochrom.film.colorize_film", colorize)
    assert main(["film", str(film)]) == 0
    assert f"{film}: {told}\n" in capsys.readouterr().out


@pytest.mark.slow
def test_hints_and_stills_reach_the_film(film, tmp_path, capsys):
    (tmp_path / "h.json").write_text(
        '{"photochrom": "film hints", "version": 1, "hints": [{"time": 0, "x": 0.5, "y": 0.5, "color": "#2040c0"}]}'
    )
    Image.new("RGB", (96, 64), (40, 160, 60)).save(tmp_path / "still.png")
    arguments = ["--hints", str(tmp_path / "h.json"), "--still", f"0:01.5={tmp_path / 'still.png'}", "--codec", "ffv1"]
    assert main(["film", str(film), *arguments]) == 0
    frames = decoded(tmp_path / "reel.color.mkv")
    blue, green = (frames[i].to_ndarray(format="rgb24").astype(int) for i in (3, 40))
    assert blue[32, 48, 2] > blue[32, 48, 0]
    assert (green[..., 1] - green[..., 0]).mean() > 10
    assert main(["film", str(film), "--still", "still.png"]) == 2
    assert "write TIME=FILE" in capsys.readouterr().err


def test_a_slash_makes_a_folder_of_the_output(film, tmp_path):
    assert main(["film", str(film), "-o", f"{tmp_path}/colored/"]) == 0
    assert names(tmp_path / "colored") == ["reel.color.mkv"]


@pytest.mark.parametrize("look", ["--list-shots", "--dry-run"])
def test_a_folder_that_stays_empty_is_removed(look, film, tmp_path):
    assert main(["film", str(film), "-o", f"{tmp_path}/new/folder/", look]) == 0
    assert names(tmp_path) == ["reel.mkv"]


def test_one_frame_is_not_frames(tmp_path, capsys):
    film = write_film(tmp_path / "reel.mkv", pan(1))
    assert main(["film", str(film)]) == 0
    assert ": 1 frame, 1 shot, in " in capsys.readouterr().out


def test_a_name_too_long_for_the_disk_is_reported_as_such(film, tmp_path, capsys):
    long = film.rename(tmp_path / f"{'x' * 240}.mkv")  # the working folder's name is longer
    assert main(["film", str(long)]) == 1
    assert "has too long a name: choose a shorter one" in capsys.readouterr().err


def test_films_of_one_name_do_not_replace_each_other(film, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / film.name
    other.write_bytes(film.read_bytes())
    assert main(["film", str(film), str(other), "-o", str(tmp_path / "colored"), "--overwrite"]) == 1
    said = capsys.readouterr().err
    assert f"{other}: would be written to {tmp_path}/colored/reel.color.mkv, like {film}" in said


def test_a_film_that_is_itself_to_be_coloured_is_not_replaced(film, tmp_path, capsys):
    (other := tmp_path / "reel.color.mkv").write_bytes(film.read_bytes())
    before = other.read_bytes()
    assert main(["film", str(film), str(other), "--overwrite"]) == 1
    assert "reel.color.mkv: is itself to be coloured: choose another output, or leave it out" in capsys.readouterr().err
    assert other.read_bytes() == before
    assert (tmp_path / "reel.color.color.mkv").exists()


@pytest.mark.parametrize("kind", [FilmError, EngineError, PhotoError, PhotochromError, OptionError])
def test_an_error_of_one_film_does_not_stop_the_others(kind, film, tmp_path, monkeypatch, capsys):
    other = tmp_path / "other.mkv"
    other.write_bytes(film.read_bytes())

    def fail_once(name, *arguments, **options):
        if name == str(film):
            raise kind("fails", path=name)
        return colorize_film(name, *arguments, **options)

    monkeypatch.setattr("photochrom.film.colorize_film", fail_once)
    assert main(["film", str(film), str(other)]) == 1
    assert f"photochrom: {film}: fails\n" in capsys.readouterr().err
    assert (tmp_path / "other.color.mkv").is_file()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".mxf", ".avi"])
def test_a_film_that_photochrom_has_coloured_is_skipped(suffix, tmp_path, monkeypatch, capsys):
    """Pale colours are not recognised as such, and the next run with the same pattern finds the film."""
    monkeypatch.chdir(tmp_path)
    film = write_film(tmp_path / "reel.mkv", pan(3), codec="ffv1")
    codec = ["--codec", "prores" if suffix == ".mxf" else "ffv1" if suffix == ".avi" else "libx264"]
    output = f"reel.color{suffix}"
    assert main(["film", film.name, "-o", output, "--strength", "0.1", *codec]) == 0
    before = (tmp_path / output).read_bytes()
    capsys.readouterr()
    assert main(["film", output, film.name, "--dry-run", "-o", "new/"]) == 0
    assert main(["film", output]) == 0
    skipped = f"photochrom: {output}: was coloured by Photochrom: skipped; --recolor colours it anyway\n"
    assert capsys.readouterr().err.count(skipped) == 2
    assert names(tmp_path) == [output, "reel.mkv"]
    assert main(["film", output, "--recolor", "-o", "again.mkv"]) == 0
    assert (tmp_path / "again.mkv").exists()
    assert (tmp_path / output).read_bytes() == before


def test_ctrl_c_tells_how_to_continue(film, monkeypatch, capsys):
    monkeypatch.setattr("photochrom.film.colorize_film", raising(KeyboardInterrupt))
    assert main(["film", str(film)]) == 130
    said = capsys.readouterr().err
    assert said.endswith("stopped: the same command continues it; at most ten seconds of film are coloured again\n")


def test_a_wrong_option_or_model_ends_the_command(film, tmp_path, monkeypatch, capsys):
    for place, status in (("photochrom.film.colorize_film", 2), ("photochrom.colorizer.colorizer.Colorizer", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(place, raising(OptionError if status == 2 else ModelError))
            assert main(["film", str(film), str(film.with_name("none.mkv"))]) == status
        assert capsys.readouterr().err == "photochrom: is wrong\n"


def raising(kind):
    def fail(*_, **__):
        raise kind("is wrong")

    return fail


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["none.mp4"], 1, "none.mp4: does not exist"),
        (["reel.mkv", "--codec", "vp9"], 2, "codec is 'vp9': choose one of libx264, libx265, ffv1"),
        (["reel.mkv", "--json"], 2, "--json is a format of the list of shots: add --list-shots"),
        (["reel.mkv", "--preset", "quick"], 2, "choose one of ultrafast"),
        (["reel.mkv", "--crf", "60"], 2, "crf is 60"),
        (["reel.mkv", "--strength", "7"], 2, "strength"),
        (["reel.mkv", "--vividness", "7"], 2, "vividness"),
        (["reel.mkv", "--start", "soon"], 2, "'soon' is not a time"),
        (["reel.mkv", "--start", "2", "--end", "1"], 2, "would end (1 s) before it starts (2 s)"),
        (["reel.mkv", "--end", "0"], 2, "would end (0 s) before it starts (0 s)"),
        (["reel.mkv", "--start", "1.01", "--end", "1.02"], 1, "has no frame between 0:00:01.010 and 0:00:01.020"),
        (["reel.mkv", "--start", "1.01", "--end", "1.02", "--preview"], 1, "has no frame between"),
        (
            ["reel.mkv", "--start", "90"],
            1,
            "no frame at 0:01:30.000: give a time up to 0:00:02.208, when its last frame begins",
        ),
        (["reel.mkv", "-o", "reel.mkv", "--overwrite"], 1, "is the film itself"),
        (["reel.mkv", "-o", "a.txt"], 1, "a.txt: has no suffix of a container"),
        (["reel.mkv", "-o", "new"], 1, "or .nut; if it is to be a folder, create that first"),
        (["reel.mkv", "-o", "-"], 2, "a film cannot be written to the standard output: name a file"),
        (["reel.mkv", "--hints", "none.json"], 2, "none.json"),
    ],
)
def test_bad_input_gives_a_one_line_error(arguments, status, said, film, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["film", *arguments]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("photochrom: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert names(tmp_path) == ["reel.mkv"]


def test_damage_is_reported_beside_the_bar(tmp_path, capsys):
    film = write_film(tmp_path / "a.mp4", pan(96), container_options={"movflags": "+faststart"})
    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 2])
    assert main(["film", str(film), "--preset", "ultrafast"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert all(line.startswith(f"photochrom: {film}: ") for line in captured.err.splitlines())
    assert captured.err != ""


@pytest.mark.slow
def test_a_bar_is_shown_on_a_terminal(film, tmp_path):
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    shown = b""
    with subprocess.Popen(command(tmp_path, film, "--preset", "ultrafast"), stdout=terminal, stderr=terminal) as job:
        os.close(terminal)
        while True:
            try:
                part = os.read(controller, 4096)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            shown += part
        os.close(controller)
    assert job.returncode == 0
    assert b"54/54" in shown
    assert b"frame/s" in shown or b"s/frame" in shown


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
    SIGNALS.append((signal.SIGHUP, 129))


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.slow
def test_a_signal_stops_the_film_and_the_same_command_resumes(number, status, tmp_path):
    """Real signals are sent to a real process, once it has finished some parts."""
    film = write_film(tmp_path / "reel.mkv", (pan(30) + other_shot(30)) * 3, codec="ffv1", rate=24)
    arguments = command(tmp_path, film, "--preset", "ultrafast", number=number)
    done = subprocess.run(arguments, stderr=subprocess.PIPE, text=True, timeout=600)
    assert done.returncode == status
    assert done.stderr.count("\n") == (number == signal.SIGINT)
    assert not (tmp_path / "reel.color.mkv").exists()
    folder = tmp_path / "reel.color.mkv.photochrom"
    assert len(list(folder.glob("[0-9]*.json"))) == 3
    assert main(["film", str(film), "--preset", "ultrafast"]) == 0
    assert not folder.exists()
    assert seconds(tmp_path / "reel.color.mkv") == seconds(film)


@pytest.mark.parametrize(
    ("text", "time"),
    [("90", 90), ("90.5", Fraction(181, 2)), ("1:30", 90), ("0:01:30.5", Fraction(181, 2)), ("2:00:00", 7200)],
)
def test_times_are_read(text, time):
    assert parse_time(text) == time


@pytest.mark.parametrize("text", ["", "soon", "-1", "1:2:3:4", "1.5:30", "1e3", "nan", ":30", "٣"])
def test_an_invalid_time_is_refused(text):
    with pytest.raises(OptionError, match="is not a time: write seconds"):
        parse_time(text)


def test_times_are_written():
    assert time_text(Fraction(181, 2)) == "0:01:30.500"
    assert time_text(3725.0004) == "1:02:05.000"
    assert time_text(59.9996) == "0:01:00.000"


@pytest.mark.parametrize(
    ("option", "value"), [("crf", "18"), ("crf", float("nan")), ("start", float("nan")), ("end", -0.5), ("start", True)]
)
def test_options_of_another_kind_are_named(option, value):
    with pytest.raises(OptionError, match=f"{option} is {value!r}"):
        FilmOptions(**{option: value})


@pytest.mark.parametrize("start", [90, 90.0, "90", "1:30", "0:01:30.0", Fraction(90)])
def test_times_are_numbers_or_text(start):
    options = FilmOptions(start=start, end="2:00.5")
    assert options.times == (Fraction(90), Fraction(241, 2))
    assert options == FilmOptions(start=Fraction(90), end=Fraction(241, 2))


def test_recolor_may_stand_before_the_film(tmp_path, capsys):
    photograph = tmp_path / "a.png"
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(photograph)
    assert main(["film", "--recolor", str(photograph)]) == 1
    assert "is a photograph: colour it with 'photochrom photo'" in capsys.readouterr().err
    assert main(["film", "--recolor", "gray-shots", str(photograph)]) == 2
    assert "choose from all, grey-shots" in capsys.readouterr().err
    assert main(["film", "--recolor"]) == 2
    assert "no film is named" in capsys.readouterr().err


@pytest.mark.parametrize(("cores", "more", "threads"), [(2, [], 1), (2, ["--preview"], None), (16, [], None)])
def test_stages_share_few_cores_with_one_thread_each(cores, more, threads, film, monkeypatch):
    """The stages of a film are threads themselves; a preview has one stage only."""
    limits = []
    model = photochrom.colorizer.colorizer.Colorizer

    def opened(*arguments):
        limits.append(bands.thread_limit())
        return model(*arguments)

    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", opened)
    monkeypatch.setattr("photochrom.commands.film.available_cores", lambda: cores)
    before = cv2.getNumThreads()
    assert main(["film", str(film), *more]) == 0
    assert limits == [threads]
    assert (bands.thread_limit(), cv2.getNumThreads()) == (None, before)
