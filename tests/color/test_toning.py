"""Colour photographs are distinguished from toned prints."""

import cv2
import numpy as np
import pytest
from skimage import data

from photochrom.color.toning import has_colors

TONES = {
    "sepia": [(31, 20, 13), (140, 112, 82), (247, 232, 199)],
    "cyanotype": [(5, 26, 77), (77, 128, 179), (237, 242, 237)],
    "split": [(31, 20, 41), (128, 115, 115), (247, 237, 204)],
}


def toned(rgb, tone):
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    channels = [np.interp(luma, [0, 128, 255], column) for column in zip(*TONES[tone], strict=True)]
    noisy = np.stack(channels, -1) + np.random.default_rng(1).normal(0, 4, rgb.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def foxed(rgb):
    rng = np.random.default_rng(2)
    mask = np.zeros(rgb.shape[:2], np.float32)
    for _ in range(120):
        x, y = (int(rng.integers(side)) for side in (rgb.shape[1], rgb.shape[0]))
        cv2.circle(mask, (x, y), int(rng.integers(1, 12)), float(rng.uniform(0.2, 0.9)), -1)
    share = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    return np.rint(rgb * (1 - share + share * np.array([0.75, 0.55, 0.33]))).astype(np.uint8)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_photographs_in_colour_are_found(name):
    assert has_colors(getattr(data, name)())


@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
def test_toned_and_foxed_prints_are_not_in_colour(name, tone):
    print_ = toned(getattr(data, name)(), tone)
    assert not has_colors(print_)
    assert not has_colors(foxed(print_))


def faded(rgb, lost, stain):
    """Return a colour print whose dyes have lost a share of their density, and whose paper has yellowed."""
    density = -np.log10((rgb.astype(float) + 1) / 256) * (1 - np.array(lost)) + np.array([0, 0, stain])
    return np.clip(np.rint(255 * 10**-density), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_strongly_faded_colour_prints_are_not_in_colour(name):
    """Most of the cyan dye is lost, and red and yellow are left. A slight cast does not count as fading."""
    rgb = getattr(data, name)()
    assert not has_colors(faded(rgb, (0.85, 0.6, 0.65), 0.15))
    assert has_colors(faded(rgb, (0.2, 0.05, 0.1), 0.03))


def test_grey_is_not_in_colour():
    assert not has_colors(np.repeat(data.camera()[..., None], 3, 2))
    assert not has_colors(np.full((1, 1, 3), 200, np.uint8))
