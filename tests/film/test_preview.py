"""Previews: which frames of a shot they show."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from photochrom.film.preview import _shots


@pytest.mark.parametrize(
    ("stills", "shown"),
    [
        (set(), [0, 16, 32, 48, 64, 80, 96]),
        ({3}, [0, 3, 16, 32, 48, 64, 80, 96]),
        ({0, 5, 6}, [0, 5, 6, 16, 32, 48, 64, 80, 96]),
    ],
)
def test_frames_are_evenly_spaced_whichever_have_stills(stills, shown):
    reader = SimpleNamespace(seconds=Fraction, rate=Fraction(1))
    prepared = [(SimpleNamespace(pts=pts), pts == 0) for pts in range(100)]
    colorizer = SimpleNamespace(reader=reader, stills=stills, prepared_part=lambda *_: prepared)
    ((shot, frames),) = _shots(colorizer, None, keep=8)
    assert ([frame.pts for frame in frames], shot.frames) == (shown, 100)
