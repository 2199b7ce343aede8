"""Mechanical checks of prose: docstrings stand alone, and messages of the library name no flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "photochrom"
BEGINNINGS = ("Of ", "What ", "That ", "With ")
FLAG = re.compile(r"(?<![\w-])(--[a-z]|-o\b)")
FOLDERS = sorted({path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py")})


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring in a file, including those under fields and constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        body = node.body if isinstance(node, ast.Module | ast.ClassDef) else [*node.body[:1], *fields(node)]
        for statement in body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def fields(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
    """Return the statements after assignments, where ``__init__`` documents its attributes."""
    pairs = zip(function.body, function.body[1:], strict=False)
    return [after for before, after in pairs if isinstance(before, ast.Assign | ast.AnnAssign)]


def offenders(folder_name: str | Path) -> list[str]:
    """Return the docstrings of a folder or module that begin in the middle of a sentence, with their places."""
    folder = SOURCE / folder_name
    return [
        f"{path}:{line}: {text.splitlines()[0]}"
        for path in (sorted(folder.rglob("*.py")) if folder.is_dir() else [folder])
        for line, text in docstrings(path)
        if text.startswith(BEGINNINGS)
    ]


@pytest.mark.parametrize("folder_name", [*FOLDERS, ROOT / "tests", ROOT / "benchmarks", ROOT / "examples"])
def test_docstrings_begin_as_sentences_do(folder_name):
    assert not offenders(folder_name)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def documented(path: Path) -> Iterator[tuple[str, set[str], list[tuple[str, str]]]]:
    """Yield name, parameters, and entries under ``Args`` of each function and class whose docstring has them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, Function | ast.ClassDef):
            continue
        section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", ast.get_docstring(node) or "", re.M)
        called = node if isinstance(node, Function) else constructor(node)
        if section and called:
            arguments = called.args
            listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            entries = re.findall(r"^    (\w+): (.*)$", section[1], re.M)
            yield node.name, {argument.arg for argument in listed} - {"self", "cls"}, entries


def constructor(node: ast.ClassDef) -> Function | None:
    return next((part for part in node.body if isinstance(part, Function) and part.name == "__init__"), None)


def test_described_arguments_are_those_of_the_function():
    """All arguments are described under their own names, and each description can be read by itself."""
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        for name, parameters, entries in documented(path):
            if {entry for entry, _ in entries} != parameters or any(text.startswith(BEGINNINGS) for _, text in entries):
                wrong.append(f"{path.relative_to(SOURCE)}: {name}")
    assert not wrong


def test_names_of_tests_have_a_subject():
    """A name such as ``test_it_resumes`` or ``test_what_is_there_stays`` can only be read together with its body."""
    without = re.compile(r"^ *(?:async )?def test_(?:it|they|its|them|those|what|whatever|whoever|of|that|with)_", re.M)
    assert not [
        f"{path.relative_to(ROOT)}: {match[0].split()[-1]}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for match in without.finditer(path.read_text(encoding="utf-8"))
    ]


def test_docstrings_and_comments_name_modules_that_exist():
    known = {path.name for folder in ("src", "benchmarks", "docs", "tests") for path in (ROOT / folder).rglob("*.py")}
    assert not [
        f"{path.relative_to(SOURCE)}: {name}"
        for path in sorted(SOURCE.rglob("*.py"))
        for name in re.findall(r"\b(\w+\.py)\b", path.read_text(encoding="utf-8"))
        if name not in known
    ]


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string in a file, except docstrings, declarations of arguments and calls of pip."""
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


@pytest.mark.parametrize("folder_name", [folder_name for folder_name in FOLDERS if folder_name != "commands"])
def test_the_library_names_no_flags(folder_name):
    """Remedies name arguments of the Python API as data, and ``commands.messages`` spells them as flags."""
    folder = SOURCE / folder_name
    paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]
    assert not [
        f"{path.relative_to(SOURCE)}:{line}: {text}"
        for path in paths
        if path.parent.name != "gimp"  # calls the command line
        for line, text in messages(path)
        if FLAG.search(text)
    ]
