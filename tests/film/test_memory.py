"""Memory does not grow with a film's length, and large frames wait in small numbers."""

import weakref
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from photochrom.color.coding import Coding
from photochrom.film import FilmOptions, colorize_film, propagation, shots
from photochrom.film.coloring import _BURST, _WAITING
from photochrom.film.frames import FrameColorizer
from photochrom.film.planes import PlaneFormat
from tests.helpers.films import pan, write_film


def painter_of(width, height, bits, subsampling, colorizer):
    reel = SimpleNamespace(width=width, height=height, aspect=Fraction(1), turns=0)
    planes = PlaneFormat("", subsampling, Coding(bits, full_range=False), 1, converted=False)
    return FrameColorizer(colorizer, reel, planes, FilmOptions())


@pytest.mark.parametrize(
    ("width", "height", "bits", "subsampling", "ahead"),
    [
        (720, 576, 8, (2, 2), propagation.AHEAD),
        (1920, 1080, 8, (2, 2), propagation.AHEAD),
        (1920, 1080, 10, (1, 1), 1),
        (3840, 2160, 10, (2, 2), 1),
        (8192, 4320, 12, (1, 1), 1),
    ],
)
def test_the_larger_the_frames_the_fewer_wait(width, height, bits, subsampling, ahead, fake_colorizer):
    painter = painter_of(width, height, bits, subsampling, fake_colorizer)
    assert painter._ahead() == ahead


@pytest.mark.slow
def test_frames_are_let_go_when_they_are_written(tmp_path, fake_colorizer, monkeypatch):
    """Of a long shot, too."""
    alive, most = set(), 0
    see = FrameColorizer.prepare

    def watched(self, frame):
        nonlocal most
        seen = see(self, frame)
        number = seen.pts
        alive.add(number)
        weakref.finalize(seen, alive.discard, number)
        most = max(most, len(alive))
        return seen

    monkeypatch.setattr(FrameColorizer, "prepare", watched)
    source = write_film(tmp_path / "a.mkv", pan(200), codec="ffv1")
    colorize_film(source, None, FilmOptions(preset="ultrafast"), colorizer=fake_colorizer)
    assert most <= propagation.reach(propagation.AHEAD) + shots.REACH + _BURST + _WAITING + 4
    assert len(alive) <= 1


@pytest.mark.slow
def test_packets_of_a_segment_are_written_as_they_come(tmp_path, fake_colorizer):
    """Lossless ones of half a minute would fill the memory."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 120, 160), np.uint8)
    source = write_film(tmp_path / "a.mkv", noise, codec="ffv1")
    sizes = []

    def progress(_):
        (segment,) = (tmp_path / "a.color.mkv.photochrom").glob("*.nut")
        sizes.append(segment.stat().st_size)

    colorize_film(source, None, FilmOptions(codec="ffv1"), colorizer=fake_colorizer, progress=progress)
    assert 0 < sizes[30] < sizes[59] / 1.5
