"""Files that are not written anew; ``test_broad`` writes a model anew."""

from photochrom.models.registry import find_model
from photochrom.training.reexport import main


def test_a_file_that_is_not_a_model_is_named(tmp_path, capsys):
    (tmp_path / "old.onnx").write_bytes(b"nothing")
    assert main([str(tmp_path / "old.onnx"), str(tmp_path / "new.onnx")]) == 1
    assert "old.onnx is not a whole ONNX file" in capsys.readouterr().err


def test_no_file_is_overwritten(tmp_path, capsys):
    (tmp_path / "new.onnx").write_bytes(b"precious")
    assert main([str(find_model("default")), str(tmp_path / "new.onnx")]) == 1
    assert "new.onnx: exists" in capsys.readouterr().err
    assert (tmp_path / "new.onnx").read_bytes() == b"precious"
