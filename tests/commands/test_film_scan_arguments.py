"""``photochrom film`` with scans of old film."""

import pytest

from photochrom.commands.main import main
from tests.helpers.films import colorizer, decoded, pan, plane, same_lumas, write_film


@pytest.fixture(autouse=True)
def no_network(tmp_path_factory, monkeypatch):
    ready = colorizer(tmp_path_factory.mktemp("model"), lambda _: (30, 40))
    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", lambda *_: ready)


def test_the_arguments_reach_the_film(tmp_path):
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
