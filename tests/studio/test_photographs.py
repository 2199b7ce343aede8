"""Photographs on the tray: choices, displayed pictures, and downloads."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from photochrom import Colorizer, Hint, Prediction, alternatives, photo, read_hints
from photochrom.color.bands import small
from photochrom.color.gamut import rgb_of_luma
from photochrom.color.spaces import luma_of_rgb
from photochrom.colorizer import suggestions
from photochrom.commands.main import main
from photochrom.errors import OptionError, PhotoError
from photochrom.photo.confidence import least_sure_places
from photochrom.studio import photographs
from photochrom.studio.photographs import read, read_in_color
from photochrom.studio.pictures import PREVIEW
from photochrom.studio.render import doubt_map
from tests.helpers import profiles
from tests.helpers.fakes import FakeEngine
from tests.helpers.photographs import linear_dng, saved
from tests.helpers.studio_server import RefusedError, Visitor
from tests.helpers.suggesting import hinting_engine
from tests.studio.conftest import luma, picture, png, rgb

BLUE = "#283cc8"


@pytest.fixture
def large():
    """Return a grey photograph larger than its display size."""
    return cv2.resize(data.camera(), (1800, 1500))


def test_a_photograph_is_shown_in_colour_and_as_it_was(visitor):
    item = visitor.add("old.png", png(picture(1)))
    shown, original = (rgb(visitor.fetch(f"/api/items/{item}/{name}.jpg")) for name in ("picture", "original"))
    assert shown.shape[:2] == original.shape[:2] == picture(1).shape
    assert np.ptp(shown, axis=2).mean() > 5
    assert np.ptp(original, axis=2).max() == 0
    assert np.abs(original[..., 0] - picture(1)).mean() < 3
    assert max(rgb(visitor.fetch(f"/api/items/{item}/small.jpg")).shape) <= 240


@pytest.mark.slow
@pytest.mark.parametrize("detail", [1.0, 2.0])
def test_the_small_picture_has_the_colours_of_the_full_size(detail, open_studio, colorizer, large, tmp_path):
    visitor = Visitor(open_studio(max_megapixels=5, detail=detail)())
    item = visitor.add("old.png", png(large, dpi=(300, 300)))
    state = visitor.put(item, 0.3, 0.3)
    assert (state["width"], state["height"]) == (1800, 1500)
    _, file = visitor.download(item)
    with Image.open(io.BytesIO(file)) as written:
        assert written.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    full = rgb(file)
    (tmp_path / "old.png").write_bytes(png(large))
    whole = photo.read_photo(tmp_path / "old.png").luma
    options = replace(photochrom_options(visitor, item, tmp_path), detail=detail)
    np.testing.assert_array_equal(full, rgb_of_luma(whole, *colorizer.chroma(whole, options)))
    shown = rgb(visitor.fetch(f"/api/items/{item}/picture.jpg"))
    assert max(shown.shape) == PREVIEW
    reduced = cv2.resize(full.astype(np.uint8), shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shown - reduced).mean() < 3  # it is a JPEG


def test_the_network_sees_a_picture_in_a_wide_mount_as_sharp_as_from_the_command_line(open_studio, tmp_path):
    fake, seen = hinting_engine(working_size=256), []

    def answer(inputs):
        seen.append(inputs["lightness"])
        return fake.run(inputs)

    (tmp_path / "fake.onnx").write_bytes(b"fake")
    colorizer = Colorizer(tmp_path / "fake.onnx", engine=FakeEngine(answer, fake.metadata))
    mounted = np.pad(data.camera()[::2, ::2], 192, constant_values=250)
    colorizer.predict(mounted)
    visitor = Visitor(open_studio(colorizer)())
    visitor.download(visitor.add("mounted.png", png(mounted)))
    assert {each.shape for each in seen} == {(1, 1, 256, 256)}
    assert np.abs(seen[1] - seen[0]).mean() < 0.02


def photochrom_options(visitor, item, folder):
    from photochrom import ColorOptions

    (folder / "hints.json").write_bytes(visitor.fetch(f"/api/items/{item}/hints.json"))
    state = visitor.item(item)
    return ColorOptions(state["vividness"], state["strength"], read_hints(folder / "hints.json"))


@pytest.mark.slow
def test_tiles_make_the_full_size(open_studio, large):
    visitor = Visitor(open_studio(max_megapixels=5)())
    item = visitor.add("old.png", png(large))
    whole = rgb(visitor.download(item)[1])
    grey = np.empty_like(whole)
    tiled = np.empty_like(whole)
    for row in range(3):
        for column in range(4):
            address = f"/api/items/{item}/tile/{column}/{row}.jpg"
            place = np.s_[512 * row : 512 * row + 512, 512 * column : 512 * column + 512]
            tiled[place], grey[place] = rgb(visitor.fetch(address)), rgb(visitor.fetch(f"{address}?grey"))
    assert np.abs(tiled - whole).mean() < 3
    assert np.abs(grey[..., 0] - large).mean() < 3
    for place in ("4/0", "0/3", "9999999/0"):
        with pytest.raises(RefusedError, match="400 the picture has no such tile"):
            visitor.fetch(f"/api/items/{item}/tile/{place}.jpg")


def test_known_predictions_are_not_computed_again(tmp_path, open_studio):
    runs = []
    (tmp_path / "fake.onnx").write_bytes(b"fake")
    visitor = Visitor(open_studio(Colorizer(tmp_path / "fake.onnx", engine=hinting_engine(runs)))())
    item = visitor.add("old.png", png(picture(1)))

    def asked(act):
        runs.clear()
        act()
        visitor.fetch(f"/api/items/{item}/picture.jpg")
        return len(runs)

    assert asked(lambda: None) == 1
    assert asked(lambda: visitor.edit(item, "dial", dial="strength", value=0.5)) == 0
    assert asked(lambda: visitor.put(item, 0.5, 0.5)) == 1
    assert asked(lambda: visitor.fetch(f"/api/items/{item}/small.jpg")) == 0
    assert asked(lambda: visitor.edit(item, "dial", dial="vividness", value=0.9)) == 2
    assert asked(lambda: visitor.edit(item, "marks", marks=[])) == 0


def test_choices_are_undone_and_redone_and_every_change_has_its_number(visitor):
    item = visitor.add("old.png", png(picture(1)))
    states = [
        visitor.put(item, 0.2, 0.2),
        visitor.put(item, 0.8, 0.8, BLUE),
        visitor.edit(item, "dial", dial="vividness", value=0.1),
        visitor.edit(item, "dial", dial="vividness", value=0.9),
        visitor.edit(item, "undo"),
        visitor.edit(item, "undo"),
    ]
    assert [state["revision"] for state in states] == [1, 2, 3, 4, 5, 6]
    assert [[mark["color"] for mark in state["marks"]] for state in states[1:]] == [["#c81e28", BLUE]] * 4 + [
        ["#c81e28"]
    ]
    assert [state["vividness"] for state in states[2:]] == [0.1, 0.9, 0.5, 0.5]  # a turn of a dial is one step
    assert states[-1]["canRedo"]
    assert visitor.edit(item, "redo")["marks"] == states[1]["marks"]
    nothing = visitor.item(item)["revision"]
    assert visitor.edit(item, "dial", dial="strength", value=1)["revision"] == nothing


def test_colours_of_another_window_are_not_replaced(visitor):
    item = visitor.add("old.png", png(picture(1)))
    stroke = {"kind": "stroke", "places": [[0.1, 0.2], [0.3, 1]], "color": "#1e28c8", "radius": 0.03}
    first = visitor.edit(item, "marks", marks=[stroke], before=[])["marks"]
    with pytest.raises(RefusedError, match="400 the colours were changed in another window: look at them, and repeat"):
        visitor.edit(item, "marks", marks=[], before=[])
    assert visitor.item(item)["marks"] == first
    assert visitor.edit(item, "marks", marks=[], before=first)["marks"] == []


def test_a_tray_is_as_it_was_after_a_reload(visitor):
    first, second = (visitor.add(f"{seed}.png", png(picture(seed))) for seed in (1, 2))
    visitor.put(second, 0.2, 0.2)
    again = Visitor(visitor.client)
    assert [(item["id"], item["name"], len(item["marks"])) for item in again.studio["items"]] == [
        (first, "1.png", 0), (second, "2.png", 1),
    ]  # fmt: skip
    assert again.edit(second, "undo")["marks"] == []


def test_guesses_keep_known_colours(visitor, colorizer, tmp_path):
    item = visitor.add("old.png", png(picture(1)))
    visitor.put(item, 0.4, 0.6)
    guesses = visitor.get(f"/api/items/{item}/guesses")
    assert (len(guesses["names"]), guesses["number"]) == (4, 1)
    small_ones = [rgb(visitor.fetch(f"/api/items/{item}/guesses/1/{number}.jpg")) for number in range(4)]
    assert max(map(max, (each.shape for each in small_ones))) <= 320
    state = visitor.edit(item, "guess", guess=2)
    assert state["guess"] == 2
    assert len(state["others"]) > 10  # which the page shows
    options = photochrom_options(visitor, item, tmp_path)
    assert options.hints[-1] == Hint(0.4, 0.6, (200, 30, 40))  # of hints at one place the last counts
    base = [hint for hint in options.hints if not hint.suggested]
    expected = alternatives(colorizer, colorizer.thumbnail(picture(1)), 4, type(options)(0.5, 1.0, tuple(base)))
    assert set(options.hints) == set(expected[2].hints)
    shown = rgb(visitor.fetch(f"/api/items/{item}/picture.jpg"))
    reduced = cv2.resize(shown.astype(np.uint8), small_ones[2].shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(reduced - small_ones[2]).mean() < 4
    assert visitor.edit(item, "guess", guess=None)["others"] == []
    assert visitor.edit(item, "undo")["guess"] == 2


def test_a_guess_that_was_replaced_is_not_mistaken_for_another(visitor):
    item = visitor.add("old.png", png(picture()))
    numbers = [visitor.get(f"/api/items/{item}/guesses")["number"] for _ in range(2)]
    assert visitor.edit(item, "guess", guess=1, of=1)["guess"] == 1
    seen = visitor.item(item)["others"]
    for place in range(1, 5):
        visitor.put(item, 0.2 * place, 0.6)
        numbers.append(visitor.get(f"/api/items/{item}/guesses")["number"])
        if place == 2:  # the page still shows the guesses of the first request
            chosen = visitor.edit(item, "guess", guess=1, of=1)
            assert (chosen["guess"], chosen["others"]) == (None, seen)
    assert numbers == [1, 1, 2, 3, 4, 5]
    for act in (
        lambda: visitor.edit(item, "guess", guess=1, of=1),
        lambda: visitor.edit(item, "guess", guess=1, of=[]),
        lambda: visitor.fetch(f"/api/items/{item}/guesses/1/0.jpg"),
    ):
        with pytest.raises(RefusedError, match="this guess is gone: choose another"):
            act()
    assert visitor.edit(item, "guess", guess=None, of=1)["guess"] is None
    assert visitor.edit(item, "guess", guess=1, of=5)["guess"] == 1


def test_guesses_of_an_earlier_request_do_not_replace_later_ones(visitor, monkeypatch):
    item = visitor.add("old.png", png(picture()))
    is_computing, may_end = threading.Event(), threading.Event()
    compute = photographs.alternatives

    def first_slowly(*arguments, **keywords):
        monkeypatch.setattr(photographs, "alternatives", compute)
        is_computing.set()
        assert may_end.wait(600)
        return compute(*arguments, **keywords)

    monkeypatch.setattr(photographs, "alternatives", first_slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(visitor.get, f"/api/items/{item}/guesses")
        assert is_computing.wait(600)
        visitor.put(item, 0.4, 0.6)
        number = visitor.get(f"/api/items/{item}/guesses")["number"]
        may_end.set()
        assert (first.result()["number"], number) == (1, 2)
    visitor.fetch(f"/api/items/{item}/guesses/2/0.jpg")
    assert visitor.edit(item, "guess", guess=1, of=2)["guess"] == 1


def test_a_model_without_guesses_has_none(open_studio, fake_colorizer):
    visitor = Visitor(open_studio(fake_colorizer)())
    item = visitor.add("old.png", png(picture(1)))
    assert not visitor.studio["guesses"]
    assert visitor.get(f"/api/items/{item}/guesses")["names"] == []
    assert visitor.get(f"/api/items/{item}/likely?x=0.5&y=0.5")["colors"] == []


def test_likely_colours_are_those_of_the_place(visitor):
    item = visitor.add("old.png", png(picture(1)))
    colors = visitor.get(f"/api/items/{item}/likely?x=0.3&y=0.6")["colors"]
    assert 2 <= len(colors) == len(set(colors))
    visitor.put(item, 0.3, 0.6, colors[1], suggested=True)
    assert visitor.get(f"/api/items/{item}/likely?x=0.3&y=0.6")["colors"]


def test_download_equals_the_command_lines_output_for_the_same_hints(visitor, tmp_path):
    """The hints are those of a guess, a point, a stroke and an area."""
    item = visitor.add("old.png", png(picture(3)))
    visitor.get(f"/api/items/{item}/guesses")
    visitor.edit(item, "guess", guess=1)
    visitor.put(item, 0.2, 0.2)
    visitor.put(item, 0.5, 0.5, BLUE, "stroke", places=[[0.4, 0.5], [0.6, 0.5]], radius=0.03)
    visitor.put(item, 0.5, 0.5, BLUE, "area", places=[[0.7, 0.7], [0.9, 0.7], [0.8, 0.9]])
    name, file = visitor.download(item)
    assert name == "old.color.png"
    assert np.abs(luma(file) - picture(3)).max() <= 1
    hints = visitor.client.get(f"/api/items/{item}/hints.json")
    assert hints.headers["content-disposition"].endswith("old.color.json")
    (tmp_path / "hints.json").write_bytes(hints.content)
    read_back = read_hints(tmp_path / "hints.json")
    assert {hint.suggested for hint in read_back} == {True, False}
    again = visitor.add("old.png", png(picture(3)))
    visitor.send(f"/api/items/{again}/hints", "hints.json", hints.content)
    assert visitor.download(again) == (name, file)


SCANS = {
    "ordinary": ("old.png", png(picture(3))),
    "linear": ("old.dng", linear_dng(picture(3))),
    "halftone": ("old.png", saved(Image.fromarray(picture(3)).convert("1"), "PNG")),
}


@pytest.mark.parametrize("kind", SCANS)
def test_scans_of_every_kind_are_coloured_as_from_the_command_line(kind, visitor, colorizer, tmp_path):
    name, content = SCANS[kind]
    (tmp_path / name).write_bytes(content)
    assert photo.read_photo(tmp_path / name).kind == kind
    item = visitor.add(name, content)
    result, file = visitor.download(item)
    photo.colorize_photo(tmp_path / name, tmp_path / result, colorizer=colorizer)
    assert file == (tmp_path / result).read_bytes()
    scene = photo.read_photo(tmp_path / name).scene
    for x, y in np.mgrid[0.1:1:0.2, 0.1:1:0.2].reshape(2, -1).T:
        query = {"name": name, "x": x, "y": y}
        likely = visitor.client.post("/api/likely-colors", params=query, content=content).json()["colors"]
        assert likely == [hint.hex for hint in suggestions.likely_colors(colorizer, scene, x, y)]
        assert visitor.get(f"/api/items/{item}/likely?x={x}&y={y}")["colors"] == likely


def test_a_linear_scan_is_shown_as_it_looks(visitor):
    item = visitor.add(*SCANS["linear"])
    output = tifffile.imread(io.BytesIO(visitor.download(item)[1])) / 65535
    for name in ("picture", "tile/0/0"):
        assert np.abs(rgb(visitor.fetch(f"/api/items/{item}/{name}.jpg")) - 255 * output ** (1 / 2.2)).mean() < 10
    assert np.abs(rgb(visitor.fetch(f"/api/items/{item}/original.jpg"))[..., 0] - picture(3)).mean() < 3


@pytest.mark.slow
def test_hints_of_the_studio_are_hints_of_the_command_line(open_studio, tmp_path):
    visitor = Visitor(open_studio(Colorizer())())
    item = visitor.add("old.png", png(picture(3)))
    visitor.get(f"/api/items/{item}/guesses")
    visitor.edit(item, "guess", guess=1)
    visitor.put(item, 0.39, 0.22)
    (tmp_path / "old.png").write_bytes(png(picture(3)))
    (tmp_path / "old.color.json").write_bytes(visitor.fetch(f"/api/items/{item}/hints.json"))
    assert main(["photo", str(tmp_path / "old.png"), "--hints", str(tmp_path / "old.color.json")]) == 0
    name, file = visitor.download(item)
    assert (tmp_path / name).read_bytes() == file
    assert b"with 1 colour given by hand" in file


def test_hints_of_a_file_replace_all_and_can_be_undone(visitor):
    item = visitor.add("old.png", png(picture(3)))
    visitor.put(item, 0.9, 0.9, BLUE)
    entry = b'{"photochrom": "hints", "version": 1, "hints": [{"x": %s, "y": 0.5, "color": "#c81e28"}]}'
    state = visitor.send(f"/api/items/{item}/hints", "hints.json", entry % b"0.25")
    assert [(mark["color"], mark["places"]) for mark in state["marks"]] == [("#c81e28", [[0.25, 0.5]])]
    with pytest.raises(RefusedError, match=r"^400 wrong\.json: hint 1"):
        visitor.send(f"/api/items/{item}/hints", "wrong.json", entry % b"7")
    assert [mark["color"] for mark in visitor.edit(item, "undo")["marks"]] == [BLUE]


def test_a_download_is_made_once_and_again_if_the_choices_changed(visitor, files):
    item = visitor.add("old.png", png(picture(3)))
    first = visitor.download(item)
    assert visitor.download(item) == first
    visitor.put(item, 0.5, 0.5)
    second = visitor.download(item)
    assert second[1] != first[1]
    assert files() == ["old.color.png", "old.png"]


@pytest.mark.slow
def test_colours_are_borrowed_and_given_back(open_studio, tmp_path):
    left, right, _ = data.stereo_motorcycle()
    studio = open_studio(Colorizer())
    visitor = Visitor(studio())
    item = visitor.add("left.png", png(cv2.cvtColor(left, cv2.COLOR_RGB2GRAY)))
    before = rgb(visitor.fetch(f"/api/items/{item}/picture.jpg"))
    stream = io.BytesIO()
    Image.fromarray(right).save(stream, "JPEG")
    answer = visitor.send(f"/api/items/{item}/reference", "right.jpg", stream.getvalue())
    assert answer["matches"] == answer["borrowed"] == len(answer["others"]) > 10
    borrowed = rgb(visitor.fetch(f"/api/items/{item}/picture.jpg"))
    truth = cv2.resize(left, before.shape[1::-1]).astype(int)
    assert np.abs(borrowed - truth).mean() < np.abs(before - truth).mean()
    grey = np.dstack([cv2.cvtColor(right, cv2.COLOR_RGB2GRAY)] * 3)
    with pytest.raises(RefusedError, match=r"400 grey\.png: has no colours to borrow: choose a photograph in colour"):
        visitor.send(f"/api/items/{item}/reference", "grey.png", png(grey))
    assert visitor.item(item)["borrowed"] == answer["borrowed"]
    assert visitor.edit(item, "give back")["borrowed"] == 0
    np.testing.assert_array_equal(rgb(visitor.fetch(f"/api/items/{item}/picture.jpg")), before)


def test_unsure_places_are_numbered_from_the_most_useful(visitor):
    confidence = np.full((24, 32), 0.9, np.float32)
    confidence[2:14, 2:14] = 0.2
    confidence[18:22, 26:30] = 0.25
    found = doubt_map(Prediction(np.zeros((96, 128), np.uint8), np.zeros((2, 24, 32), np.float32), confidence))
    doubt = np.array(found["map"])
    assert doubt.shape == (24, 32)
    assert (doubt.min(), doubt.max()) == (0, 1)
    assert all(len(str(value)) <= len("0.123") for row in [*found["map"], *found["places"]] for value in row)
    (x, y), *others = found["places"]
    assert (x * 32, y * 24) == (pytest.approx(8, abs=2), pytest.approx(8, abs=2))
    assert all(np.hypot(4 / 3 * (x - a), y - b) > 0.15 for a, b in others)
    item = visitor.add("old.png", png(picture(0)))
    assert set(visitor.get(f"/api/items/{item}/unsure")) == {"map", "places"}


def test_unsure_places_are_those_of_the_command_line():
    confidence = cv2.GaussianBlur(np.random.default_rng(5).random((24, 32), np.float32), (0, 0), 2)
    prediction = Prediction(np.zeros((96, 128), np.uint8), np.zeros((2, 24, 32), np.float32), confidence)
    places = np.array([place[:2] for place in least_sure_places(confidence)])
    assert len(places) == 3
    np.testing.assert_allclose(doubt_map(prediction)["places"], np.clip(places, 0.04, 0.96), atol=0.001)


def test_a_model_without_confidence_is_named():
    with pytest.raises(OptionError, match="does not report its confidence"):
        doubt_map(Prediction(np.zeros((8, 8), np.uint8), np.zeros((2, 1, 1), np.float32)))


def test_too_many_pixels_are_refused_in_one_line_without_the_servers_path(large, tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(png(large))
    for reading in (read, read_in_color):
        with pytest.raises(PhotoError) as caught:
            reading(path, 10**6)
        assert str(caught.value).startswith("old.png: is 1800 x 1500 pixels, more than 1 million")


def test_pillows_limit_does_not_apply_to_a_colour_reference(tmp_path, monkeypatch):
    path, rgb = tmp_path / "reference.png", data.astronaut()
    path.write_bytes(png(rgb))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_in_color(path, 10**6).shape == (512, 512, 3)
    Image.fromarray(rgb).save(path, "WEBP")
    with pytest.raises(PhotoError, match=r"reference\.png: has more pixels than Pillow reads from a WebP: convert it"):
        read_in_color(path, 10**6)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"])
def test_each_format_is_read_in_grey_and_in_colour_up_to_the_limit(tmp_path, format, monkeypatch):
    path, image = tmp_path / f"old.{format.lower()}", Image.fromarray(data.astronaut())
    if format == "HEIF":
        pytest.importorskip("pillow_heif").from_pillow(image).save(path, quality=95)
    else:
        image.save(path, format, quality=95)
    Image.init()
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])  # other libraries may add it
    assert read(path, 512 * 512).luma.shape == (512, 512)
    assert np.abs(read_in_color(path, 512 * 512).astype(int) - data.astronaut()).mean() < 6
    for reading in (read, read_in_color):
        with pytest.raises(PhotoError, match=r"^old\..*: is 512 x 512 pixels, more than 0\.26"):
            reading(path, 512 * 512 - 1)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut short"])
def test_a_file_that_is_not_a_photograph_is_named(tmp_path, content):
    path = tmp_path / "old.jpg"
    path.write_bytes(content)
    for reading in (read, read_in_color):
        with pytest.raises(PhotoError) as caught:
            reading(path, 10**9)
        assert str(caught.value).startswith("old.jpg: ")
        assert str(tmp_path) not in str(caught.value)


def test_a_photograph_without_the_extension_of_its_format_gets_one(open_studio):
    visitor = Visitor(open_studio()())
    for name, named in (("old", "old.color.png"), ("old.bmp", "old.bmp.color.png"), ("old.tif", "old.color.tif")):
        assert visitor.download(visitor.add(name, png(data.camera())))[0] == named
        answer = visitor.client.post("/api/colorize", params={"name": name}, content=png(data.camera()))
        assert f'filename="{named}"' in answer.headers["content-disposition"]


def test_a_reference_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(data.astronaut()[:300]).save(tmp_path / "lent.jpg", exif=exif, quality=95)
    found = read_in_color(tmp_path / "lent.jpg", 10**9)
    expected = np.rot90(data.astronaut()[:300], -1)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 5


def test_a_reference_in_cmyk_is_read_by_its_profile(tmp_path):
    ink = Image.fromarray(data.astronaut()).convert("CMYK")
    ink.save(tmp_path / "lent.jpg", quality=100, icc_profile=profiles.CMYK)
    found = read_in_color(tmp_path / "lent.jpg", 10**9)
    assert np.abs(luma_of_rgb(found).astype(int) - read(tmp_path / "lent.jpg").luma).max() <= 1
    assert np.abs(found.astype(int) - data.astronaut()).mean() > 8  # as without the profile


@pytest.mark.parametrize("name", profiles.PROFILES)
def test_a_reference_is_read_in_srgb(name, tmp_path):
    Image.fromarray(data.astronaut()).save(tmp_path / "lent.png", icc_profile=profiles.PROFILES[name])
    found = read_in_color(tmp_path / "lent.png", 10**9)
    assert np.abs(found - profiles.in_srgb(data.astronaut(), name)).max() < 2


def test_small_pictures_stay_and_16_bits_become_8():
    deep = np.arange(0, 65536, 64, np.uint16).reshape(32, 32)
    assert small(deep, PREVIEW).shape == (32, 32)
    assert small(deep, PREVIEW).dtype == np.uint8
    assert small(np.zeros((10, 3000), np.uint8), PREVIEW).shape == (5, PREVIEW)


def test_metadata_and_transparency_survive(visitor):
    stream = io.BytesIO()
    Image.fromarray(np.dstack([picture(0), picture(0)])).save(stream, "PNG")
    item = visitor.add("alpha.png", stream.getvalue())
    with Image.open(io.BytesIO(visitor.download(item)[1])) as image:
        assert image.mode == "RGBA"


def test_pictures_that_fell_out_of_memory_are_read_again(visitor):
    items = [visitor.add(f"{seed}.png", png(picture(seed)[:64, :64])) for seed in range(27)]
    visitor.put(items[0], 0.5, 0.5)
    assert rgb(visitor.fetch(f"/api/items/{items[0]}/picture.jpg")).shape[:2] == (64, 64)
    assert Path(visitor.download(items[0])[0]).name == "0.color.png"


@pytest.mark.parametrize(("side", "width"), [("600", 600), ("9999", 1600), ("1", 240), ("much", 1600), ("-5", 1600)])
def test_a_picture_is_as_large_as_it_is_shown(visitor, side, width):
    item = visitor.add("wide.png", png(cv2.resize(data.camera(), (1700, 400))))
    for name in ("picture", "original"):
        assert rgb(visitor.fetch(f"/api/items/{item}/{name}.jpg?side={side}")).shape[1] == width


def test_unsure_places_lie_inside_the_picture():
    confidence = np.full((24, 32), 0.9, np.float32)
    confidence[:, 0] = confidence[0] = 0.1  # the edges alone
    prediction = Prediction(np.zeros((96, 128), np.uint8), np.zeros((2, 24, 32), np.float32), confidence)
    found = doubt_map(prediction)["places"]
    assert found
    assert all(0.04 <= share <= 0.96 for place in found for share in place)
