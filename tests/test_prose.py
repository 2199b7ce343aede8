"""Docstrings stand alone, and the library does not speak of a command line: mechanical traces of both."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "photochrom"
BEGINNINGS = ("Of ", "What ", "That ", "With ")
FLAG = re.compile(r"(?<![\w-])(--[a-z]|-o\b)")
ROOMS = sorted({path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")})


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring in a file, those under fields and constants included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body if isinstance(node, ast.Module | ast.ClassDef) else [*node.body[:1], *fields(node)]
        for statement in body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def fields(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """The statements behind assignments, where ``__init__`` documents its attributes."""
    pairs = zip(function.body, function.body[1:], strict=False)
    return [after for before, after in pairs if isinstance(before, ast.Assign | ast.AnnAssign)]


def offenders(room: str) -> list[str]:
    """Places in a room, a folder or a module, whose docstring begins in the middle of a sentence."""
    folder = SOURCE / room
    return [
        f"{path.relative_to(SOURCE)}:{line}: {text.splitlines()[0]}"
        for path in (sorted(folder.rglob("*.py")) if folder.is_dir() else [folder])
        for line, text in docstrings(path)
        if text.startswith(BEGINNINGS)
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_begin_as_sentences_do(room):
    assert not offenders(room)


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string in a file, without docstrings, declarations of arguments and calls of pip."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    declared = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func)[-9:] == "_argument"
    ]
    aside = {id(inner) for call in declared for inner in ast.walk(call)} | {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in aside and "pip install" not in text:
                yield node.lineno, text


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "commands"])
def test_the_library_names_no_flags(room):
    """Remedies name arguments of the Python API as data, and ``commands.messages`` spells them as flags."""
    folder = SOURCE / room
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
    assert not [
        f"{path.relative_to(SOURCE)}:{line}: {text}"
        for path in paths
        if path.parent.name != "gimp"  # calls the command line
        for line, text in messages(path)
        if FLAG.search(text)
    ]
