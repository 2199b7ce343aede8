"""The project around the package: commands, pages, versions and packages agree with one another."""

import ast
import importlib
import re
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import photochrom
from tests import conftest

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
CI = (ROOT / ".ci" / "run").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


def readme_command(name: str) -> str:
    """Return the command that follows a marker in the README."""
    found = re.search(rf"<!-- ci: {name} -->\n```sh\n(.*)\n```", (ROOT / "README.md").read_text())
    assert found, f"README.md has no command marked {name}"
    return found[1]


def workflow_commands(job: str) -> list[str]:
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub and MkDocs make of a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_workflow_runs_steps_of_the_ci_script():
    steps = set(re.findall(r"^step_(\w+)\(\)", CI, flags=re.MULTILINE))
    for job in set(WORKFLOW["jobs"]) - {"windows"}:
        for command in workflow_commands(job):
            script, *names = command.split()
            assert script == ".ci/run"
            assert names
            assert set(names) <= steps
    assert [name for command in workflow_commands("unix") for name in command.split()[1:]] == ["test", "color", "check"]
    assert "steps=(test color check)" in CI


def test_ci_script_takes_its_commands_from_the_readme():
    for name in ("test", "color"):
        assert f"run_readme {name}\n" in CI
        assert readme_command(name)


def test_windows_runs_the_commands_of_the_readme_under_their_names_there():
    install, test, color = workflow_commands("windows")
    arguments = readme_command("test").partition(".venv/bin/pytest ")[2]
    assert arguments
    assert test == f"python -m pytest {arguments}"
    assert install.replace('"', "'").removeprefix("python -m ") in readme_command("test")
    assert color == readme_command("color").rpartition(".venv/bin/")[2]


def test_workflow_covers_the_pythons_that_the_package_names():
    project = (ROOT / "pyproject.toml").read_text()
    named = set(re.findall(r"Programming Language :: Python :: (3\.\d+)", project))
    assert {entry["python"] for entry in WORKFLOW["jobs"]["unix"]["strategy"]["matrix"]["include"]} == named


def test_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest
    assert citation["version"] == newest[1] == photochrom.__version__


def test_issue_templates_are_forms():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        assert path.name == "config.yml" or {"name", "description", "body"} <= set(form)
    assert "photochrom doctor" in (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in headings(path), f"{page.name} links to {target}"


def test_the_page_of_modules_names_every_module():
    package = ROOT / "src" / "photochrom"
    text = (ROOT / "docs" / "modules.md").read_text()
    listed = set(re.findall(r"^- `([\w/]+\.py)`", text, flags=re.MULTILINE))
    there = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if path.name != "__init__.py"}
    assert listed == there, "run python docs/tree.py"


def test_architecture_names_only_modules_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"`(\w+(?:/\w+)+\.py)`", text):
        assert (ROOT / "src" / "photochrom" / name).exists(), f"architecture.md names {name}"


def test_api_page_shows_every_public_name():
    shown = re.findall(r"^::: photochrom\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), flags=re.MULTILINE)
    assert sorted(shown) == sorted(set(photochrom.__all__) - {"__version__"})


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocs") is None, reason="needs the docs extra")
def test_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    api = (tmp_path / "api" / "index.html").read_text()
    assert 'id="photochrom.Colorizer.colorize"' in api or "Colorizer.colorize" in api
    assert (tmp_path / "images" / "dust-bowl-home.webp").exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("hatchling") is None, reason="needs hatchling, which builds the wheel")
def test_wheel_holds_everything_that_the_package_reads(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    package = ROOT / "src" / "photochrom"
    needed = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert {path.relative_to(package.parent).as_posix() for path in needed} <= names
    assert {Path(name).suffix for name in names} >= {
        ".py",
        ".typed",
        ".html",
        ".css",
        ".js",
        ".svg",
        ".po",
        ".onnx",
        ".sha256",
    }
    assert not any(name.startswith(("tests/", "docs/")) for name in names)


def test_cases_of_a_format_whose_extra_is_missing_are_skipped(monkeypatch):
    """Other parameters of a test may be arrays, whose comparison has no truth value."""
    skipped = []
    monkeypatch.setattr(conftest, "find_spec", lambda name: None)
    for value in ("HEIF", "PNG", np.zeros(2)):
        case = SimpleNamespace(params={"value": value})
        conftest.pytest_collection_modifyitems([SimpleNamespace(callspec=case, add_marker=skipped.append)])
    assert len(skipped) == 1


@pytest.mark.slow
def test_the_benchmark_of_batches_lists_and_resumes_the_files():
    pytest.importorskip("onnx")
    command = [sys.executable, "benchmarks/batch.py", "listing", "resume", "--listed", "30", "--resumed", "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "listing: 30 files in " in done.stdout
    assert "resume: 20 finished items in " in done.stdout


@pytest.mark.parametrize("benchmark", ["film", "photo"])
def test_the_stages_that_a_benchmark_times_exist(benchmark):
    tree = ast.parse((ROOT / "benchmarks" / f"{benchmark}.py").read_text())
    stages = next(n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "_STAGES")
    for place in ast.literal_eval(stages).values():
        module, _, names = place.partition(":")
        attrgetter(names)(importlib.import_module(f"photochrom.{module}"))
