"""The words of the page: every catalogue holds them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import photochrom.studio
from photochrom.studio.strings import Catalogues, parse_po

STUDIO = Path(photochrom.studio.__file__).parent
LANGUAGES = ["de", "es", "fr", "ja"]
# Words in JavaScript are arguments of t() and n(), and values of data-t and its kin.
_IN_SCRIPTS = (r'\b[tn]\(\s*"((?:[^"\\]|\\.)*)"', r'\b(?:t|label): "((?:[^"\\]|\\.)*)"')


def words() -> set[str]:
    """Everything that the page says in English."""
    found = set()
    for path in (STUDIO / "static").glob("*.js"):
        found |= {match for pattern in _IN_SCRIPTS for match in re.findall(pattern, path.read_text())}
    page = (STUDIO / "static" / "index.html").read_text()
    return found | set(re.findall(r'data-(?:t|label)="([^"]*)"', page))


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def test_the_words_are_found():
    known = {"Vividness", "Lasso", "Draw around something; it takes the current colour", "hold it to see the original"}
    assert known | {"Borrow colours", "Stroke", "Choose a folder", "Undo", "{time} left"} <= words()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_holds_all_words_and_no_others(language):
    strings = Catalogues(STUDIO / "locale").strings(language)
    assert words() - set(strings) == set()
    assert set(strings) - words() == set()
    assert {text: said for text, said in strings.items() if placeholders(text) != placeholders(said)} == {}


def test_languages_are_those_that_have_a_file(visitor):
    assert visitor.studio["languages"] == ["en", *LANGUAGES]
    assert visitor.get("/api/strings/en") == {}
    assert visitor.get("/api/strings/de")["Undo"] == "Rückgängig"
    for name in ("xx", "..%2Fde", "de.po"):
        assert visitor.client.get(f"/api/strings/{name}").status_code in (400, 404)


def test_catalogues_are_read_as_gettext_reads_them():
    text = (
        'msgid ""\nmsgstr "Language: de\\n"\n\n# a comment\n#: place\nmsgid "one"\nmsgstr "eins"\n\n'
        'msgid ""\n"a \\"long\\" "\n"text"\nmsgstr ""\n"ein "\n"langer"\n\nmsgid "not yet"\nmsgstr ""\n'
    )
    assert parse_po(text) == {"one": "eins", 'a "long" text': "ein langer"}
