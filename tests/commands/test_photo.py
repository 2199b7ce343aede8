"""``photochrom photo``: outputs beside their sources, no file overwritten, and one-line errors."""

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from photochrom import Colorizer
from photochrom.commands.main import main
from tests.helpers.command_line import (
    facts,
    is_colored,
    names,
    pixels,
    run,
)


@pytest.mark.slow
def test_nothing_is_overwritten_unless_asked(folder, capsys):
    source, target = folder / "a.jpg", folder / "a.color.jpg"
    target.write_bytes(b"mine")
    assert main(["photo", str(source)]) == 0
    assert "a.color.jpg exists already: skipped; --overwrite replaces it" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main(["photo", str(source), "--overwrite"]) == 0
    assert is_colored(target)


@pytest.mark.slow
def test_an_option_that_does_not_suit_one_photograph_does_not_stop_the_others(folder, capsys):
    pages = [Image.new("L", (48, 32), tone) for tone in (90, 150)]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    assert main(["photo", str(folder), "--alternatives", "1"]) == 1
    said = capsys.readouterr().err
    assert said.count("pages.tif: holds 2 pages, and alternatives") == 1
    assert is_colored(folder / "b.color.png")
    assert main(["photo", str(folder / "pages.tif"), "--alternatives", "1"]) == 2


@pytest.mark.parametrize("output", ["a.jpg", "A.jpg"])
def test_a_source_is_never_overwritten_even_under_another_name(output, folder, capsys):
    """Some disks do not distinguish a.jpg and A.jpg."""
    (folder / "A.jpg").hardlink_to(folder / "a.jpg")
    before = (folder / "a.jpg").read_bytes()
    assert main(["photo", str(folder / "a.jpg"), "-o", str(folder / output), "--overwrite"]) == 2
    assert "is itself to be coloured" in capsys.readouterr().err
    assert (folder / "a.jpg").read_bytes() == before


@pytest.mark.slow
def test_the_file_that_is_not_a_photograph_is_the_one_named(folder, capsys):
    """The error does not name the output that it would have had."""
    Image.fromarray(data.camera()).save(folder / "c.gif")
    for name, said in (("c.gif", "is not a JPEG, PNG"), ("e.jpg", "does not exist")):
        assert main(["photo", str(folder / name)]) == 1
        assert capsys.readouterr().err.startswith(f"photochrom: {folder / name}: {said}")
    assert main(["photo", "/dev/zero", "-o", str(folder / "f.png")]) == 1
    assert "is a device" in capsys.readouterr().err


@pytest.mark.slow
def test_a_picture_that_is_too_large_does_not_stop_the_others(folder, capsys, monkeypatch):
    chroma = Colorizer.chroma

    def short_of_memory(self, luma, *rest, **more):
        if luma.shape == data.camera().shape:
            raise MemoryError
        return chroma(self, luma, *rest, **more)

    monkeypatch.setattr(Colorizer, "chroma", short_of_memory)
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png")]) == 1
    assert "a.jpg: does not fit in memory" in capsys.readouterr().err
    assert is_colored(folder / "b.color.png")


@pytest.mark.slow
def test_a_closed_standard_output_gives_a_one_line_error(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["photo", str(folder / "a.jpg"), "-o", "-"]) == 1
    assert capsys.readouterr().err == "photochrom: the standard output is closed: name a file\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnx")
    (tmp_path / "file").touch()
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr("photochrom.models.vgg16.read_vgg16", lambda _: {})
    monkeypatch.setattr("onnx.checker.check_model", lambda _: None)
    assert main(["models", "get", "reference", "--encoder-weights", str(tmp_path / "file")]) == 1
    assert "home" in (said := capsys.readouterr().err)
    assert "cannot be written" in said


@pytest.mark.slow
def test_an_output_that_is_another_input_is_refused(folder, capsys):
    (folder / "a.color.jpg").write_bytes((folder / "a.jpg").read_bytes())
    before = (folder / "a.color.jpg").read_bytes()
    assert main(["photo", str(folder / "a.jpg"), str(folder / "a.color.jpg"), "--overwrite"]) == 1
    assert "is itself to be coloured" in capsys.readouterr().err
    assert (folder / "a.color.jpg").read_bytes() == before


def test_the_root_of_the_disk_gives_a_one_line_error(capsys):
    assert main(["photo", "/"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


PAUSING = """
import os, sys, time
from photochrom.commands.main import run

def wait(event, arguments):
    if event in ("os.link", "os.rename") and os.path.dirname(arguments[0]) == os.path.dirname(sys.argv[2]):
        time.sleep(600)  # the signal comes before the output has its name, however busy the machine is

sys.addaudithook(wait)
run()
"""


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.slow
def test_a_photograph_interrupted_in_the_middle_leaves_no_files(folder, signal_number):
    command = [sys.executable, "-c", PAUSING, "photo", str(folder / "a.jpg")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as job:
        while not any(".part" in p.name for p in folder.iterdir()) and job.poll() is None:
            time.sleep(0.01)
        job.send_signal(signal_number)
        error = job.stderr.read()
    assert job.returncode in (130, 143)
    assert b"Traceback" not in error
    assert names(folder) == ["a.jpg", "b.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.slow
def test_a_full_standard_output_gives_a_one_line_error(folder):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "photochrom", "photo", str(folder / "a.jpg"), "-o", "-"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr.decode().count("\n") == 1


@pytest.mark.slow
def test_output_file_folder_and_format(folder):
    (folder / "out").mkdir()
    assert main(["photo", str(folder / "a.jpg"), "-o", str(folder / "x.tif")]) == 0
    assert facts(folder / "x.tif")[0] == "TIFF"
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "out")]) == 0
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a.color.jpg", "b.color.png"]


def test_several_inputs_need_a_folder(folder, capsys):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "x.jpg")]) == 2
    assert "is not a folder, which several photographs need" in capsys.readouterr().err


@pytest.mark.slow
def test_one_bad_file_does_not_stop_the_others(folder, capsys):
    (folder / "bad.jpg").write_bytes((folder / "a.jpg").read_bytes()[:500])
    (folder / "none.jpg").write_bytes(b"")
    inputs = [str(folder / name) for name in ("bad.jpg", "none.jpg", "gone.jpg", "a.jpg")]
    assert main(["photo", *inputs]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("photochrom: ") for line in lines)
    for name, line in zip(("bad.jpg", "none.jpg", "gone.jpg"), lines, strict=True):
        assert name in line
    assert is_colored(folder / "a.color.jpg")
    assert sorted(p.name for p in folder.iterdir() if "color" in p.name) == ["a.color.jpg"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="its limit on names is another")
def test_a_name_that_is_too_long_for_an_output_does_not_stop_the_others(folder, capsys):
    long = folder / f"aa{'n' * 246}.jpg"  # between the two others
    long.write_bytes((folder / "a.jpg").read_bytes())
    assert main(["photo", str(folder)]) == 1
    assert (folder / "a.color.jpg").is_file()
    assert (folder / "b.color.png").is_file()
    assert "n.color.jpg: has too long a name: shorten it\n" in capsys.readouterr().err


@pytest.mark.slow
def test_streams(folder):
    result = run("photo", "-", stdin=(folder / "b.png").read_bytes())
    assert result.returncode == 0
    assert facts(io.BytesIO(result.stdout)) == facts(folder / "b.png")
    assert result.stderr == b""  # it was written to the requested place, so nothing is printed
    result = run("photo", folder / "a.jpg", "-o", "-")
    assert result.stderr == b""
    assert facts(io.BytesIO(result.stdout)) == facts(folder / "a.jpg")
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--vividness", "2"], "vividness is 2"),
        (["--strength", "-1"], "strength is -1"),
        (["--detail", "3"], "detail is 3.0: give a number from 1 to 2"),
        (["--quality", "0"], "quality is 0"),
    ],
)
def test_wrong_options_are_named(folder, capsys, option, message):
    assert main(["photo", str(folder / "a.jpg"), *option]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_dials_change_the_colours(folder):
    spread = {}
    for name, option in {
        "cautious": ["--vividness", "0"],
        "bold": ["--vividness", "0.9"],
        "grey": ["--strength", "0"],
    }.items():
        target = folder / f"{name}.png"
        assert main(["photo", str(folder / "b.png"), "-o", str(target), *option]) == 0
        spread[name] = np.ptp(pixels(target), axis=2).mean()
    assert spread["grey"] == 0
    assert spread["bold"] > 1.2 * spread["cautious"] > 0


@pytest.mark.slow
def test_detail_changes_the_colours_of_large_and_small_pictures(folder):
    for name, detail in (("a.jpg", "1.5"), ("b.png", "2")):
        usual, detailed = folder / "usual.png", folder / "detailed.png"
        assert main(["photo", str(folder / name), "-o", str(usual), "--overwrite"]) == 0
        assert main(["photo", str(folder / name), "-o", str(detailed), "--overwrite", "--detail", detail]) == 0
        assert 0.1 < np.abs(pixels(usual).astype(int) - pixels(detailed)).mean() <= 10
