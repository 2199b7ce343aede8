"""The commands of ``python -m photochrom.training``; ``test_distillation`` and ``test_broad`` run them to the end."""

import sys

import pytest

from photochrom.models.registry import find_model
from photochrom.training.__main__ import main


@pytest.mark.parametrize("command", ["distillation", "export", "reexport"])
def test_each_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"python -m photochrom.training {command} " in capsys.readouterr().out


@pytest.mark.parametrize("command", ["distillation", "export", "reexport"])
def test_without_pytorch_a_line_says_what_to_install(command, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("photochrom.training.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main([command, "one", "other"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("photochrom: training needs ")
    assert line.endswith(": pip install 'photochrom[train]'")


@pytest.mark.parametrize("arguments", [[], ["export"], ["exports", "a", "b"], ["reexport", "--new"]])
def test_wrong_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: python -m photochrom.training" in capsys.readouterr().err


def test_a_file_that_is_not_a_model_is_named(tmp_path, capsys):
    (tmp_path / "old.onnx").write_bytes(b"nothing")
    assert main(["reexport", str(tmp_path / "old.onnx"), str(tmp_path / "new.onnx")]) == 1
    assert "old.onnx: is not a whole ONNX file" in capsys.readouterr().err


def test_no_file_is_overwritten(tmp_path, capsys):
    (tmp_path / "new.onnx").write_bytes(b"precious")
    assert main(["reexport", str(find_model("default")), str(tmp_path / "new.onnx")]) == 2
    assert "new.onnx: exists" in capsys.readouterr().err
    assert (tmp_path / "new.onnx").read_bytes() == b"precious"
