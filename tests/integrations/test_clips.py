"""Steady colours of a clip with random access."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data, transform

from photochrom import Colorizer
from photochrom.color.coding import Coding
from photochrom.integrations import clips
from photochrom.integrations.clips import ClipColorizer

COUNT = 60
CODING = Coding(8, full_range=False)


@pytest.fixture(scope="module")
def frames():
    """Return two shots of 30 frames that pan slowly, uint8 ``[COUNT, 96, 128]``."""
    found = []
    for name in ("astronaut", "coffee"):
        grey = transform.resize(getattr(data, name)()[..., 1], (120, 190), anti_aliasing=True)
        luma = np.rint(16 + 219 * grey).astype(np.uint8)
        found += [luma[8:104, 8 + i : 136 + i] for i in range(COUNT // 2)]
    return np.stack(found)


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer(device="cpu")


@pytest.fixture
def make(frames, colorizer, monkeypatch):
    """Return a function that makes clips with windows of 16 frames, and the list of frames that were read."""
    monkeypatch.setattr(clips, "WINDOW", 16)
    monkeypatch.setattr(clips, "_BEFORE", 10)
    read = []

    def luma(number):
        read.append(number)
        return frames[number]

    return lambda: (ClipColorizer(colorizer, luma, COUNT, CODING), read)


def chroma(clip, frames, number):
    return np.stack(clip.chroma(number, frames[number], (2, 2)))


@pytest.mark.slow
def test_a_frame_is_the_same_whenever_it_is_requested(make, frames):
    (one, _), (other, _) = make(), make()
    wanted = [0, 15, 16, 31, 47, 59]
    expected = {number: chroma(one, frames, number) for number in wanted}
    for number in reversed(wanted):
        np.testing.assert_array_equal(chroma(other, frames, number), expected[number])


@pytest.mark.slow
def test_every_frame_has_colours_of_its_own_shape(make, frames):
    clip, _ = make()
    for number in range(0, COUNT, 7):
        planes = chroma(clip, frames, number)
        assert planes.shape == (2, 48, 64)
        assert np.abs(planes.astype(int) - 128).max() > 5


@pytest.mark.slow
def test_colours_hold_still_across_windows_and_change_at_a_cut(make, frames):
    clip, _ = make()
    planes = np.stack([chroma(clip, frames, number) for number in range(COUNT)]).astype(float)
    steps = np.abs(np.diff(planes[..., :, :-1], axis=0)).mean((1, 2, 3))  # from each frame to the next
    within = np.delete(steps, 29)
    assert steps[29] > 3 * within.max()
    assert steps[15] < 3 * np.median(within)


@pytest.mark.slow
def test_each_frame_is_read_once_for_a_window(make, frames):
    clip, read = make()
    chroma(clip, frames, 0)
    assert read[0] == 0
    assert read == list(range(len(read)))
    read.clear()
    chroma(clip, frames, 12)
    assert read == []
