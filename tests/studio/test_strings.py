"""Texts of the page: every catalogue translates all of them."""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import photochrom.studio
from photochrom.colorizer import alternative_captions
from photochrom.colorizer.alternative_captions import color_name
from photochrom.studio.strings import Catalogues, parse_po

STUDIO = Path(photochrom.studio.__file__).parent
SOURCES = STUDIO.parent
FOLDERS = ("color", "photo", "film", "colorizer")  # whose messages may reach the page
AT_START = ("app.py",)  # errors that end the command are not for the page
LANGUAGES = ["de", "es", "fr", "ja"]
# Words in JavaScript are arguments of t() and n(), and values of data-t and its kin.
_IN_SCRIPTS = (r'\b[tn]\(\s*"((?:[^"\\]|\\.)*)"', r'\b(?:t|label): "((?:[^"\\]|\\.)*)"')


def words() -> set[str]:
    """Return all English texts of the page."""
    found = set()
    for path in (STUDIO / "static").glob("*.js"):
        found |= {match for pattern in _IN_SCRIPTS for match in re.findall(pattern, path.read_text())}
    page = (STUDIO / "static" / "index.html").read_text()
    return found | set(re.findall(r'data-(?:t|label)="([^"]*)"', page))


@functools.cache
def messages() -> dict[str, bool]:
    """Return parts of the error messages of the studio and the library, and whether all must be translated."""
    found = {}
    for path in (*STUDIO.glob("*.py"), *(path for folder in FOLDERS for path in (SOURCES / folder).rglob("*.py"))):
        for problem, remedy in texts(ast.parse(path.read_text())):
            # Remedies are for people; errors that only programs can make have none.
            is_needed = path.parent == STUDIO and bool(remedy) and path.name not in AT_START
            parts = [*problem.split(": "), remedy]
            found |= {numbered(part): found.get(numbered(part), False) or is_needed for part in parts}
    return found


def texts(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Return problem and remedy of each error in a source, and its other texts, with {} for values."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            texts = [text for each in node.args[:1] if (text := template(each))]
            remedies = [template(each.value) for each in node.keywords if each.arg == "remedy"]
            yield from ((text, remedies[0] if remedies else "") for text in texts)
        if text := template(node):
            yield text, ""


def template(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def numbered(text: str) -> str:
    numbers = itertools.count(1)
    return re.sub(r"\{\}", lambda _: f"{{{next(numbers)}}}", text)


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}", text))


def test_the_words_are_found():
    known = {"Vividness", "Lasso", "Draw around something; it takes the current colour", "hold it to see the original"}
    assert known | {"Borrow colours", "Stroke", "Choose a folder", "Undo", "{time} left"} <= words()


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_holds_all_words_and_no_others(language):
    strings = Catalogues(STUDIO / "locale").strings(language)
    assert words() - set(strings) == set()
    assert {part for part, is_needed in messages().items() if is_needed} - set(strings) == set()
    assert set(strings) - words() - set(messages()) == set()
    assert {text: said for text, said in strings.items() if placeholders(text) != placeholders(said)} == {}


def test_names_of_guesses_are_made_of_words_that_are_translated():
    colors = {color_name(*lab) for lab in itertools.product((30, 70), range(-60, 61, 5), range(-60, 61, 5))}
    places = {alternative_captions._place(one) for one in np.eye(81, dtype=bool).reshape(81, 9, 9)}
    directions = {name for _, name in alternative_captions._DIRECTIONS} | {"paler", "nearly the same"}
    assert len(colors) == 12
    assert len(places) == 9
    assert colors | places | directions <= words()


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
