"""Faults of pictures, films and outputs are reported before a model is loaded, which takes long."""

import socket

import numpy as np
import pytest
from PIL import Image

from photochrom.commands.main import main
from photochrom.errors import EngineError
from photochrom.photo.write import check_picture
from tests.helpers.films import pan, write_film


@pytest.fixture
def no_model(monkeypatch):
    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", lambda *_: pytest.fail("a model was loaded"))


@pytest.fixture
def broken_model(monkeypatch):
    def fail(*_):
        raise EngineError("cannot be loaded")

    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", fail)


@pytest.fixture
def photograph(tmp_path):
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(tmp_path / "old.png")
    return tmp_path / "old.png"


@pytest.fixture
def film(tmp_path):
    path = write_film(tmp_path / "reel.mkv", pan(4), full=True, codec="ffv1")
    (tmp_path / "there.mkv").touch()
    (tmp_path / "there.png").touch()
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-o", "there.mkv"], "there.mkv: exists"),
        (["-o", "no/reel.mkv"], "there is no folder no"),
        (["-o", "reel.mkv"], "is the film itself"),
        (["-o", "reel.avi", "--codec", "ffv1"], "FFV1 in avi files cannot state full range"),
        (["-o", "reel.mp4", "--codec", "v210"], "mp4 files cannot hold v210"),
        (["--preview", "-o", "there.png"], "there.png: exists"),
        (["--frame", "90,0,20,20"], "the frame"),
        (["--start", "5"], "no frame at 0:00:05.000"),
    ],
)
def test_a_film_is_checked_first(arguments, told, film, no_model, capsys, monkeypatch):
    monkeypatch.chdir(film.parent)
    for more in ([], ["--dry-run"])[: 1 if "--preview" in arguments else 2]:
        assert main(["film", "reel.mkv", *arguments, *more]) == 1
        assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["old.png", "-o", "there.jpg"], "there.jpg: exists"),
        (["damaged.png"], "damaged.png: "),
        (["old.png", "--hint", "2:50%,50%,red"], "a hint is for page 2, which is not coloured"),
        (["two.tif", "-o", "two.png"], "holds 2 pages, which only a TIFF can hold"),
        (["two.tif", "--hint", "3:50%,50%,red"], "holds 2 pages, and a hint is for page 3"),
    ],
)
def test_a_photograph_is_checked_first(arguments, told, photograph, no_model, capsys, monkeypatch):
    monkeypatch.chdir(photograph.parent)
    picture = Image.open(photograph)
    picture.save("two.tif", save_all=True, append_images=[picture])
    picture.save("there.jpg")
    photograph.with_name("damaged.png").write_bytes(photograph.read_bytes()[:99])
    assert main(["photo", *arguments]) != 0
    printed = capsys.readouterr()
    assert told in printed.err + printed.out


def test_photographs_that_are_coloured_already_need_no_model(photograph, no_model, capsys):
    Image.open(photograph).save(photograph.with_name("old.color.png"))
    assert main(["photo", str(photograph)]) == 0
    assert "exists already: skipped" in capsys.readouterr().err


def test_a_picture_that_its_format_cannot_hold_is_refused_first(photograph, no_model, capsys, monkeypatch):
    seen = []

    def checked(photo, format):
        seen.append(format)
        check_picture(photo, format)

    monkeypatch.setattr("photochrom.photo.job.check_picture", checked)
    Image.fromarray(np.zeros((1, 70_000), np.uint8)).save(photograph)
    assert main(["photo", str(photograph), "-o", str(photograph.with_suffix(".jpg"))]) == 1
    assert seen == ["JPEG"]
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("verb", ["photo", "film"])
def test_a_model_that_cannot_be_loaded_ends_the_command(verb, photograph, film, broken_model, capsys, tmp_path):
    """It is not reported once for each file, and leaves no empty folder."""
    first = photograph if verb == "photo" else film
    second = first.with_stem("other")
    second.write_bytes(first.read_bytes())
    assert main([verb, str(first), str(second), "-o", f"{tmp_path / 'new'}/"]) == 1
    assert capsys.readouterr().err == "photochrom: cannot be loaded\n"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("verb", ["photo", "film"])
def test_a_wrong_name_of_a_model_is_reported_even_if_nothing_is_to_be_coloured(verb, photograph, film, capsys):
    Image.open(photograph).save(photograph.with_name("old.color.png"))
    source = photograph if verb == "photo" else film.with_name("none.mkv")
    assert main([verb, str(source), "--model", "artistic"]) == 1
    error = capsys.readouterr().err
    assert "there is no model 'artistic': give an .onnx file, or one of default, reference" in error
    assert error.count("\n") == 1


def test_the_address_of_the_studio_is_checked_first(no_model, capsys):
    pytest.importorskip("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert main(["studio", "--port", str(other.getsockname()[1])]) == 1
    assert "cannot listen at" in capsys.readouterr().err


@pytest.mark.training
def test_the_photographs_for_an_evaluation_are_found_first(tmp_path, no_model, capsys):
    assert main(["evaluate", str(tmp_path)]) == 1
    assert "photographs" in capsys.readouterr().err
