"""Blank margins: found by their straight edges, kept neutral, and without influence on the picture inside."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from photochrom import Colorizer, ColorOptions, Hint
from photochrom.color.spaces import luma_of_rgb
from photochrom.colorizer.margins import NOWHERE, Box, find_picture, is_flat
from tests.helpers.fakes import FakeEngine, card_metadata

GREY = 90


def framed(luma, top=0, bottom=0, left=0, right=0, tone=GREY):
    return np.pad(luma, [(top, bottom), (left, right)], constant_values=tone)


def chroma_of(rgb):
    return np.hypot(*rgb2lab(rgb)[..., 1:].transpose(2, 0, 1))


@pytest.fixture(scope="module")
def luma(photograph):
    return luma_of_rgb(photograph)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "sides",
    [
        {"top": 40, "bottom": 30, "left": 50, "right": 20},
        {"top": 60, "bottom": 60},
        {"left": 30, "bottom": 80},
        {"top": 12, "left": 12, "right": 12},
    ],
)
def test_a_margin_is_found_to_the_pixel(luma, sides, dtype):
    page = framed(luma, **sides).astype(dtype) * (257 if dtype == np.uint16 else 1)
    rows, columns = find_picture(page).pixels(*page.shape)
    assert (rows.start, columns.start) == (sides.get("top", 0), sides.get("left", 0))
    assert (rows.stop, columns.stop) == (page.shape[0] - sides.get("bottom", 0), page.shape[1] - sides.get("right", 0))


def test_grain_dust_and_size_do_not_hide_a_margin(luma):
    rng = np.random.default_rng(0)
    page = np.kron(framed(luma, 40, 40, 40, 40), np.ones((4, 4))) + rng.normal(0, 2, (1280, 1120))
    page[rng.integers(0, 1280, 60), rng.integers(0, 1120, 60)] = 255
    found = find_picture(page.clip(0, 255).round().astype(np.uint8))
    assert [found.top, found.left, found.bottom, found.right] == pytest.approx([1 / 8, 1 / 7, 7 / 8, 6 / 7], abs=0.005)


def test_a_white_border_inside_a_dark_margin_is_found_too(luma):
    page = framed(framed(luma, 16, 16, 16, 16, tone=240), 30, 40, 50, 60, tone=20)
    assert find_picture(page).pixels(*page.shape) == (slice(46, 46 + 240), slice(66, 66 + 200))


def test_flat_areas_of_the_picture_are_not_margins(luma):
    assert find_picture(luma) is None
    sky = luma.copy()
    sky[:90] = 200  # flat down to a straight horizon, on one side only
    assert find_picture(sky) is None
    gradient = np.tile(np.linspace(0, 255, 200), (240, 1)).astype(np.uint8)
    assert find_picture(gradient) is None
    y, x = np.mgrid[:240, :200]
    portrait = np.where((y - 130) ** 2 + (x - 100) ** 2 < 70**2, luma, 180).astype(np.uint8)  # on a plain background
    assert find_picture(portrait) is None
    assert find_picture(framed(luma[:20, :20], 100, 100, 100, 100)) is None  # a small thing on a page
    for one_tone in (np.full((50, 60), GREY, np.uint8), np.full((1, 1), GREY, np.uint8)):
        assert find_picture(one_tone) is None


def test_one_tone_is_flat_whatever_its_grain():
    grain = np.random.default_rng(0).normal(0, 1.5, (80, 80)).round()
    assert is_flat((GREY + grain).astype(np.uint8))
    assert not is_flat(np.tile(np.array([80, 100], np.uint8), (80, 40)))


def test_a_nested_box_and_its_hints():
    outer, inner = Box(0.2, 0.4, 0.6, 0.8), Box(0.5, 0, 1, 0.5)
    assert inner.within(outer) == Box(pytest.approx(0.4), 0.4, pytest.approx(0.6), pytest.approx(0.6))
    hints = (Hint(0.5, 0.3, (9, 9, 9), 0.02), Hint(0.1, 0.3, (9, 9, 9)))
    (hint,) = outer.hints(hints, 100, 100)
    assert (hint.x, hint.y, hint.radius) == pytest.approx((0.25, 0.25, 0.05))
    assert outer.misses(hints)
    assert not outer.misses(hints[:1])


def test_planes_are_spread_in_place():
    planes = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    spread = Box(0.25, 0.5, 0.75, 1).spread(planes, 8, 8)
    np.testing.assert_allclose(spread[:, 2:6, 4:], planes, atol=1e-5)
    np.testing.assert_allclose(spread[:, 0, 4:], planes[:, 0], atol=1e-5)


@pytest.fixture
def striped(tmp_path):
    """Return a colorizer whose colours depend on the place, and the sizes of the pictures that its network has seen."""
    seen = []

    def answer(inputs):
        _, _, height, width = inputs["lightness"].shape
        seen.append((height, width))
        ab = np.zeros((1, 2, height // 8, width // 8), np.float32)
        ab[:, 0], ab[:, 1] = np.linspace(10, 40, width // 8), 20
        return {"ab": ab, "confidence": np.ones_like(ab[:, :1]), "probability": np.ones((1, 3, *ab.shape[2:]))}

    path = tmp_path / "fake.onnx"
    path.write_bytes(b"fake")
    bins = [[0, 0], [20, 20], [-20, 20]]
    return Colorizer(path, engine=FakeEngine(answer, card_metadata(hints=True, bins=bins))), seen


def test_a_margin_stays_neutral_and_does_not_change_the_picture(striped, luma):
    colorizer, seen = striped
    alone, page = colorizer.colorize(luma), framed(luma, 37, 61, 70, 25)
    colored = colorizer.colorize(page)
    assert seen[0] == seen[1]
    inside = (slice(37, 37 + 240), slice(70, 70 + 200))
    margin = np.ones(page.shape, bool)
    margin[inside] = False
    assert chroma_of(colored)[margin].max() < 0.5
    assert np.abs(rgb2lab(colored[inside]) - rgb2lab(alone)).mean() < 1


def test_a_prediction_covers_the_margin_too(striped, luma):
    colorizer, _ = striped
    page = framed(luma, 60, 60, 50, 50)
    found = colorizer.predict(page)
    assert found.ab.shape[1:] == found.confidence.shape == found.probability.shape[1:]
    assert found.ab.shape[1:] == (12, 12)  # 8 cells of the picture, 240 of 360 rows and 200 of 300 columns
    again = colorizer.predict(found.luma)  # as the studio asks
    np.testing.assert_allclose(again.ab[:, ::4, ::4], found.ab[:, ::4, ::4], atol=3)


@pytest.mark.parametrize("subsampling", [1, 2])
def test_a_hint_in_the_margin_colours_it(striped, luma, subsampling):
    colorizer, _ = striped
    page = framed(luma, 60, 60, 50, 50)
    place = (20 // subsampling, 150 // subsampling)
    plain, _ = colorizer.chroma(page, subsampling=subsampling)
    hinted, _ = colorizer.chroma(
        page, ColorOptions(hints=(Hint(0.5, 20 / 360, (60, 90, 200)),)), subsampling=subsampling
    )
    assert plain[place] == 128
    assert hinted[place] > 140


def test_a_picture_of_one_tone_has_no_colours_unless_they_are_given(striped):
    colorizer, _ = striped
    leader = np.full((240, 320), 110, np.uint8)
    assert colorizer.predict(leader).picture == NOWHERE
    assert chroma_of(colorizer.colorize(leader)).max() < 0.5
    assert chroma_of(colorizer.colorize(leader, ColorOptions(hints=(Hint(0.5, 0.5, (200, 90, 60)),)))).max() > 20
