"""Docstrings name the errors that a function raises itself, and those that the functions it calls name."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from photochrom import errors

PACKAGE = Path(errors.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef
FAMILY = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")}
BY_ARGUMENTS = {"OptionError", "EngineError"}  # whether a callee raises them depends on what it is given


MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}


def named(node: ast.AST) -> set[str]:
    """Return the errors of the family under ``Raises`` in the docstring of a function or class."""
    assert isinstance(node, Function | ast.ClassDef)
    section = (ast.get_docstring(node) or "").partition("Raises:")[2]
    return FAMILY & set(re.findall(r"\w+", section))


CALLED = {
    f"{module}.{node.name}": named(node)
    for module, tree in MODULES.items()
    for node in tree.body
    if isinstance(node, Function | ast.ClassDef)
}


@functools.cache
def names_in(module: str) -> dict[str, str]:
    """Return the full names of the functions and classes that a module defines or imports, by their short names."""
    found = {name.rpartition(".")[2]: name for name in CALLED if name.rpartition(".")[0] == module}
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join([*module.split(".")[: -node.level], *([node.module] if node.module else [])])
            found |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
    return found


def reaching(node: ast.AST, known: dict[str, str], methods: dict[str, set[str]]) -> Iterator[str]:
    """Yield errors that statements raise, or that their callees name; those within ``try`` or ``with`` may not pass."""
    match node:
        case ast.With() | ast.AsyncWith() | ast.FunctionDef() | ast.Lambda():
            return
        case ast.Try():
            inner = [*node.orelse, *node.finalbody, *(part for handler in node.handlers for part in handler.body)]
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in FAMILY:
            yield name
            return
        case ast.Call(func=ast.Name(id=name), args=arguments) if own := CALLED.get(known.get(name, "")):
            given = {argument.id for argument in arguments if isinstance(argument, ast.Name)}
            yield from FAMILY & given or own - BY_ARGUMENTS
            inner = list(ast.iter_child_nodes(node))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
            yield from methods.get(name, set()) - BY_ARGUMENTS
            inner = list(ast.iter_child_nodes(node))
        case _:
            inner = list(ast.iter_child_nodes(node))
    for part in inner:
        yield from reaching(part, known, methods)


def functions() -> Iterator[tuple[str, ast.ClassDef | None, Function]]:
    """Yield module, class and definition of each function whose docstring must be complete."""
    for module, tree in MODULES.items():
        for owner in [None, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            for node in tree.body if owner is None else owner.body:
                if isinstance(node, Function) and ast.get_docstring(node) and (node.name[0] != "_" or named(node)):
                    yield module, owner, node


def test_docstrings_name_the_errors_that_can_reach_a_caller():
    missing = []
    for module, owner, function in functions():
        text = " ".join(filter(None, map(ast.get_docstring, (function, owner) if owner else (function,))))
        if "PhotochromError" in text or "rrors are those of" in text:
            continue
        methods = {part.name: named(part) for part in owner.body if isinstance(part, Function)} if owner else {}
        found = {name for part in function.body for name in reaching(part, names_in(module), methods)}
        missing += [f"{module}.{function.name}: {name}" for name in sorted(found) if name not in text]
    assert not missing


CONSTANTS = {
    target.id: node.value.value
    for tree in MODULES.values()
    for node in tree.body
    if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
    for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    if isinstance(target, ast.Name) and isinstance(node.value.value, str)
}
"""The texts that are constants of modules, by name."""
# The part of a file to which the problem belongs may come first: "page 3: is damaged", "shot 2 of the list: ...".
PLACE = re.compile(r"(the \w+|\w+ \{\}( of the list)?|\{\}): ")


def skeleton(node: ast.AST | None) -> str:
    """Return a text with {} for each part that is computed; constants of modules are replaced by their texts."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(skeleton, parts))
        case ast.FormattedValue(value=ast.Name(id=name) | ast.Attribute(attr=name)):
            return str(CONSTANTS.get(name, "{}"))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return str(CONSTANTS.get(name, "{}"))
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            return skeleton(value)
        case ast.BinOp(left=left, right=right):
            return skeleton(left) + skeleton(right)
    return "{}"


def test_problems_contain_no_remedy():
    """It is an argument of its own, because callers add paths and replace remedies."""
    glued = [
        f"{module}, line {node.lineno}: {problem}"
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args
        if (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")) in FAMILY
        if ": " in PLACE.sub("", problem := skeleton(node.args[0]), count=1)
    ]
    assert not glued
