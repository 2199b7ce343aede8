"""Ageing is deterministic and visible, and the simulated films respond as described."""

import numpy as np
import pytest

from photochrom.color.spaces import luma_of_rgb
from photochrom.training.data import aging


@pytest.fixture(scope="module")
def rgb():
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:256, 100:300])


def test_the_same_state_gives_the_same_picture(rgb):
    first = aging.age(rgb, np.random.default_rng(5))
    assert first.dtype == np.uint8
    assert first.shape == rgb.shape[:2]
    np.testing.assert_array_equal(first, aging.age(rgb, np.random.default_rng(5)))
    assert (first != aging.age(rgb, np.random.default_rng(6))).mean() > 0.3


def test_the_given_picture_is_not_modified(rgb):
    before = rgb.copy()
    for seed in range(20):
        aging.age(rgb, np.random.default_rng(seed))
    np.testing.assert_array_equal(rgb, before)


def test_aged_pictures_still_show_the_same(rgb):
    luma = luma_of_rgb(rgb).astype(float)
    likeness = [
        np.corrcoef(luma.ravel(), aging.age(rgb, np.random.default_rng(seed)).ravel().astype(float))[0, 1]
        for seed in range(40)
    ]
    assert min(likeness) > 0.4
    assert max(likeness) > 0.97
    assert np.mean(likeness) < 0.97


def test_early_films_show_red_dark_and_blue_light():
    """They are compared with a panchromatic film exposed to the same three patches."""
    patches = np.zeros((30, 30, 3), np.uint8)
    patches[:10, :, 0] = patches[10:20, :, 1] = patches[20:, :, 2] = 200
    seen = {"orthochromatic": [], "blue-sensitive": [], "panchromatic": []}
    for seed in range(60):
        kind = np.random.default_rng(seed).choice(list(aging._EMULSIONS), p=aging._EMULSION_PROBABILITIES)
        film = aging.emulsion(patches, np.random.default_rng(seed))
        seen[kind].append((film[5, 5], film[15, 15], film[25, 25]))
    red, green, blue = np.mean(seen["orthochromatic"], axis=0)
    assert red < 0.6 * min(green, blue)
    red, green, blue = np.mean(seen["blue-sensitive"], axis=0)
    assert blue > 1.5 * green > 1.5 * red
    assert np.mean(seen["panchromatic"], axis=0).min() > 0.25


@pytest.mark.parametrize("defect", [defect for _, defect in aging._DEFECTS], ids=lambda defect: defect.__name__)
def test_each_defect_changes_the_picture_and_more_with_severity(defect, rgb):
    film = luma_of_rgb(rgb).astype(np.float32) / 255

    def change(severity):
        changes = [np.abs(defect(film.copy(), np.random.default_rng(s), severity) - film).mean() for s in range(12)]
        return float(np.mean(changes))

    assert change(1.0) > 1.2 * change(0.25) > 0
