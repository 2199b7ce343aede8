"""Fixtures shared by tests of films."""

import pytest

from tests.helpers.films import colorizer


@pytest.fixture
def short_segments(monkeypatch):
    """Use segments of half a second to one second."""
    monkeypatch.setattr("photochrom.film.coloring._SHORTEST", 0.5)
    monkeypatch.setattr("photochrom.film.coloring._LONGEST", 1)


@pytest.fixture
def red(tmp_path):
    """Return a colorizer that makes everything reddish."""
    return colorizer(tmp_path, lambda _: (20, 15))


@pytest.fixture
def grey_colorizer(tmp_path):
    """Return a colorizer that predicts grey everywhere, so that all colours come from hints."""
    return colorizer(tmp_path, lambda _: (0, 0))
