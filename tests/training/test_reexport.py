"""A model file written anew has the same weights, card and colours as the old one."""

import shutil
from pathlib import Path

import pytest
import torch

from photochrom.errors import TrainingError
from photochrom.models.registry import find_model
from photochrom.training import reexport
from photochrom.training.initial_model import load_initial_model
from photochrom.training.published_weights import read_model
from photochrom.training.reexport import main


@pytest.mark.slow
def test_training_can_start_from_the_new_file_as_from_the_old(tmp_path, capsys):
    old, new = find_model("default"), tmp_path / "new.onnx"
    assert main([str(old), str(new)]) == 0  # compares the colours of both
    assert "within 0.000 a*b*" in capsys.readouterr().out
    assert read_model(new)[0] == read_model(old)[0]
    found, expected = (load_initial_model(str(path), None, None).head.state_dict() for path in (new, old))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=0)
    assert new.stat().st_size < old.stat().st_size + 10_000


def test_a_file_that_is_not_a_model_is_named(tmp_path, capsys):
    (tmp_path / "old.onnx").write_bytes(b"nothing")
    assert main([str(tmp_path / "old.onnx"), str(tmp_path / "new.onnx")]) == 1
    assert "old.onnx is not an ONNX file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_stays_if_the_new_file_would_differ(tmp_path, monkeypatch):
    old = Path(shutil.copy(find_model("default"), tmp_path / "old.onnx"))
    before = old.read_bytes()
    monkeypatch.setattr(reexport, "_TOLERANCE", -1.0)
    with pytest.raises(TrainingError, match=r"old\.onnx: a new file would differ by"):
        reexport.reexport(old, old)
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


def test_no_file_is_overwritten(tmp_path, capsys):
    (tmp_path / "new.onnx").write_bytes(b"precious")
    assert main([str(find_model("default")), str(tmp_path / "new.onnx")]) == 1
    assert "new.onnx: exists" in capsys.readouterr().err
    assert (tmp_path / "new.onnx").read_bytes() == b"precious"
