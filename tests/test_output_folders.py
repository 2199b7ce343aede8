"""Folders of outputs: what is in their place is named, by every verb with the same words."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photochrom import FilmError, OptionError, PhotoError, color_batch, colorize_file, colorize_film
from photochrom.batch.options import BatchOptions
from photochrom.commands.main import main
from photochrom.commands.photo_jobs import find_jobs
from photochrom.output_folders import check_folder, check_future_folder, create_folder, needed_folder
from photochrom.photo import OutputOptions
from photochrom.photo.inspection import is_in_color
from tests.helpers.films import pan, write_film
from tests.helpers.permissions import as_nobody, public_folder

FOR_EVERY_VERB = {
    "film": ["film", "old.mkv", "-o", "note/new.mkv"],
    "preview": ["film", "old.mkv", "--preview", "-o", "note/new.png"],
    "batch": ["batch", ".", "-o", "note/new"],
    "figures": ["evaluate", ".", "--json", "note/new.json"],
    "page": ["evaluate", ".", "--html", "note/new.html"],
    "sheet": ["evaluate", ".", "--sheet", "note/new.png"],
    "certificates": ["c2pa", "init", "note/new", "--name", "A", "--organization", "B"],
}


@pytest.mark.parametrize("verb", FOR_EVERY_VERB)
def test_a_file_in_place_of_the_folder_is_named_by_every_verb(verb, tmp_path, monkeypatch, capsys):
    if verb == "certificates":
        pytest.importorskip("cryptography")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note").write_text("mine")
    write_film(tmp_path / "old.mkv", pan(2))
    assert main(FOR_EVERY_VERB[verb]) in (1, 2)
    said = capsys.readouterr().err.replace(f"{tmp_path}{os.sep}", "")  # 'batch' names the whole path
    assert ": note is a file, not a folder: choose another output\n" in said


def test_a_missing_folder(tmp_path):
    with pytest.raises(PhotoError, match=f"^{tmp_path}/a/b/c: there is no folder {tmp_path}/a/b: create it first$"):
        check_folder(tmp_path / "a" / "b" / "c", PhotoError)
    create_folder(tmp_path / "a" / "b", PhotoError)
    check_folder(tmp_path / "a" / "b" / "c", PhotoError)


@pytest.mark.parametrize("place", ["link", "link/deep"])
def test_a_broken_link_in_place_of_the_folder(place, tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(PhotoError, match=f": {tmp_path}/link is a link that leads nowhere: choose another output$"):
        check_folder(tmp_path / place / "new", PhotoError)
    with pytest.raises(PhotoError, match="is a link that leads nowhere"):
        create_folder(tmp_path / place, PhotoError)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_names_that_no_file_can_have(name, tmp_path):
    """Python raises a bare ValueError for them."""
    write_film(tmp_path / "old.mkv", pan(2))
    Image.new("L", (8, 8)).save(tmp_path / "old.png")
    for source, output in [(name, None), ("old.png", name), ("old.png", f"{name}/new.png")]:
        with pytest.raises(PhotoError, match=r"has a character that no file name can have: choose another name$"):
            colorize_file(tmp_path / source, output and tmp_path / output)
    with pytest.raises(FilmError, match="has a character that no file name can have"):
        colorize_film(tmp_path / "old.mkv", tmp_path / f"{name}.mkv")
    with pytest.raises(OptionError, match="has a character that no file name can have"):
        color_batch(tmp_path, tmp_path / name)
    (tmp_path / "list.jsonl").write_text(json.dumps({"path": f"{name}.png"}))
    with pytest.raises(OptionError, match="has a character that no file name can have"):
        color_batch(tmp_path / "list.jsonl", tmp_path / "new")


def test_an_output_with_too_long_a_name(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "old.png")
    with pytest.raises(PhotoError, match=r"has too long a name: shorten it$"):
        colorize_file(tmp_path / "old.png", tmp_path / ("a" * 300))


def test_a_folder_that_may_not_be_entered_is_named_with_a_remedy():
    with public_folder() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0)
        denied = r"\(Permission denied\): choose another output$"
        with as_nobody():
            with pytest.raises(PhotoError, match=rf"closed/a/b: cannot be written {denied}"):
                check_folder(closed / "a" / "b", PhotoError)
            with pytest.raises(PhotoError, match=rf"closed/a: the folder cannot be created {denied}"):
                create_folder(closed / "a", PhotoError)
            with pytest.raises(PhotoError, match=denied), needed_folder(closed / "a", PhotoError):
                pass
        closed.chmod(0o700)


READ_ONLY = r"cannot be written \(Permission denied\): ask for permission, or choose another output$"


def test_a_folder_that_may_not_be_written_is_named_with_a_remedy():
    with public_folder() as folder:
        check_future_folder(folder / "new" / "deep", PhotoError)
        with as_nobody():
            for check in (check_future_folder, create_folder):
                with pytest.raises(PhotoError, match=f"^{folder}: {READ_ONLY}"):
                    check(folder, PhotoError)
            for check, path in ((check_folder, folder / "a.jpg"), (check_future_folder, folder / "new" / "deep")):
                with pytest.raises(PhotoError, match=f"^{folder}: {READ_ONLY}"):
                    check(path, PhotoError)


def test_a_disk_that_is_read_only(tmp_path, monkeypatch):
    flags = os.statvfs_result((0,) * 8 + (os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(os, "statvfs", lambda _: flags)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PhotoError, match=rf"^{tmp_path}: cannot be written \(Read-only file system\): ") as caught:
        check_folder(Path("a.jpg"), PhotoError)
    assert caught.value.__cause__.errno == errno.EROFS  # by which a batch recognises that nothing can be written


def test_a_disk_that_does_not_exist_is_left_to_the_creation_of_the_folder(monkeypatch):
    """On Windows, no parent of a path on such a disk exists."""
    with monkeypatch.context() as windows:
        for name in ("isdir", "exists", "islink"):
            windows.setattr(os.path, name, lambda _: False)
        check_future_folder(Path("Z:", "new"), PhotoError)


def forbid_models(monkeypatch):
    def load(*_):
        pytest.fail("a model was loaded")

    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer.__init__", load)


def test_photographs_in_a_folder_that_may_not_be_written_are_refused_before_a_model_is_loaded(monkeypatch, capsys):
    forbid_models(monkeypatch)
    with public_folder() as folder:
        for name in ("a.jpg", "b.jpg"):
            Image.new("L", (8, 8)).save(folder / name)
        (folder / "config.toml").touch()
        monkeypatch.setenv("PHOTOCHROM_CONFIG", str(folder / "config.toml"))
        told = f"photochrom: {folder}: cannot be written (Permission denied): ask for permission, or choose"
        for inputs in ([folder], [folder / "a.jpg", folder / "b.jpg"], [folder / "a.jpg", "-o", f"{folder}/new/"]):
            with as_nobody():
                assert main(["photo", *map(str, inputs)]) == 1
            assert capsys.readouterr().err.startswith(told)
        with as_nobody(), pytest.raises(PhotoError, match=READ_ONLY):
            colorize_file(folder / "a.jpg")


def test_photographs_that_are_coloured_already_need_no_right_to_write():
    with public_folder() as folder:
        for name in ("a.jpg", "a.color.jpg", "b.jpg"):
            Image.new("L", (8, 8)).save(folder / name)
        names = [str(folder / name) for name in ("a.jpg", "missing.jpg")]
        with as_nobody():
            assert [job.source for job in find_jobs(names, None, OutputOptions())[0]] == names
            jobs, _, errors = find_jobs(names, None, OutputOptions(overwrite=True))
        assert [job.source for job in jobs] == names[1:]  # the reading reports that it is missing
        assert [str(error.path) for error in errors] == [str(folder)]


def test_photographs_in_colour_need_no_right_to_write():
    colors = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    with public_folder() as folder:
        Image.fromarray(colors).save(folder / "a.png")
        assert is_in_color(folder / "a.png")  # as root, who may import what this needs
        for recolor, errors in ((False, 0), (True, 1)):
            with as_nobody():
                found = find_jobs([str(folder)], None, OutputOptions(), recolor=recolor)
            assert (len(found[0]), len(found[2])) == (1 - errors, errors)
        Image.new("L", (8, 8)).save(folder / "b.png")
        with as_nobody():
            jobs, _, (error,) = find_jobs([str(folder)], None, OutputOptions())
        assert [job.source for job in jobs] == [str(folder / "a.png")]
        assert error.path == folder


def test_a_batch_whose_report_is_elsewhere_examines_its_target_first(tmp_path, monkeypatch):
    forbid_models(monkeypatch)
    with public_folder() as folder:
        Image.new("L", (8, 8)).save(folder / "a.jpg")
        (folder / "report").mkdir()
        (folder / "report").chmod(0o777)
        (folder / "model.onnx").touch()
        options = BatchOptions(model=str(folder / "model.onnx"), report=folder / "report", workers=1)
        with as_nobody(), pytest.raises(OptionError, match=f"^{folder}: {READ_ONLY}"):
            color_batch(folder, folder / "new", options)


def test_a_batch_may_write_subfolders_of_a_target_that_may_not_be_written(tmp_path, fake_colorizer, monkeypatch):
    target, access = tmp_path / "new", os.access
    for folder in (tmp_path / "scans" / "box", target / "box"):
        folder.mkdir(parents=True)
    Image.new("L", (64, 64)).save(tmp_path / "scans" / "box" / "a.png")
    monkeypatch.setattr(os, "access", lambda path, *args, **how: path != target and access(path, *args, **how))
    options = BatchOptions(report=tmp_path / "report")
    summary = color_batch(tmp_path / "scans", target, options, colorizer=fake_colorizer)
    assert (summary.colored, summary.failed) == (1, 0)
