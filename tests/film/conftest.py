"""Fixtures shared by tests of films."""

import pytest


@pytest.fixture
def short_segments(monkeypatch):
    """Use segments of half a second to one second."""
    monkeypatch.setattr("photochrom.film.coloring._SHORTEST", 0.5)
    monkeypatch.setattr("photochrom.film.coloring._LONGEST", 1)
