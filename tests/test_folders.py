"""Folders of outputs: what is in their place is named, by every verb with the same words."""

import pytest

from photochrom.commands.main import main
from photochrom.errors import PhotoError
from photochrom.folders import check_folder, create_folder
from tests.helpers.films import pan, write_film

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
    monkeypatch.chdir(tmp_path)
    (tmp_path / "note").write_text("mine")
    write_film(tmp_path / "old.mkv", pan(2))
    assert main(FOR_EVERY_VERB[verb]) in (1, 2)
    assert ": note is a file, not a folder: choose another output\n" in capsys.readouterr().err


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
