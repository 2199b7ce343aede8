"""Colours borrowed from another photograph."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from photochrom import Colorizer, ColorOptions, EngineError, ModelError, OptionError
from photochrom.color.spaces import luma_of_rgb
from photochrom.color.toning import is_nearly_grey
from photochrom.colorizer.reference_photographs import References, encoder_of


@pytest.fixture(scope="module")
def colorizer():
    return Colorizer()


@pytest.fixture(scope="module")
def references(colorizer):
    return References(colorizer)


@pytest.mark.slow
def test_the_same_scene_lends_its_true_colours(colorizer, references):
    """The two pictures show one motorcycle, taken side by side."""
    left, right, _ = data.stereo_motorcycle()
    luma = luma_of_rgb(left)
    hints = references.borrow(luma, np.ascontiguousarray(right))
    assert len(hints) > 40
    assert all(hint.suggested for hint in hints)  # no person has said which place has which colour
    truth = rgb2lab(left)

    def error(options):
        return deltaE_ciede2000(truth, rgb2lab(colorizer.colorize(luma, options))).mean()

    assert error(ColorOptions(hints=hints)) < 0.9 * error(ColorOptions())


@pytest.mark.slow
def test_a_picture_borrows_its_own_colours(references):
    rgb = data.coffee()
    hints = references.borrow(luma_of_rgb(rgb), rgb)
    height, width, _ = rgb.shape
    own = np.array([rgb[int(hint.y * height), int(hint.x * width)] for hint in hints], int)
    lent = np.array([hint.color for hint in hints], int)
    assert len(hints) > 60
    assert np.median(np.abs(own - lent).mean(1)) < 16


def test_different_pictures_lend_hardly_any_colours(references):
    few = references.borrow(luma_of_rgb(data.coffee()), data.astronaut())
    assert len(few) < 4


def in_greys(kind: str) -> np.ndarray:
    """Return a photograph without colour, R'G'B', with noise in each channel, a cast, or traces of its colours."""
    rgb = data.astronaut().astype(float)
    grey = np.repeat(rgb @ [[0.299], [0.587], [0.114]], 3, axis=2)
    noise = np.random.default_rng(0).normal(0, 12, rgb.shape)
    kinds = {"grey": grey, "noise": grey + noise, "cast": grey * (1, 0.98, 0.95), "traces": grey + 0.05 * (rgb - grey)}
    return np.clip(kinds[kind], 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["grey", "noise", "cast", "traces"])
def test_a_photograph_without_colour_lends_none(kind, references):
    luma, reference = luma_of_rgb(data.astronaut()), in_greys(kind)
    with pytest.raises(OptionError, match=r"^the reference has no colours to borrow: choose a photograph in colour$"):
        references.borrow(luma, reference)
    with pytest.raises(OptionError, match=r"^scans/a\.jpg: has no colours to borrow: choose") as caught:
        references.borrow(luma, reference, "scans/a.jpg")
    assert caught.value.path == Path("scans/a.jpg")


def test_a_pale_photograph_and_a_small_thing_in_colour_can_be_borrowed_from():
    rgb, grey = data.astronaut().astype(float), in_greys("grey")
    assert not is_nearly_grey((grey + 0.25 * (rgb - grey)).astype(np.uint8))
    grey[200:264, 100:164] = (200, 60, 60)
    assert not is_nearly_grey(grey)


def test_without_openvino_the_error_says_what_to_install(colorizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match="pip install openvino"):
        References(colorizer).borrow(luma_of_rgb(data.coffee()), data.coffee())


def test_a_network_without_an_encoder_is_named():
    import openvino
    from openvino import opset13

    picture = opset13.parameter([1, 1, -1, -1], np.float32, "lightness")
    picture.output(0).set_names({"lightness"})
    with pytest.raises(ModelError, match="no encoder to match pictures with"):
        encoder_of(openvino.Model([opset13.relu(picture)], [picture]))
