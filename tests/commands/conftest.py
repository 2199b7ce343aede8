"""A folder of photographs, and models with known answers."""

import pytest
from PIL import Image
from skimage import data

from tests.helpers.films import colorizer
from tests.helpers.suggesting import hinting_engine


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two grey photographs."""
    Image.fromarray(data.camera()).save(tmp_path / "a.jpg")
    Image.fromarray(data.camera()[::2, ::3]).save(tmp_path / "b.png")
    return tmp_path


@pytest.fixture
def hinting(tmp_path_factory, monkeypatch):
    """Return options that choose a fake model, and the hints that its network was given in each run."""
    runs = []
    path = tmp_path_factory.mktemp("model") / "hinting.onnx"
    path.write_bytes(b"hinting")
    monkeypatch.setattr("photochrom.colorizer.colorizer.open_engine", lambda *_: hinting_engine(runs))
    return ["--model", str(path)], runs


@pytest.fixture
def no_network(tmp_path_factory, monkeypatch):
    """Replace the model by a colorizer that makes everything orange."""
    ready = colorizer(tmp_path_factory.mktemp("model"), lambda _: (30, 40))
    monkeypatch.setattr("photochrom.colorizer.colorizer.Colorizer", lambda *_: ready)
