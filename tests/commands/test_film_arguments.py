"""``photochrom film`` with single shots and scans of old film: lists written and read, and what is coloured."""

import json

import pytest

from photochrom.commands.film_arguments import numbers_of
from photochrom.commands.main import main
from photochrom.errors import OptionError
from tests.helpers.films import decoded, other_shot, pan, plane, same_lumas, write_film

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def film(tmp_path):
    """Return a film of two shots, of 24 and 30 frames."""
    return write_film(
        tmp_path / "reel.mkv", pan(24) + other_shot(30), codec="ffv1", metadata={"timecode": "01:00:00:00"}
    )


def is_neutral(path):
    return [(plane(frame, 1) == 128).all() and (plane(frame, 2) == 128).all() for frame in decoded(path)]


@pytest.mark.parametrize("form", ["json", "csv", "edl"])
def test_a_list_that_was_printed_is_read_back(form, film, tmp_path, capsys):
    assert main(["film", str(film), "--list-shots", f"--{form}"]) == 0
    text = capsys.readouterr().out
    file = tmp_path / f"shots.{form}"
    file.write_text(text)
    assert main(["film", str(film), "--shots", str(file), "--list-shots"]) == 0
    assert [line.split()[1:4] for line in capsys.readouterr().out.splitlines()] == [
        ["0:00:00.000", "0:00:01.000", "24"],
        ["0:00:01.000", "0:00:02.250", "30"],
    ]
    assert ("01:00:01:00" in text) == (form == "edl")


@pytest.mark.slow
def test_a_changed_list_changes_its_shot(film, tmp_path, capsys):
    assert main(["film", str(film), "--list-shots", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    facts["shots"][0]["strength"] = 0
    (tmp_path / "shots.json").write_text(json.dumps(facts))
    again = ["film", str(film), "--codec", "ffv1", "--shots", str(tmp_path / "shots.json"), "--keep-parts"]
    assert main(again) == 0
    assert is_neutral(tmp_path / "reel.color.mkv") == [True] * 24 + [False] * 30
    assert (tmp_path / "reel.color.mkv.photochrom").is_dir()
    assert main([*again, "--only-shots", "1", "--overwrite"]) == 0
    assert all(is_neutral(tmp_path / "reel.color.mkv"))


@pytest.mark.slow
def test_a_preview_may_be_a_film(film, tmp_path, capsys):
    assert main(["film", str(film), "--preview", "-o", str(tmp_path / "p.mp4")]) == 0
    assert len(decoded(tmp_path / "p.mp4")) == 54  # both shots are shorter than the part of a long one that is shown
    assert not any(is_neutral(tmp_path / "p.mp4"))
    assert main(["film", str(film), "--preview", "-o", str(tmp_path / "p.mp4")]) == 1
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "numbers"), [(None, ()), ("3", (3,)), ("3,7-9", (3, 7, 8, 9)), (" 2, 1-2 ", (2, 1))])
def test_numbers_of_shots(text, numbers):
    assert numbers_of(text) == numbers


@pytest.mark.parametrize("text", ["", "0", "a", "3-1", "1,,2", "-2", "1-99999999"])
def test_an_invalid_list_of_numbers(text):
    with pytest.raises(OptionError, match="write numbers from 1 up"):
        numbers_of(text)


def test_one_list_for_several_films_is_refused(film, tmp_path, capsys):
    assert main(["film", str(film), "other.mkv", "--shots", "a.json"]) == 2
    assert "belongs to one film" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "status", "said"),
    [
        ("9e12", 1, "give a time up to 0:00:02.208, when its last frame begins"),
        ("1e308", 2, "shot 1: a shot's start is 1e+308: give"),
    ],
)
def test_a_shot_that_begins_beyond_all_clocks_is_reported(start, status, said, film, tmp_path, capsys):
    listed = tmp_path / "shots.json"
    listed.write_text(f'{{"photochrom": "film shots", "version": 1, "shots": [{{"start": {start}}}]}}')
    assert main(["film", str(film), "--list-shots", "--shots", str(listed)]) == status
    assert said in capsys.readouterr().err


def test_arguments_for_scans_reach_the_film(tmp_path):
    film = write_film(tmp_path / "a.mkv", pan(6), codec="ffv1")
    arguments = ["--frame", "48,0,48,64", "--negative", "--keep-titles", "--codec", "ffv1"]
    assert main(["film", str(film), *arguments]) == 0
    frame = decoded(tmp_path / "a.color.mkv")[0]
    assert (plane(frame, 2)[:, :24] == 128).all()
    assert (plane(frame, 2)[:, 24:] < 128).mean() > 0.9  # the complement of orange
    assert same_lumas(film, tmp_path / "a.color.mkv")


def test_an_invalid_place_is_reported(tmp_path, capsys):
    film = write_film(tmp_path / "a.mkv", pan(2), codec="ffv1")
    assert main(["film", str(film), "--frame", "48,0"]) == 2
    assert "write X,Y,W,H in pixels" in capsys.readouterr().err
