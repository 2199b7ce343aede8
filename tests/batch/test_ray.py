"""Ray on this machine: the same rows as from local processes, and actors that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from photochrom.batch import color_batch
from photochrom.batch.report import read_rows
from photochrom.errors import PhotochromError
from tests.batch.conftest import scan

SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray")
    path = os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": {"PYTHONPATH": path}},
        )
        yield ray
        ray.shutdown()


def facts(target):
    """Return rows by key, each key once, without the fields that differ from run to run."""
    rows = list(read_rows(target / "report.jsonl"))
    assert len(rows) == len({row.key for row in rows})
    return {row.key: replace(row, seconds=0.0, finished="") for row in rows}


@pytest.fixture
def scans(tmp_path):
    for number in range(60):
        scan(tmp_path / "scans" / f"{number:02}.jpg", number)
    (tmp_path / "scans" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    return tmp_path / "scans"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_actors_give_the_results_of_local_processes(cluster, scans, tmp_path, options):
    local = color_batch(scans, tmp_path / "local", replace(options, workers=2))
    ray = color_batch(scans, tmp_path / "ray", replace(options, workers=2, ray=True))
    assert (ray.colored, ray.failed, ray.status) == (local.colored, local.failed, local.status) == (60, 1, 1)
    assert facts(tmp_path / "ray") == facts(tmp_path / "local")
    assert color_batch(scans, tmp_path / "ray", replace(options, workers=2, ray=True)).done_before == 60


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_killed_actor_loses_and_duplicates_no_item(cluster, scans, tmp_path, options):
    killed = []

    def kill(_, row):
        if row is not None and not killed:
            killed.extend(actors())
            os.kill(killed[0], signal.SIGKILL)

    summary = color_batch(scans, tmp_path / "out", replace(options, workers=2, ray=True), progress=kill)
    assert killed
    assert (summary.colored, summary.failed) == (60, 1)
    assert len(facts(tmp_path / "out")) == 61
    assert len(list((tmp_path / "out").glob("*.color.jpg"))) == 60


def actors():
    """Return the process ids of the actors of this process's cluster that colour."""
    found = []
    for identity in descendants(os.getpid()):
        try:
            text = Path(f"/proc/{identity}/cmdline").read_bytes()
        except OSError:
            continue
        if text.startswith(b"ray::") and (b"MapWorker" in text or b"_RayColorist" in text or b"MapBatches" in text):
            found.append(identity)
    return found


def descendants(process):
    """Return the process ids of the children of a process, of their children, and so on."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [process]
    for each in found:
        found += children.get(each, [])
    return found[1:]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_only_processes_below_this_one_count_as_its_own():
    started = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", started], stdin=subprocess.PIPE) as one:
        while len(found := descendants(one.pid)) < 1:
            assert one.poll() is None
        assert {one.pid, *found} <= set(descendants(os.getpid()))
        assert not {os.getpid(), os.getppid(), one.pid} & set(found)
        one.communicate(b"\n")
    assert one.pid not in descendants(os.getpid())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_cannot_be_loaded_is_reported_in_one_line(cluster, scans, tmp_path, options):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a model")
    with pytest.raises(PhotochromError, match=r"bad\.onnx") as caught:
        color_batch(scans, tmp_path / "out", replace(options, model=str(bad), ray=True))
    assert "\n" not in str(caught.value)


def test_without_ray(scans, tmp_path, options, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PhotochromError, match=r"pip install 'photochrom\[ray\]'"):
        color_batch(scans, tmp_path / "out", replace(options, ray=True))
