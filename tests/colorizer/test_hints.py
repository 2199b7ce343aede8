"""Hints: parsed from text and files, given to a network, and met exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageColor
from skimage.color import rgb2lab

from photochrom import ColorOptions, Hint, OptionError, read_hints
from photochrom.color.spaces import luma_of_rgb
from photochrom.colorizer.hint_propagation import hint_influence, hint_planes, propagate_hints
from photochrom.colorizer.hints import hints_json

shares = st.floats(0, 1)
bytes_ = st.integers(0, 255)
hints = st.builds(Hint, shares, shares, st.tuples(bytes_, bytes_, bytes_), st.floats(0, 0.25), st.booleans())
RED = (200, 30, 40)


def ab_of(*colors: tuple[int, int, int]) -> np.ndarray:
    """Compute a*b* with another library, ``[..., 2]``."""
    return rgb2lab(np.array(colors, np.uint8)[None])[0, :, 1:].squeeze()


def scene(height: int = 64, width: int = 96, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return some a*b* ``[2, h, w]`` and some L* ``[h, w]``."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 20, (2, height, width)).astype(np.float32), rng.uniform(0, 100, (height, width)).astype("f4")


@given(shares, shares, st.tuples(bytes_, bytes_, bytes_), st.sampled_from(["#", ""]))
def test_typed_hints_are_parsed(x: float, y: float, color: tuple[int, int, int], mark: str) -> None:
    text = "{}{:02x}{:02X}{:02x}".format(mark, *color)
    assert Hint.parse(f"{x!r},{y!r},{text}") == Hint(x, y, color)
    assert Hint.parse(f" {x!r}, {y!r}, {text} ") == Hint(x, y, color)


@pytest.mark.parametrize(
    "text",
    ["", "0.5", "0.5,0.5", "0.5,#ffffff", "0.5,0.5,0.5,#ffffff", "a,b,#ffffff", "0.5;0.5;#ffffff", "1.5,0.5,#ffffff",
     "-0.1,0.5,#ffffff", "nan,0.5,#ffffff", "0.5,inf,#ffffff", "0.5,1e999,#ffffff",
     "0.5,0.5,#ffff", "0.5,0.5,fff", "0.5,0.5,reddish", "50,50%,red", "5px,5px,red", "101%,1%,red",
     "0.5,0.5,#gggggg", "0.5,0.5,##ffffff", "0.5,0.5,#ffffff00", "0.5,0.5,", ",,", "0.5,0.5,#ffffff\n0,0,#000000"],
)  # fmt: skip
def test_an_invalid_hint_gives_a_one_line_error(text: str) -> None:
    with pytest.raises(OptionError) as error:
        Hint.parse(text)
    assert "\n" not in str(error.value)


def test_a_pixel_outside_is_reported_in_pixels() -> None:
    assert Hint.parse("199px,0px,red", size=(200, 100)).x < 1
    with pytest.raises(OptionError, match=r"^'200px' is outside the picture, which has 200 pixels on that side: "):
        Hint.parse("200px,0px,red", size=(200, 100))
    with pytest.raises(OptionError, match=r"^'5px' is in pixels, but the picture's size is unknown: "):
        Hint.parse("5px,5px,red")


def test_a_name_is_a_colour_also_after_pillow_has_read_it() -> None:
    """Pillow's table holds numbers after a name has been read, and text before."""
    ImageColor.getrgb("maroon")
    assert Hint.parse("0,0,maroon").color == Hint.parse("0,0,Maroon").color == (128, 0, 0)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((1.01, 0, RED), "x"),
        ((0, -0.01, RED), "y"),
        ((float("nan"), 0, RED), "x"),
        (("0.5", 0, RED), "x"),
        ((True, 0, RED), "x"),
        ((0, None, RED), "y"),
        ((0, 0, RED, 0.26), "radius"),
        ((0, 0, RED, 10**400), "radius"),
        ((0, 0, (0, 0)), "colour"),
        ((0, 0, (0, 0, 256)), "colour"),
        ((0, 0, (0, 0, 0.5)), "colour"),
        ((0, 0, (True, 0, 0)), "colour"),
        ((0, 0, [0, 0, 0]), "colour"),
        ((0, 0, "#ffffff"), "colour"),
        ((0, 0, 7), "colour"),
    ],
)
def test_values_out_of_range_are_named(values: tuple, name: str) -> None:
    with pytest.raises(OptionError, match=f"^a hint's {name} is "):
        Hint(*values)


@given(st.lists(hints, max_size=9))
@settings(max_examples=50)
def test_files_round_trip(tmp_path_factory: pytest.TempPathFactory, given: list[Hint]) -> None:
    path = tmp_path_factory.mktemp("hints") / "hints.json"
    path.write_text(hints_json(given))
    assert read_hints(path) == tuple(given)
    assert read_hints(str(path)) == tuple(given)


def test_numpys_numbers_can_be_written(tmp_path: Path) -> None:
    hint = Hint(np.float32(0.5), np.float64(0.25), tuple(np.array(RED, np.uint8)))
    (tmp_path / "hints.json").write_text(hints_json([hint]))
    assert read_hints(tmp_path / "hints.json") == (Hint(0.5, 0.25, RED),)


def test_a_file_as_people_write_it(tmp_path: Path) -> None:
    text = '{"photochrom": "hints", "version": 1, "note": "the coat", "hints": [{"x": 0, "y": 1, "color": "C81E28"}]}'
    (tmp_path / "hints.json").write_text(text, encoding="utf-8-sig")
    assert read_hints(tmp_path / "hints.json") == (Hint(0, 1, RED),)


def entry(**changes: object) -> bytes:
    """Write a file with one hint, with some fields changed; a change to ``...`` removes the field."""
    facts = {"x": 0.5, "y": 0.5, "color": "#c81e28"} | changes
    hint = {name: value for name, value in facts.items() if value is not ...}
    return json.dumps({"photochrom": "hints", "version": 1, "hints": [hint]}).encode()


def file(**changes: object) -> bytes:
    return json.dumps({"photochrom": "hints", "version": 1, "hints": []} | changes).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a file of hints"),
        (b"{", "is not a file of hints"),
        (b"\xff\xfe\x00", "is not a file of hints"),
        (b"\x89PNG\r\n\x1a\n", "is not a file of hints"),
        (b"[" * 100_000, "is not a file of hints"),
        (b"[]", "is not a file of hints"),
        (b"null", "is not a file of hints"),
        (b'"hints"', "is not a file of hints"),
        (b"3", "is not a file of hints"),
        (b"{}", "is not a file of hints"),
        (file(photochrom="card"), "is not a file of hints"),
        (file(version=2), "version 1"),
        (file(version="1"), "version 1"),
        (file(version=[]), "version 1"),
        (file(hints=None), "no list"),
        (file(hints={"x": 0}), "no list"),
        (file(hints="abc"), "no list"),
        (file(hints=[3]), "hint 1 is not an object"),
        (file(hints=[[0.5, 0.5, "#ffffff"]]), "hint 1 is not an object"),
        (file(hints=[json.loads(entry())["hints"][0], None]), "hint 2 is not an object"),
        (file(hints=[json.loads(entry())["hints"][0]] * 1001), "holds 1001 hints"),
        (entry(x=...), "hint 1 has no x"),
        (entry(y=..., color=...), "hint 1 has no y and no color"),
        (entry(x=1.5), "hint 1: a hint's x is 1.5"),
        (entry(x="0.5"), "hint 1: a hint's x"),
        (entry(x=True), "hint 1: a hint's x"),
        (entry(x=[0.5]), "hint 1: a hint's x"),
        (entry(y={}), "hint 1: a hint's y"),
        (entry(y=None), "hint 1: a hint's y"),
        (entry(x=float("nan")), "hint 1: a hint's x is nan"),
        (entry(x=float("inf")), "hint 1: a hint's x is inf"),
        (entry().replace(b"0.5", b"9" * 5000, 1), "hint 1: a hint's x is inf"),
        (entry().replace(b"0.5", b"1e999", 1), "hint 1: a hint's x is inf"),
        (entry().replace(b"0.5", b"[" * 900 + b"]" * 900, 1), ""),
        (entry(radius=0.5), "hint 1: a hint's radius"),
        (entry(radius="big"), "hint 1: a hint's radius"),
        (entry(radius=None), "hint 1: a hint's radius"),
        (entry(color=0xC81E28), "hint 1: the colour is"),
        (entry(color=[200, 30, 40]), "hint 1: the colour is"),
        (entry(color=None), "hint 1: the colour is"),
        (entry(color="reddish"), "hint 1: 'reddish' is not a colour"),
        (entry(color="#" * 100_000), "hint 1: '###"),
        (entry(suggested="no"), "hint 1: suggested is 'no'"),
    ],
)
def test_a_file_that_holds_no_hints_gives_a_one_line_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(OptionError) as error:
        read_hints(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < 300 + len(str(path))
    assert ": " in text[len(str(path)) + 2 :]  # the remedy follows it


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "hints.json"
    with path.open("wb") as stream:
        stream.truncate(4_000_001)
    with pytest.raises(OptionError, match=r"larger than a file of hints can be \(4 MB\): check"):
        read_hints(path)


@pytest.mark.parametrize(("name", "reason"), [("", "directory"), ("gone.json", "No such file"), ("a\0b", "null byte")])
def test_an_unreadable_file_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(OptionError, match=reason) as error:
        read_hints(f"{tmp_path}/{name}")
    assert str(error.value).startswith(str(tmp_path))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
entries = st.fixed_dictionaries(
    {}, optional={"x": shares | anything, "y": shares | anything, "color": st.just("#ffffff") | anything,
                  "radius": anything, "suggested": anything}
)  # fmt: skip


files = st.fixed_dictionaries(
    {"photochrom": st.just("hints"), "version": st.just(1), "hints": st.lists(entries) | anything}
)


@given(files)
@settings(max_examples=300)
@pytest.mark.slow
def test_any_file_gives_hints_or_a_one_line_error(tmp_path_factory: pytest.TempPathFactory, facts: dict) -> None:
    path = tmp_path_factory.getbasetemp() / "any-hints.json"  # a new folder for each example takes longer than the rest
    path.write_text(json.dumps(facts))
    error, found = "", ()
    try:
        found = read_hints(path)
    except OptionError as exc:
        error = str(exc)
    assert "\n" not in error
    assert error or len(found) == len(facts["hints"])


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 256), (256, 64), (32, 96)])
@pytest.mark.parametrize(("x", "y"), [(0.5, 0.5), (0, 0), (1, 1), (0, 1), (0.2, 0.9)])
def test_planes_have_the_disc_where_the_hint_is(height: int, width: int, x: float, y: float) -> None:
    known, a, b = hint_planes([Hint(x, y, RED, radius=0.1)], height, width)
    rows, columns = np.mgrid[:height, :width] + 0.5
    away = np.hypot(rows - y * height, columns - x * width) / min(height, width)
    assert (known[away < 0.1 - 1.5 / 32] == 1).all()
    assert (known[away > 0.1 + 1.5 / 32] == 0).all()
    assert known.max() == 1
    expected = ab_of(RED)
    np.testing.assert_allclose(a, known * expected[0], atol=0.1)
    np.testing.assert_allclose(b, known * expected[1], atol=0.1)


@given(st.lists(hints, min_size=1, max_size=5), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=50)
def test_planes_hold_every_hint_down_to_one_pixel(given: list[Hint], height: int, width: int) -> None:
    found = hint_planes(given, height, width)
    assert found.shape == (3, height, width)
    assert found.dtype == np.float32
    assert set(np.unique(found[0])) <= {0, 1}
    assert (found[1:, found[0] == 0] == 0).all()
    last = given[-1]
    np.testing.assert_allclose(found[:, *last.pixel((height, width))], [1, *ab_of(last.color)], atol=0.1)


def test_where_hints_overlap_the_later_one_counts() -> None:
    wide, small = Hint(0.5, 0.5, (0, 0, 255), radius=0.25), Hint(0.5, 0.5, RED, radius=0.05)
    over, under = hint_planes([wide, small], 64, 64), hint_planes([small, wide], 64, 64)
    np.testing.assert_array_equal(over[0], under[0])
    np.testing.assert_allclose(over[1:, 32, 32], ab_of(RED), atol=0.1)
    np.testing.assert_allclose(over[1:, 32, 40], ab_of((0, 0, 255)), atol=0.1)
    np.testing.assert_allclose(under[1:, 32, 32], ab_of((0, 0, 255)), atol=0.1)


def colour_at(ab: np.ndarray, hint: Hint) -> np.ndarray:
    return ab[:, *hint.pixel(ab.shape[1:])]


def many(count: int, seed: int = 0) -> list[Hint]:
    rng = np.random.default_rng(seed)
    return [Hint(*rng.random(2), tuple(int(v) for v in rng.integers(0, 256, 3))) for _ in range(count)]


CLOSE = [Hint(0.5, 0.5, RED), Hint(0.5 + 1.2 / 96, 0.5, (20, 40, 220))]  # on neighbouring pixels, in each other's disc


HEAP = [Hint(0.4 + i % 10 / 250, 0.4 + i // 10 / 250, hint.color) for i, hint in enumerate(many(100))]


@pytest.mark.parametrize(
    "given", [[Hint(1, 1, RED)], CLOSE, CLOSE[::-1], many(10), HEAP], ids=["1", "2", "2 turned", "10", "heap"]
)
@pytest.mark.parametrize("flat", [True, False])
def test_hints_are_met_exactly(given: list[Hint], flat: bool) -> None:
    ab, lightness = scene(256, 256) if given is HEAP else scene()
    propagated = propagate_hints(ab, np.full_like(lightness, 50) if flat else lightness, given)
    assert propagated.dtype == np.float32
    for hint in given:
        np.testing.assert_allclose(colour_at(propagated, hint), ab_of(hint.color), atol=0.5)


def test_a_disc_of_one_tone_has_one_colour() -> None:
    ab = np.zeros((2, 64, 64), np.float32)
    propagated = propagate_hints(ab, np.full((64, 64), 50, np.float32), [Hint(0.5, 0.5, RED, radius=0.1)])
    np.testing.assert_allclose(propagated[:, 32, 27:38].T, np.tile(ab_of(RED), (11, 1)), atol=0.5)
    assert np.abs(propagated[:, 32, 45]).max() > 1  # and falls off around it
    assert np.abs(propagated[:, 0, 0]).max() < 0.01


def slowly_propagated(ab: np.ndarray, lightness: np.ndarray, given: list[Hint]) -> np.ndarray:
    """Propagate hints by the formula, in double precision: Shepard's weighted mean of the differences at the hints."""
    height, width = lightness.shape
    rows, columns = np.mgrid[:height, :width]
    change, total, most = np.zeros(ab.shape), np.zeros(lightness.shape), np.zeros(lightness.shape)
    places = [hint.pixel((height, width)) for hint in given]
    for (row, column), hint in dict(zip(places, given, strict=True)).items():
        away = np.hypot(rows - row, columns - column) / min(height, width)
        contrast = ((lightness - lightness[row, column]).astype(float) / 10) ** 2
        influence = np.exp(-((np.maximum(away - hint.radius, 0) / 0.12) ** 2 + contrast) / 2)
        weight = influence / ((away / 0.12) ** 2 + contrast + 1e-9)
        change += weight * (ab_of(hint.color) - colour_at(ab, hint))[:, None, None]
        total, most = total + weight, np.maximum(most, influence)
    return ab + most * change / np.maximum(total, 1e-9)


@pytest.mark.parametrize("given", [[Hint(0, 0.9, RED)], CLOSE, many(40), [Hint(0.3, 0.3, RED, radius=0.2)]])
@pytest.mark.parametrize(("height", "width"), [(64, 400), (96, 64)])
def test_settling_is_exact_though_quick(given: list[Hint], height: int, width: int) -> None:
    ab, lightness = scene(height, width)
    lightness = 50 + (lightness - 50) / 3
    np.testing.assert_allclose(
        propagate_hints(ab, lightness, given), slowly_propagated(ab, lightness, given), atol=2e-2
    )


@pytest.mark.parametrize("radius", [0.01, 0.2])
def test_reach_falls_with_distance_from_the_disc_and_with_contrast(radius: float) -> None:
    rows, columns = np.mgrid[:64, :400]
    lightness = (columns / 8).astype(np.float32)
    found = hint_influence(lightness, [Hint(0.25, 0.5, RED, radius=radius), Hint(0.9, 0.1, RED)])
    expected = np.zeros((64, 400))
    for row, column, disc in ((32, 100, radius), (6, 360, 0.01)):
        away = np.maximum(np.hypot(rows - row, columns - column) / 64 - disc, 0) / 0.35
        expected = np.maximum(expected, np.exp(-(away**2 + ((columns - column) / 8 / 25) ** 2) / 2))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_hints_nothing_changes() -> None:
    ab, lightness = scene()
    np.testing.assert_array_equal(propagate_hints(ab, lightness, ()), ab)


def test_arguments_are_not_modified() -> None:
    ab, lightness = scene()
    before = ab.copy()
    propagate_hints(ab, lightness, CLOSE)
    np.testing.assert_array_equal(ab, before)


def test_a_hint_does_not_cross_an_edge() -> None:
    ab = np.zeros((2, 64, 64), np.float32)
    lightness = np.full((64, 64), 30, np.float32)
    lightness[:, 32:] = 70
    propagated = propagate_hints(ab, lightness, [Hint(31.5 / 64, 0.5, RED, radius=0.1)])
    np.testing.assert_allclose(propagated[:, 32, 29], ab_of(RED), atol=0.5)
    assert np.abs(propagated[..., 32:]).max() < 0.1


def test_the_last_of_two_colours_at_one_point_counts() -> None:
    ab, lightness = scene()
    both = propagate_hints(ab, lightness, [Hint(0.5, 0.5, (0, 0, 255)), Hint(0.5, 0.5, RED)])
    np.testing.assert_array_equal(both, propagate_hints(ab, lightness, [Hint(0.5, 0.5, RED)]))


coordinates = st.sampled_from([0.5, 0.5 + 1 / 96, 0.5 + 1 / 64]) | shares
crowded = st.builds(Hint, coordinates, coordinates, st.tuples(bytes_, bytes_, bytes_), st.floats(0, 0.25))


@given(st.lists(crowded, min_size=1, max_size=12), st.integers(0, 99), st.sampled_from([0, 1, 100]))
@settings(max_examples=100)
@pytest.mark.slow
def test_nothing_changes_by_more_than_the_worst_hint(given: list[Hint], seed: int, contrast: float) -> None:
    ab, lightness = scene(seed=seed)
    propagated = propagate_hints(ab, 50 + (lightness - 50) * contrast / 100, given)
    assert np.isfinite(propagated).all()
    worst = max(np.hypot(*(ab_of(hint.color) - colour_at(ab, hint))) for hint in given)
    assert np.hypot(*(propagated - ab)).max() <= 1.01 * worst + 0.1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width"), [(90, 120), (300, 200)])
def test_a_model_without_hints_is_corrected(fake_colorizer, dtype: type, height: int, width: int) -> None:
    """The model makes everything orange, and takes no hints."""
    assert not fake_colorizer.card.hints
    luma = np.full((height, width), np.iinfo(dtype).max // 2, dtype)
    blue = (60, 110, 190)
    rgb = fake_colorizer.colorize(luma, ColorOptions(hints=(Hint(0.25, 0.75, blue, radius=0.05),)))
    lab = rgb2lab(rgb)
    np.testing.assert_allclose(lab[height * 3 // 4, width // 4, 1:], ab_of(blue), atol=1.5)
    np.testing.assert_allclose(lab[height // 4, width * 3 // 4, 1:], [30, 40], atol=1.5)
    assert np.abs(luma_of_rgb(rgb).astype(int) - luma).max() <= 1


def test_hints_load_nothing_heavy() -> None:
    code = (
        "import sys; from photochrom import ColorOptions, Hint, read_hints; ColorOptions(hints=(Hint(0, 0, (0,)*3),));"
    )
    code += "print({'numpy', 'cv2', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("x", "y", "pixel"), [(0, 0, (0, 0)), (1, 1, (3, 9)), (0.5, 0.5, (2, 5)), (0.999, 0, (0, 9)), (0, 0.2499, (0, 0))]
)
def test_a_hint_knows_its_pixel_and_writes_its_colour(x: float, y: float, pixel: tuple[int, int]) -> None:
    assert Hint(x, y, RED).pixel((4, 10)) == pixel
    assert Hint(x, y, RED).pixel((4, 10, 3)) == pixel
    assert Hint(x, y, (10, 0, 255)).hex == "#0a00ff"
