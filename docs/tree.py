"""Write the list of modules, modules.md, from the first line of each module's docstring.

    python docs/tree.py

Run it after a module is added, moved or renamed; a test compares the names.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "src" / "photochrom"
HEADER = """# Modules

What each module is for: the first line of its docstring, as `python docs/tree.py` writes it.
[Architecture](architecture.md) follows a photograph, a film and a training run through them.

"""


def modules(folder: Path = PACKAGE) -> Iterator[Path]:
    """Yield the modules of a package, each folder's own before those of its subfolders."""
    yield from sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for sub in sorted(folder.iterdir()):
        if (sub / "__init__.py").exists():
            yield sub / "__init__.py"
        if any(sub.rglob("*.py")):
            yield from modules(sub)


def purpose(path: Path) -> str:
    """Return the first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def tree() -> str:
    """Return the list as Markdown."""
    lines = ["**`photochrom/`**", ""]
    for path in modules():
        name = path.relative_to(PACKAGE).as_posix()
        if path.name == "__init__.py":
            lines += ["", f"**`{name.removesuffix('__init__.py')}`** {purpose(path)}", ""]
        else:
            lines.append(f"- `{name}`: {purpose(path)}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    (DOCS / "modules.md").write_text(HEADER + tree(), encoding="utf-8")


if __name__ == "__main__":
    main()
