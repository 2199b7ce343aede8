"""The shape of the package: public names, versions, and which modules may load what."""

from __future__ import annotations

import ast
import dataclasses
import graphlib
import inspect
import subprocess
import sys
import types
import typing
from pathlib import Path

import PIL.Image
import pytest

import photochrom

PUBLIC = {name: getattr(photochrom, name) for name in photochrom.__all__}
SOURCE = Path(photochrom.__file__).parents[1]
PATHS = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.glob("photochrom/**/*.py")
}
HEAVY = ("numpy", "cv2", "PIL", "av", "openvino", "onnxruntime", "torch", "starlette")


def python(code: str) -> str:
    """Run code in a Python process that has imported nothing yet, and return its output."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_all_equals_dir_and_what_can_be_imported():
    assert photochrom.__all__ == sorted(set(photochrom.__all__))
    assert dir(photochrom) == photochrom.__all__
    namespace: dict[str, object] = {}
    exec("from photochrom import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(photochrom.__all__)
    assert {name for name in PUBLIC if PUBLIC[name] is None} == set()


def test_every_name_that_is_loaded_lazily_is_listed():
    assert set(photochrom._LAZY) < set(photochrom.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = photochrom.nothing


def signatures(thing: object) -> list[object]:
    """Return the functions whose annotations are public because this object is."""
    if not inspect.isclass(thing):
        return [thing] if callable(thing) else []
    members = [m for name, m in vars(thing).items() if not name.startswith("_") or name == "__init__"]
    members = [m.fget if isinstance(m, property) else getattr(m, "__func__", m) for m in members]
    generated = dataclasses.is_dataclass(thing)
    return [m for m in members if inspect.isfunction(m) and not (generated and m.__name__ == "__init__")] + [thing]


def named_types(annotation: object) -> set[type]:
    """Return Photochrom's own classes that an annotation names, at any depth."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return {annotation} if annotation.__module__.startswith("photochrom") else set()
    inner = typing.get_args(annotation)
    parts = [part for arg in inner for part in (arg if isinstance(arg, list) else [arg])]
    return {found for part in parts for found in named_types(part)}


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_types_in_public_signatures_are_public(name):
    """Types imported for type checkers only must be public under their names, or resolving them is a NameError."""
    known = PUBLIC | {"Image": PIL.Image}
    for signature in signatures(PUBLIC[name]):
        for annotation in typing.get_type_hints(signature, localns=known).values():
            missing = {t.__name__ for t in named_types(annotation)} - set(PUBLIC)
            assert not missing, f"{getattr(signature, '__qualname__', signature)} names {missing}"


def test_importing_the_package_loads_nothing_heavy():
    loaded = python(f"import sys, photochrom; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded.strip() == "[]"


@pytest.mark.slow
def test_only_training_imports_torch():
    """Modules that need a missing extra are skipped."""
    code = """
import importlib, pkgutil, sys, photochrom
for module in pkgutil.walk_packages(photochrom.__path__, "photochrom."):
    if module.name.startswith("photochrom.training") or module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as exc:
        if not exc.name or exc.name.startswith("photochrom"):
            raise
    assert "torch" not in sys.modules, f"{module.name} imports torch"
print("walked")
"""
    assert python(code).strip() == "walked"


def test_no_modules_import_each_other_in_a_circle_not_even_for_their_types_or_inside_functions():
    graph = {name: set(_imported(path)) - {name} for name, path in PATHS.items()}
    assert "photochrom.film.reader" in graph["photochrom.film.frames"]
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def _imported(path: Path) -> list[str]:
    package = path.relative_to(SOURCE).parent.parts
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            module = ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
            inner = [f"{module}.{name.name}" for name in node.names]
            found += [name if name in PATHS else module for name in inner]
    return [name for name in found if name in PATHS]


def test_each_folder_can_be_taken_in_at_a_glance():
    crowded = {folder.name for folder in SOURCE.glob("photochrom/**/") if len(list(folder.glob("*.py"))) > 24}
    assert not crowded


FOLDERS = ("color", "models", "colorizer", "content_credentials", "photo", "film", "batch", "studio", "integrations")
FOLDERS += ("training", "commands")


def test_each_folder_imports_only_from_those_before_it_and_single_modules_from_none():
    back = []
    for name, path in PATHS.items():
        if path.name == "__main__.py" or name == "photochrom":
            continue  # the command lines, and the public names
        folder = name.split(".")[1]
        later = FOLDERS[FOLDERS.index(folder) + 1 :] if folder in FOLDERS else FOLDERS
        back += [(name, other) for other in _imported(path) if other.split(".")[1] in later]
    assert len(PATHS) > 200
    assert not back
