"""Colours borrowed from another photograph."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from skimage import data
from skimage.color import deltaE_ciede2000, rgb2lab

from photochrom import Colorizer, ColorOptions, EngineError, ModelError
from photochrom.color.spaces import luma_of_rgb
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
    assert len(few) < 10


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
