"""Faults of the machine: too little memory, disk space or file handles, no permission, closed outputs.

Whatever happens is told in one line each, without a traceback, and what is on the disk is whole.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom.errors import FilmError, PhotochromError
from photochrom.film import FilmOptions, colorize_film
from photochrom.machine import lacks_memory
from photochrom.photo import colorize_photo
from tests.helpers.crash_points import temporary_files
from tests.helpers.fakes import tiny_model
from tests.helpers.films import decoded, pan, write_film

pytest.importorskip("onnx")
resource = pytest.importorskip("resource", reason="limits are POSIX")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="others do not enforce the limit")
VERBS = ("photo", "film", "batch")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Return a folder with three photographs, a film and a model."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "box").mkdir()
    for number, end in enumerate(("jpg", "png", "tif")):
        Image.fromarray(pan(1, 300, 200)[0]).save(folder / "box" / f"{number}.{end}")
    write_film(folder / "a.mp4", pan(20), sound="aac")
    tiny_model(folder / "tiny.onnx")
    return folder


def call(work, verb, out, **how):
    """Run a command on the fixture's files; its outputs are below ``out``."""
    source, target = {
        "photo": ("box", out / "photos"),
        "film": ("a.mp4", out / "a.mkv"),
        "batch": ("box", out / "batch"),
    }[verb]
    command = [sys.executable, "-m", "photochrom", verb, work / source, "-o", target, "--model", work / "tiny.onnx"]
    if verb == "batch":
        command += ["--workers", "1"]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how
    return subprocess.run(command, timeout=600, **how)


def check(done, out):
    """Check that no incomplete file is left, and that errors are lines that begin with the program's name."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1, 2), done
    assert not temporary_files(out)
    for path in out.rglob("*.color.*"):
        with Image.open(path) as image:
            image.load()
    if (out / "a.mkv").exists():
        assert len(decoded(out / "a.mkv")) == 20


@LINUX
@pytest.mark.parametrize("megabytes", [150, 500, 1000])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_little_memory(verb, megabytes, work, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    done = call(work, verb, tmp_path, preexec_fn=limit)
    check(done, tmp_path)
    assert done.returncode == 0 or "memory" in done.stderr, done.stderr


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_few_open_files(verb, work, tmp_path):
    done = call(work, verb, tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32)))
    check(done, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_too_few_open_files_are_not_the_fault_of_the_film(work, tmp_path):
    done = call(work, "film", tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8)))
    check(done, tmp_path)
    assert done.stderr.endswith("cannot be written (Too many open files): make room there\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_an_output_that_cannot_be_written(verb, work, tmp_path):
    with Path("/dev/full").open("w") as full:
        done = call(work, verb, tmp_path, stdout=full)
    check(done, tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("cannot write (No space left on device)\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_that_cannot_be_printed_fails(option, unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "photochrom", option]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (done.returncode, done.stderr) == (1, "photochrom: cannot write (No space left on device)\n")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("arguments", "status"), [(["photo", "nowhere.jpg"], 1), (["photo", "--bad"], 2), (["batch", "nowhere"], 2)]
)
def test_an_unwritable_standard_error_does_not_change_the_status(arguments, status):
    with Path("/dev/full").open("w") as full:
        assert subprocess.run([sys.executable, "-m", "photochrom", *arguments], stderr=full).returncode == status


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.slow
def test_a_batch_continues_with_its_output_closed(work, tmp_path):
    (tmp_path / "box").mkdir()
    (tmp_path / "box" / "bad.jpg").write_bytes(b"no photograph")
    shutil.copy(work / "box" / "0.jpg", tmp_path / "box" / "good.jpg")
    command = [sys.executable, "-m", "photochrom", "batch", tmp_path / "box", "-o", tmp_path / "out"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*command, "--model", work / "tiny.onnx", "--workers", "1"], stderr=full, timeout=600)
    assert done.returncode == 1
    assert (tmp_path / "out" / "good.color.jpg").is_file()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_a_closed_output(verb, work, tmp_path):
    done = call(work, verb, tmp_path, stdout=None, preexec_fn=lambda: os.close(1))
    check(done, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_a_full_disk(verb, work, small_disk):
    (small_disk / "ballast").write_bytes(bytes(2 * 1024 * 1024 - 8_000))
    done = call(work, verb, small_disk)
    check(done, small_disk)
    assert done.returncode
    assert re.search("No space left|disk is full", done.stdout + done.stderr), done
    (small_disk / "ballast").unlink()
    check(done := call(work, verb, small_disk), small_disk)
    assert done.returncode == 0, done.stderr  # once there is space again, the same command finishes


def without_privileges():
    """Take root's right to ignore permissions away."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@LINUX
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_a_folder_that_may_not_be_written(verb, work, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    if subprocess.run(["touch", locked / "x"], preexec_fn=without_privileges, capture_output=True).returncode == 0:
        pytest.skip("this machine does not enforce permissions")
    done = call(work, verb, locked, preexec_fn=without_privileges)
    check(done, locked)
    assert done.returncode
    assert "ermission denied" in done.stderr, done.stderr
    assert list(locked.iterdir()) == []


def test_a_folder_that_vanishes_is_reported(tmp_path, fake_colorizer):
    source = write_film(tmp_path / "a.mp4", pan(30))
    (tmp_path / "out").mkdir()
    gone = False

    def vanish(state):
        nonlocal gone
        if state.done == 10 and not gone:
            gone = True
            shutil.rmtree(tmp_path / "out")

    with pytest.raises(FilmError, match=r"cannot be written \(No such file or directory\)"):
        colorize_film(
            source, tmp_path / "out" / "b.mp4", FilmOptions(preset="ultrafast"), colorizer=fake_colorizer,
            progress=vanish,
        )  # fmt: skip
    Image.fromarray(pan(1)[0]).save(tmp_path / "a.png")
    with pytest.raises(PhotochromError, match=r"does not exist|no folder"):
        colorize_photo(tmp_path / "a.png", tmp_path / "out" / "a.png", colorizer=fake_colorizer)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("can't start new thread"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (RuntimeError("[CPU] Convolution node with name 'ab' can't alloc"), True),
        (RuntimeError("Unable to allocate 12 MiB for an array"), True),
        (RuntimeError("Failed to allocate 32212254720 bytes of memory"), True),
        (OSError(28, "No space left on device"), False),
        (ValueError("the allocation table is damaged"), False),
        (np.exceptions.AxisError("memory"), False),
    ],
)
def test_lack_of_memory_is_known_in_all_its_words(error, expected):
    assert lacks_memory(error) is expected


BLAS = """
import os, sys
class Imports:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_NUM_THREADS"))
sys.meta_path.insert(0, Imports())
from photochrom.commands.main import main
main([sys.argv[1], "missing.file"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["photo", "film"])
@pytest.mark.parametrize(("chosen", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_blas_threads_are_limited_before_numpy_is_imported(verb, chosen, expected, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"} | chosen
    command = [sys.executable, "-c", BLAS, verb]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.stdout.split()[:1] == [expected], done.stderr
