"""The command line itself: imports, version, models, and evaluation."""

import subprocess
import sys

import pytest
from PIL import Image
from skimage import data

from photochrom import __version__
from photochrom.commands.main import main
from tests.helpers.command_line import facts, is_colored

HEAVY = {"av", "numpy", "PIL", "cv2", "openvino", "onnxruntime", "torch", "tqdm"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--version"], f"photochrom {__version__}\n"),
        (["--help"], "studio"),
        (["photo", "--help"], "--hint"),
        (["film", "--help"], "--preview"),
    ],
)
def test_help_and_version_load_nothing_heavy(arguments, told):
    code = f"import sys; from photochrom.commands.main import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
    code += f"print(sorted({HEAVY} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "[]"
    assert told in output


@pytest.mark.slow
def test_using_needs_no_pytorch(folder):
    code = "import sys; sys.modules['torch'] = None; from photochrom.commands.main import main; "
    code += f"status = main(['photo', {str(folder / 'a.jpg')!r}]); print(status, 'photochrom.training' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split()[-2:] == ["0", "False"]
    assert is_colored(folder / "a.color.jpg")


@pytest.mark.slow
def test_evaluate_prints_a_table_and_writes_the_requested_files(tmp_path, capsys):
    pytest.importorskip("torch")
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()[::4, ::4]).save(photographs / f"{name}.jpg")
    sheet, figures = tmp_path / "sheet.png", tmp_path / "figures.json"
    assert main(["evaluate", str(photographs), "--json", str(figures), "--sheet", str(sheet)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("3 photographs")
    rows = [line.split("|")[1].strip() for line in output.splitlines() if line.startswith("|")]
    assert rows == ["picture", "---", "grey", "default", "truth"] * 2
    assert facts(sheet) == ("PNG", (3 * (3 * 160 + 12), 164))
    assert '"ciede2000"' in figures.read_text()
    assert main(["evaluate", str(tmp_path / "nothing")]) == 1
