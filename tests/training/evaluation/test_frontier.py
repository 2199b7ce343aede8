"""Accuracy against colourfulness: measured along the dial, and interpolated at equal colourfulness."""

import dataclasses

import numpy as np
import pytest

from photochrom import ColorOptions
from photochrom.training.evaluation import frontier
from photochrom.training.evaluation.metrics import Scores
from tests.helpers.fakes import CARD


def scores(psnr, ciede2000, colorfulness):
    return Scores(psnr, 1.0, ciede2000, 1.0, colorfulness, colorfulness, 1.0)


def line(*colorfulness):
    points = [frontier.Point(i / 10, c, 0.8 + (c or 0) / 10, 2 - (c or 0)) for i, c in enumerate(colorfulness)]
    return frontier.Frontier("vividness", tuple(points))


def test_figures_are_interpolated_between_the_enclosing_settings():
    found = line(0.5, 0.7, 0.9).at(0.75)
    assert found.setting == pytest.approx(0.125)
    assert found.ciede2000_ratio == pytest.approx(0.875)
    assert found.psnr_gain == pytest.approx(1.25)


def test_a_setting_of_exactly_that_colourfulness_is_not_interpolated():
    found = line(0.5, 0.7, 0.9)
    assert dataclasses.astuple(found.at(0.9)) == pytest.approx(dataclasses.astuple(found.points[2]))
    assert line(0.5, 0.5).at(0.5).setting == 0


def test_nothing_is_extrapolated():
    assert line(0.5, 0.7).at(0.72) is None
    assert line(0.5, None, 0.9).at(0.72) is None


def test_means_are_beside_the_grey_and_the_true_pictures():
    photographs = [[frontier.DialScores(22, 8, 10 * i) for i in range(6)], [frontier.DialScores(24, 4, 0)] * 6]
    found = frontier.frontier(
        "vividness", photographs, [scores(20, 10, 0)] * 2, [scores(float("inf"), 0, 30), scores(float("inf"), 0, 20)]
    )
    assert [p.setting for p in found.points] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert [p.colorfulness_ratio for p in found.points] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert [p.ciede2000_ratio for p in found.points] == pytest.approx([0.6] * 6)
    assert [p.psnr_gain for p in found.points] == pytest.approx([3] * 6)


class Dialled:
    """A colorizer that gives everything one chroma, in proportion to its dial."""

    def __init__(self, vividness):
        self.card, self.asked = dataclasses.replace(CARD, vividness=vividness), []

    def colorize(self, luma, options):
        self.asked.append(options)
        return np.repeat(luma[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("vividness", "dial", "settings"),
    [(0.5, "vividness", [0, 0.2, 0.4, 0.6, 0.8, 1]), (None, "strength", [0.5, 0.75, 1, 1.25, 1.5, 2])],
)
def test_a_model_without_vividness_is_dialled_by_strength(vividness, dial, settings):
    colorizer, truth = Dialled(vividness), np.full((16, 16, 3), (90, 60, 40), np.uint8)
    found = frontier.along_dial(colorizer, truth, ColorOptions())
    assert frontier.dial_of(colorizer) == dial
    assert [getattr(options, dial) for options in colorizer.asked] == settings
    assert len(found) == 6
    assert found[0].colorfulness == 0
    assert found[0].ciede2000 > 5
