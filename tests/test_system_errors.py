"""System errors become errors of Photochrom, and JSON is parsed by one function."""

from pathlib import Path

import pytest

import photochrom
from photochrom import ModelError
from photochrom.errors import system_errors


def test_a_system_error_becomes_one_line_with_a_remedy(tmp_path):
    with pytest.raises(ModelError) as error, system_errors(ModelError, tmp_path, "choose a file"):
        tmp_path.read_bytes()
    assert str(error.value) == f"{tmp_path}: cannot be read (Is a directory): choose a file"
    assert error.value.path == tmp_path
    assert isinstance(error.value.__cause__, IsADirectoryError)


def test_json_is_parsed_by_one_function():
    package = Path(photochrom.__file__).parent
    parsing = [path.name for path in package.rglob("*.py") if "json.load" in path.read_text(encoding="utf-8")]
    assert parsing == ["json_text.py"]
