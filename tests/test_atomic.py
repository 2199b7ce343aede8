"""Atomic file writes: a file appears complete or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from photochrom import atomic
from photochrom.atomic import new_file, new_path, temporary_folder
from photochrom.batch import Item
from photochrom.batch.coloring import local_copy
from photochrom.film import colorize_film
from photochrom.photo import colorize_photo
from tests.helpers.films import pan, write_film
from tests.helpers.photographs import saved


def write(path: Path, text: str, *, overwrite: bool = False) -> None:
    with new_file(path, overwrite=overwrite) as stream:
        stream.write(text.encode())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_gets_its_name_only_when_complete(tmp_path):
    path = tmp_path / "a.txt"
    with new_file(path, overwrite=False) as stream:
        stream.write(b"half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert names(tmp_path) == ["a.txt"]


def test_after_an_error_no_part_is_left_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.txt"
    write(path, "old")
    for manager in (new_file, new_path):
        with pytest.raises(ZeroDivisionError), manager(path, overwrite=True):
            1 / 0  # noqa: B018
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_name_that_is_taken_meanwhile_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(FileExistsError), new_file(path, overwrite=False):
        path.write_text("somebody else's")
    assert path.read_text() == "somebody else's"
    write(path, "new", overwrite=True)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_a_disk_without_hard_links(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError("no hard links")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write(tmp_path / "a.txt", "new")
    with pytest.raises(FileExistsError):
        write(tmp_path / "a.txt", "newer")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_code_that_writes_by_name_gets_a_name_with_the_ending_it_needs(tmp_path):
    with new_path(tmp_path / "model.onnx", overwrite=False, suffix=".onnx") as part:
        assert part.parent == tmp_path
        assert part.suffix == ".onnx"
        part.write_bytes(b"weights")
    assert (tmp_path / "model.onnx").read_bytes() == b"weights"


def test_code_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), new_path(tmp_path / "a", overwrite=True):
        pass
    assert not names(tmp_path)


@pytest.fixture(scope="module")
def ended() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def part_of(process: int, host: str | None = None) -> str:
    return f".photochrom-{host or atomic._host()}-{process}-00000000.part"


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not looked for there")
def test_files_left_by_a_killed_process_are_removed_by_the_next(ended, tmp_path):
    other_machine = part_of(ended, host="feedbeef")
    old = part_of(os.getpid(), host="0ddba11a")
    for name in (part_of(ended), part_of(os.getpid()), part_of(1), other_machine, old):
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / old, (0, 0))
    write(tmp_path / "a.txt", "whole")
    assert names(tmp_path) == sorted(["a.txt", part_of(os.getpid()), part_of(1), other_machine])


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not looked for there")
def test_a_temporary_file_that_disappears_meanwhile_does_not_keep_the_others(ended, tmp_path, monkeypatch):
    """Other processes give their files their final names at any time."""
    left = [tmp_path / f"{part_of(ended)}{number}" for number in range(3)]
    for path in left:
        path.write_text("half")
    is_abandoned, seen = atomic._is_abandoned, []

    def removed_first(entry, prefix):
        seen.append(entry.name)
        if len(seen) == 1:
            Path(entry.path).unlink()
        return is_abandoned(entry, prefix)

    monkeypatch.setattr(atomic, "_is_abandoned", removed_first)
    write(tmp_path / "a.txt", "whole")
    assert (sorted(seen), names(tmp_path)) == ([path.name for path in left], ["a.txt"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_process_that_waits_for_its_parent_to_notice_its_end_has_ended():
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        process.stdout.read()  # its end of the pipe is closed, so it has ended or is about to
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not atomic._is_alive(process.pid)


def test_a_temporary_folder_goes_with_its_process_or_with_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    code = f"""
import os, signal, tempfile
tempfile.tempdir = {str(tmp_path)!r}
from photochrom.atomic import temporary_folder
with temporary_folder("studio") as folder:
    (folder / "upload").write_text("private")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    (left,) = tmp_path.iterdir()
    other = tmp_path / "studio-of-somebody-else"
    other.mkdir()
    with temporary_folder("studio") as first, temporary_folder("studio") as second:
        assert not left.exists()
        assert first != second
        assert (first.is_dir(), second.is_dir()) == (True, True)  # both belong to a process that lives
    assert names(tmp_path) == [other.name]


def color_a_film(folder, colorizer):
    colorize_film(write_film(folder / "a.mkv", pan(2), codec="ffv1"), None, colorizer=colorizer)


def color_a_jpeg_with_colours(folder, colorizer):
    pytest.importorskip("jpeglib")
    colorize_photo(saved(np.full((64, 64, 3), 99, np.uint8), "JPEG"), folder / "a.jpg", colorizer=colorizer)


def copy_a_remote_photograph(folder, _):
    system = pytest.importorskip("fsspec").filesystem("memory")
    system.pipe("/a.jpg", b"photograph")
    with local_copy(Item("a.jpg", "memory://a.jpg")) as path:
        assert path.read_bytes() == b"photograph"
    system.store.clear()


@pytest.mark.parametrize(
    ("name", "work"),
    [("film", color_a_film), ("jpeg", color_a_jpeg_with_colours), ("batch", copy_a_remote_photograph)],
)
def test_temporary_folders_of_killed_processes_are_removed(name, work, ended, tmp_path, fake_colorizer, monkeypatch):
    system = tmp_path / "system"
    monkeypatch.setattr("tempfile.tempdir", str(system))
    left = system / f"photochrom-{name}-{atomic._host()}-{ended}-0123abcd"
    left.mkdir(parents=True)
    work(tmp_path, fake_colorizer)
    assert not list(system.iterdir())
