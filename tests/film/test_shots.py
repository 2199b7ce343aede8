"""Shots begin at cuts, fades and dissolves, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from photochrom.film.shots import detection
from tests.helpers.films import other_shot, pan

SIZE = {"width": 128, "height": 72}
NOISE = np.random.default_rng(3)


def found(lumas):
    return [i for i, start in enumerate(detection.starts(lumas)) if start]


def one(count, step=1):
    return pan(count, step=step, **SIZE)


def other(count, step=1):
    return other_shot(count, step=step, **SIZE)


def green_of_coffee():
    return data.coffee()[..., 1]


def third(count):
    return pan(count, picture=green_of_coffee, **SIZE)


def mixed(earlier, later):
    """Return frames that change from one shot to the other."""
    shares = np.linspace(1, 0, len(earlier) + 2)[1:-1]
    return [(s * a + (1 - s) * b).astype(np.uint8) for s, a, b in zip(shares, earlier, later, strict=True)]


def scaled(lumas, factors):
    return [(luma * factor).astype(np.uint8) for luma, factor in zip(lumas, factors, strict=True)]


def grainy(lumas, strength):
    return [np.clip(luma + NOISE.normal(0, strength, luma.shape), 0, 255).astype(np.uint8) for luma in lumas]


def test_a_cut_begins_a_shot():
    assert found(one(20) + other(25) + third(20)) == [0, 20, 45]


@pytest.mark.parametrize("length", [6, 9, 14])
def test_short_shots(length):
    assert found(one(20) + other(length) + third(20)) == [0, 20, 20 + length]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_cut_at_every_frame_or_every_few_begins_a_shot_each(length):
    """As in a montage of stills."""
    pictures = [plane[::4, ::4] for plane in photographs()]
    assert found([picture for picture in pictures for _ in range(length)]) == list(range(0, 6 * length, length))


def photographs():
    """Return the luma of six photographs that have nothing in common, of one size."""
    planes = [data.camera(), data.coffee()[..., 1], data.coins(), data.chelsea()[..., 1], data.moon()]
    planes.append(data.brick()[::-1] // 2 + data.grass() // 2)
    return [np.ascontiguousarray(plane[:288, :384]) for plane in planes]


@pytest.mark.parametrize("kept", [2, 3])
def test_stop_motion_on_twos_and_threes_is_one_shot(kept):
    """Each picture stays for two or three frames, and the scene moves on by ten of its 128 columns."""
    assert found([luma for luma in one(16, 10) for _ in range(kept)]) == [0]


def test_a_cut_is_found_through_grain():
    assert found(grainy(one(20) + other(20), 12)) == [0, 20]


def test_one_shot_has_one_start_whatever_its_length():
    assert found(one(20)[:1]) == [0]
    assert found(one(2)) == [0]
    assert found([]) == []
    assert found(one(40)) == [0]


def test_one_answer_for_each_frame():
    for count in (1, 15, 16, 17, 33, 40):
        assert len(list(detection.starts(one(count)))) == count


def test_a_fade_through_black_is_one_shot_less_dark():
    down, up = np.linspace(1, 0, 12), np.linspace(0, 1, 12)
    lumas = one(20) + scaled(one(12), down) + [np.zeros((72, 128), np.uint8)] * 4 + scaled(other(12), up) + other(20)
    starts = found(lumas)
    assert len(starts) == 2
    assert 26 <= starts[1] <= 40  # in the dark


def test_a_dissolve_begins_one_shot_in_its_middle():
    starts = found(one(24) + mixed(one(12), other(12)) + other(24))
    assert len(starts) == 2
    assert 26 <= starts[1] <= 34


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("is_flash", [True, False])
def test_up_to_three_frames_of_a_flash_or_another_picture_do_not_end_a_shot(is_flash, length):
    flash, lumas = [np.full((72, 128), 250, np.uint8)] * length, one(40)
    starts = found(lumas[:20] + (flash if is_flash else other(length)) + lumas[20 + length :])
    assert starts == ([0] if length <= 3 else [0, 20] if is_flash else [0, 20, 24])


def test_a_photographers_flash_that_burns_the_picture_out_is_not_a_cut():
    lumas = one(40)
    lumas[20] = np.clip(lumas[20].astype(int) + 130, 0, 255).astype(np.uint8)
    assert found(lumas) == [0]


def test_a_frame_full_of_dust_is_not_a_cut():
    lumas = one(40)
    dust = NOISE.random((72, 128)) < 0.1
    lumas[20] = np.where(dust, 255, lumas[20]).astype(np.uint8)
    assert found(lumas) == [0]


@pytest.mark.parametrize("step", [2, 5])
def test_a_fast_pan_is_not_a_cut(step):
    assert found(one(40, step)) == [0]


def test_a_flickering_lamp_is_not_a_cut():
    factors = 0.75 + 0.25 * np.sin(np.arange(40) * 2.5)
    assert found(scaled(one(40), factors)) == [0]


def flickering(lumas, kind, rng):
    """Return lumas whose brightness changes at random from frame to frame, by up to a half."""
    height, width = lumas[0].shape
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    for luma in lumas:
        overall, across, down = rng.uniform(-1, 1, 3)
        if kind == "lamp":
            changed = luma * (1 + 0.5 * overall)
        elif kind == "lamp that moves":
            changed = luma * (1 + 0.5 * (overall + across * columns + down * rows) / 1.5)
        elif kind == "development":
            changed = 255 * (luma / 255) ** np.exp(0.7 * overall)
        else:
            changed = luma + 60 * overall
        yield np.clip(changed, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["lamp", "lamp that moves", "development", "fog"])
def test_heavy_flicker_neither_makes_nor_hides_a_cut(kind):
    rng = np.random.default_rng(9)
    assert found(flickering(one(40) + other(40, step=2), kind, rng)) == [0, 40]


def test_scratches_and_dust_neither_make_nor_hide_a_cut():
    rng = np.random.default_rng(9)
    lumas = one(30) + other(30)
    for luma in lumas:
        luma[:, rng.integers(0, 128, 5)] = 255 * rng.integers(0, 2, 5)
        luma[rng.random(luma.shape) < 0.03] = 0
    assert found(lumas) == [0, 30]


@given(st.lists(st.integers(8, 30), min_size=1, max_size=3), st.integers(0, 60))
@settings(max_examples=15)
@pytest.mark.slow
def test_decisions_do_not_depend_on_where_one_begins(lengths, begin):
    """A resumed job relies on this."""
    kinds = (one, other, third)
    lumas = [luma for kind, length in zip(kinds, lengths, strict=False) for luma in kind(length)]
    begin = min(begin, len(lumas) - 1)
    warm_up = max(0, begin - detection.REACH)
    whole = list(detection.starts(lumas))[begin:]
    assert list(detection.starts(lumas[warm_up:]))[begin - warm_up :] == whole


def test_visibility_tells_leaders_from_small_titles():
    grain = np.random.default_rng(0).normal(0, 10, (144, 256))
    leader = np.clip(120 + grain, 0, 255).astype(np.uint8)
    assert detection.visibility(leader) == 0
    dust = np.full((144, 256), 120, np.uint8)
    dust[70:74, 120:126] = 200
    assert detection.visibility(dust) == 0
    title = np.full((144, 256), 120, np.uint8)
    title[60:80, 110:140] = 150  # the standard deviation of the frame is 4
    assert detection.visibility(title) == 1


def test_visibility_follows_a_fade():
    picture = np.add.outer(np.linspace(-60, 60, 144), np.linspace(-40, 40, 256))
    seen = [detection.visibility((100 + share * picture).astype(np.uint8)) for share in (0, 0.03, 0.045, 0.06, 0.2)]
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert 0 < seen[2] < 1
    assert seen[-1] == 1
