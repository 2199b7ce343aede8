"""Cells of one object agree on one of their likely colours."""

import numpy as np
import pytest

from photochrom import Colorizer, ColorOptions
from photochrom.colorizer import coherence
from photochrom.colorizer.coherence import coherent, mean_color
from photochrom.colorizer.network import network_inputs
from tests.helpers.suggesting import BINS, hinting_engine

TUPLES = tuple(map(tuple, BINS.tolist()))
ORANGE, VIOLET, GREEN = ((color == BINS).all(1).argmax() for color in ((40, 40), (40, -40), (-40, 40)))


def torn(first, second, height=16, width=24, seed=0):
    """Return distributions of cells undecided between two colours, on average slightly in favour of the first."""
    share = np.random.default_rng(seed).uniform(0.25, 0.95, (height, width)).astype(np.float32)
    probability = np.full((len(BINS), height, width), 1e-4, np.float32)
    probability[first], probability[second] = share, 1 - share
    return probability / probability.sum(0)


def luma(height=16, width=24, value=120):
    return np.full((8 * height, 8 * width), value, np.uint8)


def test_a_coat_that_may_be_orange_or_violet_comes_out_in_one_of_them():
    before = torn(ORANGE, VIOLET)
    after = coherent(before, luma(), TUPLES, 0.002)
    assert np.allclose(after.sum(0), 1, atol=1e-5)
    assert (before[ORANGE] > before[VIOLET]).mean() < 0.75
    assert (after[ORANGE] > after[VIOLET]).mean() > 0.99


def test_a_certain_cell_keeps_its_colour():
    before = torn(ORANGE, VIOLET)
    before[:, 8, 12] = 0
    before[GREEN, 8, 12] = 1
    after = coherent(before, luma(), TUPLES, 0.002)
    assert after[GREEN, 8, 12] > 0.9


def test_things_of_another_lightness_do_not_join():
    before, grey = torn(ORANGE, VIOLET), luma()
    before[:, :, 12:] = torn(VIOLET, ORANGE)[:, :, 12:]
    grey[:, 96:] = 200
    ab = mean_color(coherent(before, grey, TUPLES, 0.002), TUPLES)
    assert (ab[1, :, :11] > 0).all()
    assert (ab[1, :, 13:] < 0).all()


def test_colours_that_are_improbable_everywhere_change_nothing(monkeypatch):
    before = torn(ORANGE, VIOLET)
    before[:] = np.where(before < 1e-3, 5e-5, before)  # below the limit, and high enough to count if it were lower
    after = coherent(before, luma(), TUPLES, 0.002)
    monkeypatch.setattr(coherence, "_RARE", np.float32(0))
    with_all = coherent(before, luma(), TUPLES, 0.002)
    assert np.count_nonzero(after.any((1, 2))) == 2
    assert np.all(with_all > 0)
    assert np.abs(mean_color(after, TUPLES) - mean_color(with_all, TUPLES)).max() < 0.5


def test_a_grid_of_one_cell_is_possible():
    one = coherent(torn(ORANGE, VIOLET, 1, 1), luma(1, 1), TUPLES, 0.002)
    assert one.shape == (len(BINS), 1, 1)
    assert np.isfinite(one).all()


@pytest.mark.parametrize("vividness", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("level", [40, 120])
def test_the_colorizer_decodes_the_cells_together_and_raises_their_chroma(level, vividness):
    colorizer, options = Colorizer(engine=hinting_engine()), ColorOptions(vividness=vividness)
    prediction = colorizer.predict(np.tile(np.arange(64, dtype=np.uint8) + level, (64, 1)), options)
    bins, probability = colorizer.card.bins, prediction.probability
    agreed = mean_color(coherent(probability, prediction.luma, bins, 0.002 + 0.006 * max(0, vividness - 0.5)), bins)
    assert np.allclose(prediction.ab, agreed * 2 ** min(vividness, 0.5), atol=1e-3)
    inputs = network_inputs(prediction.luma, options, colorizer.card)
    assert inputs["vividness"] == pytest.approx(0.7 * min(vividness, 0.5))


def test_leaning_makes_only_cells_vivid_that_expect_one_hue():
    pale, vivid = ((color == BINS).all(1).argmax() for color in ((20, 20), (60, 60)))
    one_hue, any_hue = torn(pale, vivid), np.full((len(BINS), 16, 24), 1 / len(BINS), np.float32)

    def chroma(before, lean):
        return np.hypot(*mean_color(coherent(before, luma(), TUPLES, lean), TUPLES)).mean()

    assert chroma(one_hue, 0.005) > 1.1 * chroma(one_hue, 0)
    assert chroma(any_hue, 0.005) < 1
