"""The command line as its users meet it."""

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

from photochrom import __version__
from photochrom.cli import main

HEAVY = {"numpy", "PIL", "cv2", "openvino", "onnxruntime", "torch"}


def run(*arguments, stdin=b""):
    return subprocess.run([sys.executable, "-m", "photochrom", *map(str, arguments)], input=stdin, capture_output=True)


@pytest.fixture
def folder(tmp_path):
    """Two grey photographs."""
    Image.fromarray(data.camera()).save(tmp_path / "a.jpg")
    Image.fromarray(data.camera()[::2, ::3]).save(tmp_path / "b.png")
    return tmp_path


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def facts(path):
    """Format and size."""
    with Image.open(path) as image:
        return image.format, image.size


def is_colored(path):
    return np.ptp(pixels(path), axis=2).mean() > 2


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["photo", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments):
    code = f"import sys; from photochrom.cli import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    code += f"print(sorted({HEAVY} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"


def test_using_needs_no_pytorch(folder):
    code = "import sys; sys.modules['torch'] = None; from photochrom.cli import main; "
    code += f"status = main(['photo', {str(folder / 'a.jpg')!r}]); print(status, 'photochrom.training' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["0", "False"]
    assert is_colored(folder / "a.color.jpg")


def test_version():
    assert run("--version").stdout.decode().strip() == f"photochrom {__version__}"


def test_outputs_stand_beside_their_sources(folder):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png")]) == 0
    assert is_colored(folder / "a.color.jpg")
    assert is_colored(folder / "b.color.png")
    assert sorted(p.name for p in folder.iterdir()) == ["a.color.jpg", "a.jpg", "b.color.png", "b.png"]


def test_nothing_is_overwritten_unless_told(folder, capsys):
    source, target = folder / "a.jpg", folder / "a.color.jpg"
    target.write_bytes(b"mine")
    assert main(["photo", str(source)]) == 1
    assert "a.color.jpg" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main(["photo", str(source), "--overwrite"]) == 0
    assert is_colored(target)


def test_a_source_is_never_overwritten(folder):
    before = (folder / "b.png").read_bytes()
    assert main(["photo", str(folder / "b.png"), "-o", str(folder / "b.png"), "--overwrite"]) == 2
    assert (folder / "b.png").read_bytes() == before


def test_an_output_that_is_another_input_is_refused(folder, capsys):
    (folder / "a.color.jpg").write_bytes((folder / "a.jpg").read_bytes())
    before = (folder / "a.color.jpg").read_bytes()
    assert main(["photo", str(folder / "a.jpg"), str(folder / "a.color.jpg"), "--overwrite"]) == 2
    assert "is itself to be coloured" in capsys.readouterr().err
    assert (folder / "a.color.jpg").read_bytes() == before


def test_an_input_given_twice_is_coloured_once(folder):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "a.jpg")]) == 0


@pytest.mark.parametrize("name", [".", "/", ""])
def test_what_has_no_name_is_one_line(name, capsys):
    assert main(["photo", name]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_ended_in_the_middle_it_leaves_nothing_behind(folder, signal_number):
    Image.fromarray(np.tile(data.camera(), (12, 16))).save(folder / "big.png", compress_level=0)
    job = subprocess.Popen(
        [sys.executable, "-m", "photochrom", "photo", str(folder / "big.png")], stderr=subprocess.PIPE
    )
    for _ in range(3000):
        if any(".part" in p.name for p in folder.iterdir()):
            break
        time.sleep(0.01)
    job.send_signal(signal_number)
    _, error = job.communicate()
    assert job.returncode in (130, 143)
    assert b"Traceback" not in error
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg", "b.png", "big.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_standard_output_is_one_line(folder):
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "photochrom", "photo", str(folder / "a.jpg"), "-o", "-"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr.decode().count("\n") == 1


def test_output_file_folder_and_format(folder):
    (folder / "out").mkdir()
    assert main(["photo", str(folder / "a.jpg"), "-o", str(folder / "x.tif")]) == 0
    assert facts(folder / "x.tif")[0] == "TIFF"
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "out")]) == 0
    assert sorted(p.name for p in (folder / "out").iterdir()) == ["a.color.jpg", "b.color.png"]


def test_two_inputs_never_share_an_output(folder, capsys):
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / "a.jpg").rename(folder / name / "a.jpg") if name == "x" else (folder / "y" / "a.jpg").write_bytes(
            (folder / "x" / "a.jpg").read_bytes()
        )
    (folder / "out").mkdir()
    assert main(["photo", str(folder / "x" / "a.jpg"), str(folder / "y" / "a.jpg"), "-o", str(folder / "out")]) == 2
    assert "would both be written" in capsys.readouterr().err
    assert list((folder / "out").iterdir()) == []


def test_several_inputs_need_a_folder(folder, capsys):
    assert main(["photo", str(folder / "a.jpg"), str(folder / "b.png"), "-o", str(folder / "x.jpg")]) == 2
    assert "need a folder" in capsys.readouterr().err


def test_one_bad_file_does_not_stop_the_others(folder):
    (folder / "bad.jpg").write_bytes((folder / "a.jpg").read_bytes()[:500])
    (folder / "none.jpg").write_bytes(b"")
    result = run("photo", folder / "bad.jpg", folder / "none.jpg", folder, folder / "gone.jpg", folder / "a.jpg")
    assert result.returncode == 1
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("photochrom: ") for line in lines)
    for name, line in zip(("bad.jpg", "none.jpg", str(folder), "gone.jpg"), lines, strict=True):
        assert name in line
    assert is_colored(folder / "a.color.jpg")
    assert sorted(p.name for p in folder.iterdir() if "color" in p.name) == ["a.color.jpg"]


def test_streams(folder):
    result = run("photo", "-", stdin=(folder / "b.png").read_bytes())
    assert result.returncode == 0
    assert facts(io.BytesIO(result.stdout)) == facts(folder / "b.png")
    result = run("photo", folder / "a.jpg", "-o", "-")
    assert facts(io.BytesIO(result.stdout)) == facts(folder / "a.jpg")
    assert sorted(p.name for p in folder.iterdir()) == ["a.jpg", "b.png"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--vividness", "2"], "vividness is 2"),
        (["--strength", "-1"], "strength is -1"),
        (["--quality", "0"], "quality is 0"),
    ],
)
def test_wrong_options_are_named(folder, capsys, option, message):
    assert main(["photo", str(folder / "a.jpg"), *option]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_model_is_one_line(folder, capsys):
    assert main(["photo", str(folder / "a.jpg"), "--model", "artistic"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "default, reference" in error


def test_dials_do_what_they_say(folder):
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


def test_models_are_listed(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path))
    assert main(["models", "list"]) == 0
    output = capsys.readouterr().out
    assert "default" in output
    assert "photochrom models get reference" in output


def test_evaluate_prints_a_table_and_writes_what_it_is_asked(tmp_path, capsys):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(photographs / f"{name}.jpg")
    sheet, figures = tmp_path / "sheet.png", tmp_path / "figures.json"
    assert main(["evaluate", str(photographs), "--json", str(figures), "--sheet", str(sheet)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("3 photographs")
    rows = [line.split("|")[1].strip() for line in output.splitlines() if line.startswith("|")]
    assert rows == ["picture", "---", "grey", "default", "truth"] * 2
    assert facts(sheet) == ("PNG", (3 * (3 * 160 + 12), 164))
    assert '"ciede2000"' in figures.read_text()
    assert main(["evaluate", str(tmp_path / "nothing")]) == 1
