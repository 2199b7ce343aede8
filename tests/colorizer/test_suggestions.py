"""Suggestions, with a fake network that takes hints and predicts a distribution."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.color import rgb2lab

from photochrom import Colorizer, ColorOptions, Hint, ModelError, OptionError, alternatives, likely_colors
from photochrom.color.gamut import rgb_of_luma
from photochrom.colorizer.alternative_captions import color_name, name_alternatives
from photochrom.colorizer.hints import hints_json, read_hints
from photochrom.colorizer.prediction import Prediction
from photochrom.colorizer.suggestions import MAX_ALTERNATIVES, _limit_chroma, _shifted_to_hues
from tests.helpers.fakes import FakeEngine
from tests.helpers.suggesting import BINS, hinting_engine

APART = 24  # least distance between two suggestions, in a*b*
MINE = Hint(0.8, 0.1, (180, 160, 90))  # in the sky


def ab_of(color: tuple[int, int, int]) -> np.ndarray:
    """Compute a*b* with another library."""
    return rgb2lab(np.array([[color]], np.uint8))[0, 0, 1:]


def colorizer_of(tmp_path: Path, engine: FakeEngine) -> Colorizer:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    return Colorizer(path, engine=engine)


@pytest.fixture
def runs() -> list[int]:
    return []


@pytest.fixture
def colorizer(tmp_path: Path, runs: list[int]) -> Colorizer:
    return colorizer_of(tmp_path, hinting_engine(runs))


@pytest.fixture(scope="module")
def luma() -> np.ndarray:
    return data.camera()[::2, ::3]


def coloured(colorizer: Colorizer, luma: np.ndarray, options: ColorOptions | None) -> np.ndarray:
    return rgb_of_luma(luma, *colorizer.chroma(luma, options))


@pytest.mark.slow
@pytest.mark.parametrize("options", [None, ColorOptions(vividness=0.7, strength=0.9, hints=(MINE,))])
@pytest.mark.parametrize("count", [1, 4, MAX_ALTERNATIVES])
def test_alternatives_differ_from_the_picture_and_from_one_another(
    colorizer: Colorizer, luma: np.ndarray, count: int, options: ColorOptions | None
) -> None:
    found = alternatives(colorizer, luma, count, options)
    assert len(found) == count
    pictures = [coloured(colorizer, luma, each) for each in (options, *found)]
    for one, other in itertools.combinations(pictures, 2):
        difference = np.hypot(*np.moveaxis(rgb2lab(one)[..., 1:] - rgb2lab(other)[..., 1:], -1, 0))
        assert difference.max() > 10


def test_each_speaks_of_the_whole_picture_and_is_marked_as_the_models(colorizer: Colorizer, luma: np.ndarray) -> None:
    for options in alternatives(colorizer, luma, MAX_ALTERNATIVES):
        assert {(int(4 * hint.x), int(4 * hint.y)) for hint in options.hints} == set(np.ndindex(4, 4))
        for one, other in itertools.combinations(options.hints, 2):
            assert max(abs(one.x - other.x), abs(one.y - other.y)) > 0.05
        assert all(hint.suggested for hint in options.hints)


@pytest.mark.parametrize("shape", [(100, 1400), (10, 3000), (900, 30)])
@pytest.mark.slow
def test_alternatives_of_a_panorama_fit_into_a_file(shape: tuple[int, int], tmp_path: Path) -> None:
    luma = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    (found,) = alternatives(Colorizer(), luma, 1)
    (tmp_path / "hints.json").write_text(hints_json(found.hints))
    assert read_hints(tmp_path / "hints.json") == found.hints


@pytest.mark.parametrize("vividness", [0.2, 0.9])
def test_alternatives_are_about_as_colourful_as_the_picture(
    colorizer: Colorizer, luma: np.ndarray, vividness: float
) -> None:
    options = ColorOptions(vividness=vividness)
    prediction = colorizer.predict(luma, options)
    usual = np.hypot(*prediction.ab)
    for leaned in _shifted_to_hues(colorizer, prediction, options):
        chroma = np.hypot(*leaned)
        assert chroma.mean() <= max(1.2 * usual.mean(), 8) + 0.01
        assert (chroma - usual).max() <= 30


def test_only_doubtful_cells_of_an_alternative_are_paler() -> None:
    first = np.zeros((2, 4, 4), np.float32)
    first[0], leaned = 10, np.zeros((2, 4, 4), np.float32)
    first[0, 0], leaned[0, 0] = 25, 25  # certain, as skin is
    leaned[1, 1:] = 60
    limited = _limit_chroma(leaned, first)
    assert np.allclose(limited[:, 0], leaned[:, 0])
    assert (limited[0, 1:] == 0).all()
    assert np.hypot(*limited).mean() == pytest.approx(1.2 * np.hypot(*first).mean(), abs=0.5)


def test_hints_of_the_user_are_kept(colorizer: Colorizer, luma: np.ndarray) -> None:
    wanted = ColorOptions(vividness=0.7, strength=0.9, hints=(MINE,))
    found_options = alternatives(colorizer, luma, 3, wanted)
    assert len(found_options) == 3
    for options in found_options:
        assert (options.vividness, options.strength) == (0.7, 0.9)
        assert options.hints[0] == MINE
        assert not options.hints[0].suggested
        assert all(np.hypot(h.x - MINE.x, h.y - MINE.y) > 0.05 for h in options.hints[1:])
        place = int(MINE.y * luma.shape[0]), int(MINE.x * luma.shape[1])
        found = rgb2lab(coloured(colorizer, luma, ColorOptions(hints=options.hints)))[place]
        assert np.hypot(*(found[1:] - ab_of(MINE.color))) < 2


def test_an_alternative_has_alternatives(colorizer: Colorizer, luma: np.ndarray) -> None:
    """They are not copies of it: the hints that make an alternative do not count as the user's."""
    picked = Hint(0.31, 0.9, (90, 120, 160), suggested=True)  # at a place that the user chose
    (first,) = alternatives(colorizer, luma, 1, ColorOptions(hints=(MINE, picked)))
    found = alternatives(colorizer, luma, 3, first)
    assert all(options.hints[:2] == (MINE, picked) for options in found)
    assert len({len(options.hints) for options in (first, *found)}) == 1
    pictures = [coloured(colorizer, luma, options) for options in (first, *found)]
    for one, other in itertools.combinations(pictures, 2):
        assert np.abs(one.astype(int) - other).max() > 10


def test_alternatives_are_the_same_every_time(colorizer: Colorizer, luma: np.ndarray) -> None:
    assert alternatives(colorizer, luma, 4) == alternatives(colorizer, luma, 4)
    assert alternatives(colorizer, luma, 2) == alternatives(colorizer, luma, 4)[:2]


def test_the_network_runs_once(colorizer: Colorizer, luma: np.ndarray, runs: list[int]) -> None:
    expected = alternatives(colorizer, luma, 5)
    assert runs == [1]
    prediction = colorizer.predict(luma)
    runs.clear()
    assert alternatives(colorizer, luma, 5, prediction=prediction) == expected
    assert not runs


def test_certain_colours_do_not_change(tmp_path: Path, luma: np.ndarray) -> None:
    """A network for which only one colour is possible has no other to offer."""
    certain = (BINS == (20, 20)).all(1).argmax()

    def answer(inputs: dict) -> dict:
        height, width = (side // 8 for side in inputs["lightness"].shape[2:])
        probability = np.zeros((1, len(BINS), height, width), np.float32)
        probability[:, certain] = 1
        ab = np.broadcast_to(BINS[certain][None, :, None, None], (1, 2, height, width))
        return {"ab": ab, "confidence": probability[:, :1], "probability": probability}

    sure = colorizer_of(tmp_path, FakeEngine(answer, hinting_engine().metadata))
    (only,) = alternatives(sure, np.full((64, 64), 128, np.uint8), 1)
    for hint in only.hints:
        assert np.hypot(*(ab_of(hint.color) - BINS[certain])) < 12


@pytest.mark.parametrize("level", [0, 90, 255])
def test_featureless_pictures_have_alternatives_too(colorizer: Colorizer, level: int) -> None:
    found = alternatives(colorizer, np.full((40, 50), level, np.uint8), MAX_ALTERNATIVES)
    assert len({options.hints for options in found}) == MAX_ALTERNATIVES


@pytest.mark.parametrize("count", [-1, 0, MAX_ALTERNATIVES + 1, 10**9])
def test_a_number_out_of_range_is_refused(colorizer: Colorizer, luma: np.ndarray, count: int, runs: list[int]) -> None:
    with pytest.raises(OptionError, match=f"ask for 1 to {MAX_ALTERNATIVES}"):
        alternatives(colorizer, luma, count)
    assert not runs


def test_a_model_without_a_distribution_is_named(tmp_path: Path, luma: np.ndarray) -> None:
    with pytest.raises(OptionError, match="the model 'hinting' cannot suggest alternatives: choose another"):
        alternatives(colorizer_of(tmp_path, hinting_engine(bins=[])), luma)


def test_a_model_without_distribution_has_no_likely_colours(tmp_path: Path, luma: np.ndarray) -> None:
    with pytest.raises(OptionError, match="the model 'hinting' predicts no distribution: choose another"):
        likely_colors(colorizer_of(tmp_path, hinting_engine(bins=[])), luma, 0.5, 0.5)
    assert likely_colors(colorizer_of(tmp_path, hinting_engine(hints=False)), luma, 0.5, 0.5)


def test_a_model_that_contradicts_its_card_is_named(tmp_path: Path, luma: np.ndarray) -> None:
    for bins in ([[0, 0]], [[0, 0]] * 50):
        with pytest.raises(ModelError, match=f"'hinting' does not give the {len(bins)} prob"):
            likely_colors(colorizer_of(tmp_path, hinting_engine(bins=bins)), luma, 0.5, 0.5)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 9))
@settings(max_examples=30)
def test_likely_colours_are_distinct_and_at_the_requested_place(
    tmp_path_factory: pytest.TempPathFactory, x: float, y: float, count: int
) -> None:
    colorizer = colorizer_of(tmp_path_factory.mktemp("model"), hinting_engine())
    found = likely_colors(colorizer, data.camera()[::4, ::4], x, y, count)
    assert 1 <= len(found) <= count
    assert all((hint.x, hint.y, hint.suggested) == (x, y, True) for hint in found)
    for one, other in itertools.combinations(found, 2):
        assert np.hypot(*(ab_of(one.color) - ab_of(other.color))) >= APART - 0.5


def flat(tmp_path: Path, weights: dict[tuple[int, int], float], bins: np.ndarray = BINS) -> Colorizer:
    """Return an engine that predicts the same distribution everywhere."""
    probability = np.zeros(len(bins), np.float32)
    for color, weight in weights.items():
        probability[(bins == color).all(1).argmax()] = weight

    def answer(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        count, _, height, width = inputs["lightness"].shape
        shape = (count, len(bins), height // 8, width // 8)
        ab = np.zeros((count, 2, *shape[2:]), np.float32)
        return {"ab": ab, "probability": np.broadcast_to(probability[:, None, None], shape)}

    return colorizer_of(tmp_path, FakeEngine(answer, hinting_engine(bins=bins.tolist()).metadata))


GREY = np.full((64, 64), 119, np.uint8)  # L* 50


def test_likely_colours_are_those_of_the_distribution_in_order(tmp_path: Path) -> None:
    weights = {(20, 20): 0.3, (40, -40): 0.5, (-20, 0): 0.2}
    found = likely_colors(flat(tmp_path, weights), GREY, 0.5, 0.5)
    np.testing.assert_allclose([ab_of(hint.color) for hint in found], [(40, -40), (20, 20), (-20, 0)], atol=0.7)


def test_the_flanks_of_one_peak_are_not_colours_of_their_own(tmp_path: Path) -> None:
    """So a distant colour of probability 0.04 comes before the colours beside the peak."""
    weights = {(20, 20): 0.8, (20, 40): 0.16, (-20, 20): 0.04}
    found = likely_colors(flat(tmp_path, weights), GREY, 0.5, 0.5)
    np.testing.assert_allclose([ab_of(hint.color) for hint in found], [(20, 20), (-20, 20)], atol=0.7)


def test_nearly_impossible_colours_are_not_suggested(tmp_path: Path) -> None:
    weights = {(20, 20): 0.6, (-40, 20): 0.3999, (20, -60): 0.0001}
    assert len(likely_colors(flat(tmp_path, weights), GREY, 0.5, 0.5)) == 2


def test_colours_that_do_not_fit_keep_their_hue(tmp_path: Path) -> None:
    far = np.array([(100, 20), (-20, -100), (0, 0)], np.float32)
    found = likely_colors(flat(tmp_path, {(100, 20): 0.5, (-20, -100): 0.4, (0, 0): 0.1}, far), GREY, 0.5, 0.5)
    angles = [np.degrees(np.arctan2(*ab_of(hint.color)[::-1])) for hint in found[:2]]
    np.testing.assert_allclose(angles, np.degrees(np.arctan2([20, -100], [100, -20])), atol=2)


def test_likely_colours_follow_the_hints_given(colorizer: Colorizer, luma: np.ndarray) -> None:
    x, y = alternatives(colorizer, luma, 1)[0].hints[0].x, alternatives(colorizer, luma, 1)[0].hints[0].y
    purple = Hint(x, y, (150, 60, 160))
    first = likely_colors(colorizer, luma, x, y, options=ColorOptions(hints=(purple,)))[0]
    assert np.hypot(*(ab_of(first.color) - ab_of(purple.color))) < 25
    assert np.hypot(*(ab_of(likely_colors(colorizer, luma, x, y)[0].color) - ab_of(purple.color))) > 40


@pytest.mark.parametrize(
    ("x", "y", "count", "message"),
    [(1.1, 0, 6, "x is"), (0, -0.1, 6, "y is"), (float("nan"), 0, 6, "x is nan"), (0, 0, 0, "ask for 1 or more")],
)
def test_invalid_places_are_refused(
    colorizer: Colorizer, luma: np.ndarray, x: float, y: float, count: int, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        likely_colors(colorizer, luma, x, y, count)


@pytest.mark.slow
def test_the_package_has_the_function_whatever_was_imported_before() -> None:
    code = "import photochrom.colorizer.suggestions, photochrom; photochrom.alternatives; import photochrom.photo.job; "
    code += "print(callable(photochrom.alternatives), callable(photochrom.likely_colors))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True True\n"


@pytest.mark.slow
def test_the_embedded_model_has_alternatives_or_says_why_not() -> None:
    colorizer = Colorizer()
    if colorizer.card.hints and colorizer.card.bins:
        assert len({options.hints for options in alternatives(colorizer, data.camera(), 3)}) == 3
    else:
        with pytest.raises(OptionError, match="cannot suggest alternatives"):
            alternatives(colorizer, data.camera())


def prediction(ab: tuple[float, float] = (0, 0), luma: int = 119) -> Prediction:
    """Return a prediction of one colour everywhere, 8 by 10 cells."""
    plane = np.full((64, 80), luma, np.uint8)
    return Prediction(plane, np.tile(np.float32(ab)[:, None, None], (1, 8, 10)))


def with_patch(first: Prediction, color: tuple[float, float], rows: slice, columns: slice) -> Prediction:
    ab = first.ab.copy()
    ab[:, rows, columns] = np.array(color)[:, None, None]
    return replace(first, ab=ab)


@pytest.mark.parametrize(
    ("ab", "name"), [((18, 32), "warmer"), ((2, 0), "cooler"), ((-8, 20), "greener"), ((25, 10), "pinker")]
)
def test_a_picture_that_changes_all_over_is_named_by_the_direction(ab: tuple[int, int], name: str) -> None:
    assert name_alternatives(prediction((8, 12)), [prediction(ab)]) == [name]


@pytest.mark.parametrize(
    ("color", "place", "name"),
    [
        ((0, -45), (slice(4, 8), slice(0, 4)), "blue, lower left"),
        ((30, 45), (slice(0, 4), slice(6, 10)), "orange, upper right"),
        ((-40, 32), (slice(0, 3), slice(0, 10)), "green, top"),
        ((40, -40), (slice(3, 6), slice(3, 7)), "violet, centre"),
        ((50, 30), (slice(0, 8), slice(7, 10)), "red, right"),
    ],
)
def test_otherwise_the_largest_change_is_named_by_its_color_and_place(
    color: tuple[int, int], place: tuple[slice, slice], name: str
) -> None:
    first = prediction((2, 4))
    small = with_patch(first, (-40, 30), slice(0, 1), slice(4, 5))  # a fleck elsewhere counts less
    assert name_alternatives(first, [with_patch(small, color, *place)]) == [name]


def test_no_two_alternatives_have_one_name() -> None:
    first = prediction((8, 12))
    places = [(slice(4, 8), slice(0, 4)), (slice(4, 8), slice(0, 5))]
    patched = [with_patch(first, (0, -45), *place) for place in places]
    names = name_alternatives(first, [prediction((18, 32)), prediction((16, 30)), *patched, first, first])
    assert len(set(names)) == 6
    assert names[0] == "warmer"
    assert names[2] == "blue, lower left"
    assert names[4] == "nearly the same"


@pytest.mark.parametrize("shape", [(1, 1), (2, 40)])
def test_the_smallest_pictures_have_names_too(shape: tuple[int, int]) -> None:
    first = Prediction(np.zeros((8 * shape[0], 8 * shape[1]), np.uint8), np.zeros((2, *shape), np.float32))
    assert name_alternatives(first, [replace(first, ab=first.ab + 30)]) == ["warmer"]


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((128, 128, 128), "grey"), ((205, 40, 40), "red"), ((100, 65, 45), "brown"), ((225, 205, 170), "beige"),
     ((240, 140, 30), "orange"), ((240, 220, 60), "yellow"), ((95, 95, 45), "olive"), ((60, 130, 60), "green"),
     ((60, 170, 170), "turquoise"), ((70, 110, 180), "blue"), ((130, 70, 160), "violet"), ((240, 160, 180), "pink")],
)  # fmt: skip
def test_colors_have_their_everyday_names(rgb: tuple[int, int, int], name: str) -> None:
    lightness, a, b = rgb2lab(np.array([[rgb]], np.uint8))[0, 0]
    assert color_name(lightness, a, b) == name


def test_alternatives_keep_the_first_picture_where_a_hint_has_influence(tmp_path: Path) -> None:
    """A hint decides the colour of a whole object, not only of its own place."""
    torn = flat(tmp_path, {(20, 20): 0.4, (0, -40): 0.3, (-40, 20): 0.3})
    blue = Hint(0.5, 0.5, (70, 110, 180))
    known = ColorOptions(hints=(blue,), vividness=0.0)
    picture = torn.ab(torn.predict(GREY, known), known.hints)
    for options in alternatives(torn, GREY, MAX_ALTERNATIVES, known):
        near = [hint for hint in options.hints[1:] if np.hypot(hint.x - 0.5, hint.y - 0.5) < 0.2]
        assert len(near) >= 4
        for hint in near:
            row, column = hint.pixel(picture.shape[1:])
            assert np.hypot(*(ab_of(hint.color) - picture[:, row, column])) < 20  # without the hint, 45
