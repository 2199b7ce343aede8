"""Photographs that look like negatives are detected, and the network only runs again where that may help."""

import numpy as np
import pytest

from photochrom import Colorizer, ColorOptions
from photochrom.color.polarity import statistics
from photochrom.photo import negatives
from tests.helpers.suggesting import hinting_engine


@pytest.fixture
def runs() -> list[int]:
    return []


def test_statistics_change_their_sign_with_the_picture() -> None:
    rng = np.random.default_rng(0)
    luma = np.clip(rng.gamma(2, 30, (90, 130)) + np.linspace(120, 0, 90)[:, None], 0, 255).astype(np.uint8)
    found = statistics(luma)
    assert found[4] > 0.5  # it is brighter above
    assert found[5] > 0.1  # grains are brighter than their background
    assert np.allclose(statistics(255 - luma), -found, atol=0.02)


def test_a_glass_negative_of_a_house_below_clouds_is_noticed_and_its_print_is_not() -> None:
    """The numbers are from a small scan of such a plate, which an earlier rule did not detect."""
    plate = np.array([-0.04, 0.0, -0.62, 0.09, -0.58, -0.04, 0.11])
    assert negatives.may_be_negative(plate)
    assert negatives.is_negative(plate, -0.101, -1.4)
    assert not negatives.is_negative(-plate, 0.101, 1.4)


def test_a_surely_positive_picture_costs_no_second_run(runs: list[int]) -> None:
    colorizer = Colorizer(engine=hinting_engine(runs))
    dark = np.full((64, 64), 40, np.uint8)
    dark[:32] = 60
    prediction = colorizer.predict(dark)
    runs.clear()
    assert not negatives.looks_negative(colorizer, prediction, ColorOptions())
    assert runs == []
    prediction = colorizer.predict(255 - dark)
    runs.clear()
    negatives.looks_negative(colorizer, prediction, ColorOptions())
    assert runs == [1]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_blank_pictures_and_drawings_are_not_called_negatives(level: int) -> None:
    """Drawings have very skewed detail, with black lines on white as with white lines on black."""
    luma = np.full((120, 160), level, np.uint8)
    assert not negatives.is_negative(statistics(luma), 0.0, -70.0) or not negatives.may_be_negative(statistics(luma))
    luma[::30, 20:140] = 255 - level
    assert np.abs(statistics(luma)[5:]).max() <= 1.5
