"""Folders of outputs: what is in their place is named, by every verb with the same words."""

import json
import os

import pytest
from PIL import Image

from photochrom import FilmError, OptionError, PhotoError, color_batch, colorize_file, colorize_film
from photochrom.commands.main import main
from photochrom.output_folders import check_folder, create_folder, needed_folder
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
