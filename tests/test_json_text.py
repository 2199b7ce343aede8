"""JSON whose author is not trusted: whatever is wrong with it raises ValueError, and those who read it say so."""

from pathlib import Path

import pytest

import photochrom
from photochrom.errors import ModelError
from photochrom.json_text import parse_json
from photochrom.models.registry import CARD_KEY, ModelCard

DEEP = "[" * 100_000


def test_valid_json():
    assert parse_json('{"a": [1, 2.5]}') == {"a": [1, 2.5]}
    assert parse_json(b"12", parse_int=float) == 12.0


@pytest.mark.parametrize("text", ["", "{", "[1,]", b"\xff", DEEP])
def test_invalid_json(text):
    with pytest.raises(ValueError, match=r"(Expecting|Illegal|nested|utf-8)"):
        parse_json(text)


@pytest.mark.parametrize("text", [DEEP, "[]", "7"])
def test_the_card_of_a_model(text):
    with pytest.raises(ModelError, match="is not a model of Photochrom"):
        ModelCard.of({CARD_KEY: text}, None)


def test_json_is_parsed_by_one_function():
    package = Path(photochrom.__file__).parent
    parsing = [path.name for path in package.rglob("*.py") if "json.load" in path.read_text(encoding="utf-8")]
    assert parsing == ["json_text.py"]
