"""Photochrom in VapourSynth."""

from __future__ import annotations

import numpy as np
import pytest

from photochrom import Colorizer, EngineError, FilmError
from photochrom.integrations.vapoursynth import colorize

vs = pytest.importorskip("vapoursynth", reason="needs VapourSynth: pip install vapoursynth")

FORMATS = ("GRAY8", "GRAY10", "GRAY16", "YUV420P8", "YUV422P10", "YUV444P16")


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer(device="cpu")


@pytest.fixture
def make():
    """Return a function that makes clips of two shots of 12 frames each."""

    def make(name="YUV420P8", size=(128, 96)):
        core, target = vs.core, getattr(vs, name)
        shots = []
        for seed in (0, 1):
            generator = np.random.default_rng(seed)
            coarse = np.kron(generator.integers(40, 220, (6, 8)), np.ones((16, 16))).astype(np.uint8)
            blank = core.std.BlankClip(width=128, height=96, format=vs.GRAY8, length=12)

            def paint(n, f, coarse=coarse):
                frame = f.copy()
                np.asarray(frame[0])[...] = coarse
                return frame

            shots.append(core.std.ModifyFrame(blank, blank, paint))
        return core.resize.Bicubic(
            core.std.Splice(shots), *size, format=target, matrix_s="170m" if "YUV" in name else None
        )

    return make


def planes(clip, number):
    frame = clip.get_frame(number)
    return [np.asarray(frame[plane]).copy() for plane in range(frame.format.num_planes)]


@pytest.mark.parametrize("name", FORMATS)
def test_the_luma_is_untouched_and_there_are_colours(make, colorizer, name):
    clip = make(name)
    colored = colorize(clip, colorizer=colorizer)
    assert (colored.num_frames, colored.width, colored.height) == (clip.num_frames, clip.width, clip.height)
    assert colored.format.bits_per_sample == clip.format.bits_per_sample
    for number in (13, 0):
        luma, *chroma = planes(colored, number)
        np.testing.assert_array_equal(luma, planes(clip, number)[0])
        neutral = 1 << (clip.format.bits_per_sample - 1)
        assert len(chroma) == 2
        assert max(np.abs(plane.astype(int) - neutral).max() for plane in chroma) > neutral / 64


def test_frames_are_the_same_in_any_order_and_at_once(make, colorizer):
    clip = make()
    colored = colorize(clip, colorizer=colorizer)
    forward = [planes(colored, number) for number in range(clip.num_frames)]
    other = colorize(clip, colorizer=colorizer)
    at_once = [f.result() for f in [other.get_frame_async(n) for n in reversed(range(clip.num_frames))]]
    for frame, expected in zip(reversed(at_once), forward, strict=True):
        for plane in range(3):
            np.testing.assert_array_equal(np.asarray(frame[plane]), expected[plane])


def test_each_field_has_its_own_chroma(make, colorizer):
    clip = make()
    whole = planes(colorize(clip, colorizer=colorizer), 0)
    fields = planes(colorize(vs.core.std.SetFieldBased(clip, 2), colorizer=colorizer), 0)
    top = planes(colorize(vs.core.std.SetFieldBased(clip, 0), colorizer=colorizer), 0)
    assert np.array_equal(fields[0], whole[0])
    assert np.array_equal(top[1], whole[1])
    assert not np.array_equal(fields[1], whole[1])
    assert np.abs(fields[1].astype(int) - whole[1]).mean() < 3


def test_shots_may_be_given(make, colorizer):
    """A shot that continues over the cut takes colours across it."""
    clip = make()
    found = colorize(clip, colorizer=colorizer)
    told = colorize(clip, colorizer=colorizer, shot_starts=[0, 12])
    joined = colorize(clip, colorizer=colorizer, shot_starts=[0])
    assert np.array_equal(planes(told, 12)[1], planes(found, 12)[1])
    assert not np.array_equal(planes(joined, 12)[1], planes(found, 12)[1])


def test_odd_grey_clips_become_444_and_carry_their_matrix(make, colorizer):
    colored = colorize(make("GRAY8", (127, 95)), colorizer=colorizer)
    assert (colored.format.name, colored.get_frame(0).props["_Matrix"]) == ("YUV444P8", 6)


@pytest.mark.parametrize("name", ["RGB24", "GRAYS", "YUV410P8"])
def test_other_formats_are_refused_before_work_begins(colorizer, name):
    clip = vs.core.std.BlankClip(width=128, height=96, format=getattr(vs, name), length=2)
    with pytest.raises(FilmError, match=f"(?i)the clip has {name}.*: give"):
        colorize(clip, colorizer=colorizer)


def test_a_single_thread_is_refused(make, colorizer, monkeypatch):
    clip, before = make(), vs.core.num_threads
    vs.core.num_threads = 1
    try:
        with pytest.raises(EngineError, match="VapourSynth has only one thread"):
            colorize(clip, colorizer=colorizer)
    finally:
        vs.core.num_threads = before
