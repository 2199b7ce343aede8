"""Errors: a one-line message, path and remedy as data, and flags where the command line prints them."""

import ast
import pickle
from pathlib import Path

import pytest

from photochrom import ModelError, OptionError, PhotochromError, PhotoError, errors, read_hints
from photochrom.commands.messages import error_text, note_text
from photochrom.errors import system_errors


def test_a_message_is_path_problem_remedy():
    error = PhotoError("is damaged", path="a/b.jpg", remedy="scan it again")
    assert str(error) == "a/b.jpg: is damaged: scan it again"
    assert (error.problem, error.path, error.remedy) == ("is damaged", Path("a/b.jpg"), "scan it again")


def test_parts_may_be_missing():
    error = PhotochromError("all in one: text")
    assert (str(error), error.path, error.remedy) == ("all in one: text", None, "")
    assert str(PhotochromError("broken", path=Path("x"))) == "x: broken"
    assert str(PhotochromError("broken", remedy="mend it")) == "broken: mend it"


def test_errors_go_between_processes_whole():
    error = pickle.loads(pickle.dumps(OptionError("is 3", path="a.json", remedy="give 2")))
    assert (str(error), error.path, error.remedy) == ("a.json: is 3: give 2", Path("a.json"), "give 2")


def test_a_system_error_becomes_one_line_with_a_remedy(tmp_path):
    with pytest.raises(ModelError) as error, system_errors(ModelError, tmp_path, "choose a file"):
        tmp_path.read_bytes()
    assert str(error.value) == f"{tmp_path}: cannot be read (Is a directory): choose a file"
    assert error.value.path == tmp_path
    assert isinstance(error.value.__cause__, IsADirectoryError)


def test_an_error_of_a_file_of_hints_carries_its_path(tmp_path):
    path = tmp_path / "hints.json"
    path.write_text('{"photochrom": "hints", "version": 1, "hints": [{"x": 2, "y": 0, "color": "#000000"}]}')
    with pytest.raises(OptionError) as caught:
        read_hints(path)
    assert caught.value.path == path
    assert caught.value.problem == "hint 1: a hint's x is 2.0"
    assert caught.value.remedy == "give a number from 0 to 1"


@pytest.mark.parametrize(
    ("remedy", "flags"),
    [
        ("pass overwrite=True", "pass --overwrite"),
        ('use device="cpu"', "use --device cpu"),
        ("free some, or give cache_gb=0", "free some, or give --cache-gb 0"),
        ("go on with resume=True", "go on with --resume"),
        ("negative=True, or negative=False", "--negative, or --no-negative"),
        ('choose initial="scratch"', "choose --from scratch"),
        ("choose another name", "choose another name"),
        ("write X,Y,COLOR as in 0.42,0.31,#7a2b22", "write X,Y,COLOR as in 0.42,0.31,#7a2b22"),
    ],
)
def test_the_command_line_spells_arguments_as_flags(remedy, flags):
    assert error_text(PhotoError("exists", path="a=True.jpg", remedy=remedy)) == f"a=True.jpg: exists: {flags}"


def test_errors_without_a_remedy_are_printed_as_they_are():
    assert error_text(PhotoError("a=True.jpg: exists")) == "a=True.jpg: exists"
    assert error_text(ValueError("wrong")) == "wrong"


def test_control_characters_in_names_are_escaped():
    """A message stays one line, and does not change the terminal's colours or title."""
    error = PhotoError("exists", path="a\n\x1b[31m\x9b1m é📷.jpg", remedy="overwrite=True")
    assert error_text(error) == "a\\n\\x1b[31m\\x9b1m é📷.jpg: exists: --overwrite"
    assert note_text("b\r.jpg: looks like a negative") == "b\\r.jpg: looks like a negative"


PATHS = {"path", "folder", "file", "source", "destination", "target", "output", "certificate", "key", "weights", "film"}


def test_no_message_begins_with_a_path_that_the_error_does_not_have():
    """Errors have their path as data, and ``PhotochromError`` puts it in front of the message, in one form."""
    for module in sorted(Path(errors.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id=kind),
                    keywords=keywords,
                    args=[
                        ast.JoinedStr(
                            values=[ast.FormattedValue(value=ast.Name(id=name) | ast.Attribute(attr=name)), *_]
                        )
                    ],
                ) if (
                    kind.endswith("Error")
                    and kind in vars(errors)
                    and "path" not in {keyword.arg for keyword in keywords}
                ):
                    assert name not in PATHS, f"{module}:{node.lineno}"
