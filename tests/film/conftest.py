"""What the tests of films share."""

import pytest


@pytest.fixture
def short_segments(monkeypatch):
    """Segments of half a second to one."""
    monkeypatch.setattr("photochrom.film.coloring._SHORTEST", 0.5)
    monkeypatch.setattr("photochrom.film.coloring._LONGEST", 1)
