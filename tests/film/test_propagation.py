"""Colours over time: steady within a shot, and independent of other shots."""

import functools
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photochrom import Colorizer, ColorOptions
from photochrom.film import FilmOptions, colorize_film, optical_flow, propagation
from photochrom.film.frames import at_scale_of_propagation
from photochrom.film.propagation import Frame, steady_colors
from tests.helpers.fakes import FakeEngine, card_metadata, constant_answer
from tests.helpers.films import colorizer, decoded, other_shot, pan, plane, write_film

SIZE = {"width": 96, "height": 64}


def saying(ab, confidence=1.0):
    """Return a ``predict`` function with a fixed a*b*, numbers or ``[2, h, w]``."""

    def look(luma):
        planes = np.empty((2, *luma.shape), np.float32)
        planes[:] = np.asarray(ab, np.float32).reshape(2, *([1, 1] if np.ndim(ab) == 1 else luma.shape))
        return planes, np.full(luma.shape, confidence, np.float32)

    return look


def frames_of(lumas, look, starts=(0,)):
    """Return frames for ``steady_colors``; ``look`` gets number and luma."""
    return [
        Frame(luma, i in starts, functools.partial(lambda number, luma: look(number)(luma), i, luma))
        for i, luma in enumerate(lumas)
    ]


def colors_of(frames, before=None, **options):
    return list(steady_colors(iter(frames), before, **options))


@pytest.mark.parametrize(("working_size", "expected"), [(64, (32, 48)), (256, (128, 192)), (384, (128, 192))])
def test_a_model_that_sees_more_does_not_slow_down_propagation(working_size, expected):
    model = Colorizer(engine=FakeEngine(constant_answer(0, 0), card_metadata(working_size=working_size)))
    thumbnail = model.thumbnail(np.zeros((600, 900), np.uint8))
    assert at_scale_of_propagation(model, thumbnail).shape == expected


def test_only_a_difference_that_is_not_the_same_everywhere_lowers_the_flow_confidence():
    luma = pan(1, **SIZE)[0] // 2
    assert propagation.flow_confidence(luma, luma + 30).min() > 0.999  # flicker
    changed = luma.copy()
    changed[20:40, 20:40] += 60
    confidence = propagation.flow_confidence(luma, changed)
    assert confidence[30, 30] < 0.01
    assert confidence[50, 50] > 0.999


@pytest.mark.parametrize("count", [0, 1, 2, 3, 6, 7, 13, 61, 80])
def test_one_answer_for_each_frame(count):
    lumas = pan(count, **SIZE)
    found = colors_of(frames_of(lumas, lambda _: saying((10, 20))))
    assert len(found) == count
    for colors in found:
        assert colors.ab.shape == (2, 64, 96)
        assert np.allclose(colors.ab[0], 10, atol=0.01)
        assert np.allclose(colors.ab[1], 20, atol=0.01)


def test_no_colour_crosses_a_cut():
    """If the pictures of two shots are alike, their different colours still do not mix."""
    for second in (other_shot(30, **SIZE), pan(30, **SIZE)):
        lumas = pan(30, **SIZE) + second
        found = colors_of(frames_of(lumas, lambda i: saying((40, 0) if i < 30 else (0, -40)), starts=(0, 30)))
        first = np.stack([c.ab for c in found[:30]])
        later = np.stack([c.ab for c in found[30:]])
        assert np.allclose(first[:, 0], 40, atol=1e-3)
        assert np.array_equal(first[:, 1], np.zeros_like(first[:, 1]))
        assert np.array_equal(later[:, 0], np.zeros_like(later[:, 0]))
        assert np.allclose(later[:, 1], -40, atol=1e-3)


@pytest.mark.parametrize("step", [0, 1])
def test_flicker_is_averaged_away(step):
    rng = np.random.default_rng(1)
    wrong = rng.normal(0, 10, (120, 2))
    found = colors_of(frames_of(pan(120, step=step, **SIZE), lambda i: saying((20, 30) + wrong[i])))
    means = np.array([c.ab.mean(axis=(1, 2)) for c in found])[24:-24]
    assert np.all(means.var(axis=0) < wrong.var(axis=0) / 5)
    assert np.abs(np.diff(means, axis=0)).max() < 2  # no frame jumps


def test_a_mean_of_colours_is_not_greyer_than_the_colours():
    """Predictions of different hues have a grey mean, whose chroma is raised within limits."""
    found = colors_of(frames_of(pan(60, **SIZE), lambda i: saying((30, 15) if i % 12 else (15, 30))))
    chroma = np.hypot(*found[30].ab).mean()
    assert np.hypot(30, 15) * 0.93 < chroma <= np.hypot(30, 15) * 1.01


def moving_square(i, at=0.5):
    """Return a textured square that moves over a textured background, and its positions."""
    luma = pan(1, **SIZE)[0].copy() // 3 + 20
    x = 10 + i
    y, columns = np.mgrid[:20, :20]
    luma[20:40, x : x + 20] = 170 + 50 * ((y // 5 + columns // 5) % 2)
    return luma, np.s_[24:36, x + 4 : x + 16]


def test_a_moving_object_keeps_its_colour():
    """The network is confident of the square's colour on the first frames only, and then has no idea."""
    scene = [moving_square(i) for i in range(50)]

    def look(i):
        luma, square = scene[i]
        ab = np.zeros((2, *luma.shape), np.float32)
        ab[0][square[0].start - 4 : square[0].stop + 4, square[1].start - 4 : square[1].stop + 4] = 50
        if i >= 8:
            return saying(np.zeros_like(ab), 0.02)
        return saying(ab)

    found = colors_of(frames_of([luma for luma, _ in scene], look))
    for i in (0, 20, 49):
        _, square = scene[i]
        assert found[i].ab[0][square].mean() > 30, i
        assert abs(found[i].ab[0][:, :6].mean()) < 5
    still = found[49].ab[0][24:36, 12:20]  # where it was in the beginning
    assert abs(still.mean()) < 12


def test_objects_that_come_into_view_have_colour_at_once():
    """A square appears in the middle of a shot: its colours are propagated from later frames, too."""
    lumas = [pan(1, **SIZE)[0].copy() for _ in range(40)]
    for luma in lumas[15:]:
        luma[20:44, 30:60] = 255 - luma[20:44, 30:60]

    def look(i):
        ab = np.zeros((2, 64, 96), np.float32)
        if i >= 15:
            ab[1, 20:44, 30:60] = 40
        return saying(ab)

    found = colors_of(frames_of(lumas, look))
    for i in range(15, 40):
        assert found[i].ab[1, 26:38, 38:52].mean() > 15, i
    assert abs(found[10].ab[1, 26:38, 38:52].mean()) < 8


def test_confident_predictions_count_more():
    def look(i):
        return saying((40, 0), 1.0) if i % 12 == 0 else saying((-40, 0), 0.05)

    found = colors_of(frames_of(pan(61, **SIZE), look))
    assert np.mean([c.ab[0].mean() for c in found]) > 20


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("at", [9, 12])
def test_inserted_frames_have_their_own_colours_and_the_shot_goes_on(at, length):
    """The shot itself is predicted red at first and later blue, and the mean of both continues behind the insert."""
    lumas = pan(40, step=0, **SIZE)
    lumas[at : at + length] = other_shot(length, **SIZE)

    def look(i):
        return saying((0, 60) if at <= i < at + length else (40, 0) if i < at else (0, -40), 1.0 if i < at else 0.05)

    found = colors_of(frames_of(lumas, look))
    for i, colors in enumerate(found):
        if at <= i < at + length:
            assert np.allclose(colors.ab, np.array([0, 60])[:, None, None], atol=1e-3)
        elif i < at + length + 6:
            assert colors.ab[0].mean() > 30
            assert colors.ab[1].max() < 1


@pytest.mark.slow
@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_resuming_gives_the_same_as_going_through(ahead):
    """A resumed job relies on this, at every key of a long shot and with its state."""
    rng = np.random.default_rng(2)
    looks = rng.normal(0, 20, (100, 2))
    frames = frames_of(pan(100, **SIZE), lambda i: saying(looks[i]))
    whole = colors_of(frames, ahead=ahead)
    keys = [i for i, colors in enumerate(whole) if colors.is_key]
    assert len(keys) > 12
    assert whole[0].before is None
    for key in keys[1::4]:
        again = colors_of(frames[key:], whole[key].before, ahead=ahead)
        assert [c.is_key for c in again] == [c.is_key for c in whole[key:]]
        assert all(np.array_equal(a.ab, b.ab) for a, b in zip(again, whole[key:], strict=True)), key


@pytest.mark.slow
@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.sampled_from([1, 2, 8]))
@settings(max_examples=15)
def test_shots_do_not_affect_each_other(lengths, ahead):
    sources = [pan, other_shot]
    lumas = [luma for i, n in enumerate(lengths) for luma in sources[i % 2](n, **SIZE)]
    starts = np.cumsum([0, *lengths[:-1]])
    looks = np.random.default_rng(len(lumas)).normal(0, 20, (len(lumas), 2))
    frames = frames_of(lumas, lambda i: saying(looks[i]), starts)
    together = [c.ab for c in colors_of(frames, ahead=ahead)]
    alone = [c.ab for a, n in zip(starts, lengths, strict=True) for c in colors_of(frames[a : a + n], ahead=ahead)]
    assert len(together) == len(lumas)
    assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))


def test_the_look_ahead_is_at_most_the_stated_reach():
    """The frames within this reach must be held until their colours are known, however long the shot."""
    for ahead in (1, 4, propagation.AHEAD):
        taken = 0

        def counted(frames):
            nonlocal taken
            for frame in frames:
                taken += 1
                yield frame

        frames = counted(frames_of(pan(150, **SIZE), lambda _: saying((1, 2))))
        most = max(taken - given_out for given_out, _ in enumerate(steady_colors(frames, ahead=ahead)))
        assert most <= propagation.reach(ahead) + 1


def test_the_network_runs_on_few_frames():
    asked = []

    def look(i):
        asked.append(i)
        return saying((1, 2))

    colors_of(frames_of(pan(61, **SIZE), look))
    assert asked[0] == 0
    assert len(asked) <= 12
    assert asked == sorted(set(asked))


def test_threads_do_not_disturb_each_other():
    """One search object used in two threads would crash Python."""
    lumas = pan(12, **SIZE)

    def motion(_=None):
        return [optical_flow.backward_flow(a, b, fast=fast) for a, b in pairwise(lumas) for fast in (False, True)]

    alone = motion()
    with ThreadPoolExecutor(4) as pool:
        for together in pool.map(motion, range(8)):
            assert all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize("size", [(24, 260), (16, 173), (12, 130), (64, 85), (5, 9), (260, 24)])
@pytest.mark.parametrize("fast", [False, True])
def test_motion_of_small_and_of_very_wide_frames(fast, size):
    """In a thread that has seen no other sizes, OpenCV's own search would read beyond the end of some frames."""
    still = np.random.default_rng(0).integers(0, 255, size, dtype=np.uint8)
    column, row = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(optical_flow.backward_flow, still, still, fast=fast).result()
    assert np.abs(found - np.dstack([column, row])).max() < 0.5


def test_optical_flow_does_not_depend_on_earlier_frames():
    with ThreadPoolExecutor(1) as pool:
        lumas = pan(2, 85, 64)
        first = pool.submit(optical_flow.backward_flow, *lumas, fast=True).result()
        pool.submit(optical_flow.backward_flow, *pan(2, 320, 180), fast=True).result()
        pool.submit(optical_flow.backward_flow, *lumas, fast=True, near=first + 4).result()
        assert np.array_equal(first, pool.submit(optical_flow.backward_flow, *lumas, fast=True).result())


def test_optical_flow_follows_motion_over_many_frames():
    """Each search starts from the flow to the frame before; without it, so long a way is not found."""
    lumas = pan(20, 192, 96, step=4)
    way = 4 * 19
    flow = None
    for luma in lumas[1:]:
        flow = optical_flow.backward_flow(lumas[0], luma, near=flow)
    seen_before = np.s_[:, : 192 - way - 8]  # the rest has come into view
    column = np.arange(192)
    assert np.abs(flow[..., 0] - column - way)[seen_before].max() < 2
    direct = optical_flow.backward_flow(lumas[0], lumas[-1])
    assert np.abs(direct[..., 0] - column - way)[seen_before].max() > 10


def test_detail_shows_the_network_a_larger_frame_as_well(tmp_path):
    """The fake network answers with its number of rows of cells as a*: 8 for the usual thumbnail, 16 for the larger."""
    write_film(tmp_path / "old.mkv", pan(6, 192, 128))
    chroma = {}
    for detail in (1, 2):
        seen = set()
        film = tmp_path / f"{detail}.mkv"
        options = FilmOptions(ColorOptions(detail=detail), codec="ffv1")
        network = colorizer(tmp_path, lambda lightness, seen=seen: (seen.add(lightness.shape) or len(lightness), 0))
        colorize_film(tmp_path / "old.mkv", film, options, colorizer=network)
        assert {rows for rows, _ in seen} == set(range(8, 8 * detail + 1, 8))
        chroma[detail] = np.mean([plane(frame, 2).astype(float) - 128 for frame in decoded(film)])
    assert chroma[2] == pytest.approx(1.5 * chroma[1], rel=0.1)
