"""Flat background keeps its own colour up to the edges of objects, and nothing else changes."""

import cv2
import numpy as np
import pytest

from photochrom.color.upsample import along_edges, to_thumbnail
from tests.helpers.petals import petals

RED = np.array([40.0, 30.0])


def cells(ab, softness=0.7):
    """Return the a*b* that a good network would predict: the mean of each cell of 8 by 8 pixels, slightly blurred."""
    small = [cv2.resize(plane, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA) for plane in ab]
    return np.stack([cv2.GaussianBlur(plane, (0, 0), softness) for plane in small]).astype(np.float32)


def halo(upsampled, paper, width=14):
    """Return the mean chroma of paper near the flower, where it should be 0."""
    away = cv2.distanceTransform(paper.astype(np.uint8), cv2.DIST_L2, 5)
    return float(np.hypot(*upsampled)[(away > 1) & (away < width)].mean())


@pytest.mark.parametrize("softness", [0.4, 0.7, 1.2])
def test_paper_between_petals_is_paper(softness):
    lightness, ab, paper = petals()
    small = cells(ab, softness)
    found, before = (halo(method(small, lightness), paper) for method in (to_thumbnail, along_edges))
    assert found < 0.55 * before
    assert found < 2.0 or softness > 1


def test_dark_ground_has_no_halo_either():
    lightness, ab, paper = petals()
    small, lightness = cells(ab), 100 - lightness
    assert halo(to_thumbnail(small, lightness), paper) < 0.5 * halo(along_edges(small, lightness), paper)


def test_the_flower_keeps_its_colour():
    lightness, ab, _ = petals()
    found, before = (method(cells(ab), lightness) for method in (to_thumbnail, along_edges))
    errors = [float(np.hypot(*(ab - each))[ab[0] > 39].mean()) for each in (found, before)]
    assert errors[0] < errors[1] + 0.3


def test_a_branch_against_the_sky_keeps_its_colour():
    """No flat cell has the branch's lightness, so there is no other colour to take."""
    lightness, ab = np.full((256, 256), 80, np.float32), np.zeros((2, 256, 256), np.float32)
    ab[1], branch = -25, np.s_[:, 100:104]
    lightness[branch], ab[0][branch], ab[1][branch] = 20, 15, 20
    found, before = (method(cells(ab), lightness) for method in (to_thumbnail, along_edges))
    assert np.abs((found - before)[:, *branch]).max() < 0.5
    sky = np.s_[1, :, 106:116]
    assert np.abs(found[sky] + 25).mean() < 0.5 * np.abs(before[sky] + 25).mean()


def test_neighbours_of_one_lightness_and_two_colours_are_left_alone():
    """If a face and the wall behind it are equally light, a pixel cannot be assigned to one of them."""
    rng = np.random.default_rng(1)
    lightness = (70 + rng.normal(0, 0.5, (256, 256))).astype(np.float32)
    lightness[:, 124:128] = 30
    ab = np.zeros((2, 256, 256), np.float32)
    ab[:, :, 128:] = RED[:, None, None]
    small = cells(ab)
    assert np.abs(to_thumbnail(small, lightness) - along_edges(small, lightness)).mean() < 0.6


def test_texture_is_left_alone():
    rng = np.random.default_rng(2)
    lightness = rng.uniform(20, 80, (256, 256)).astype(np.float32)
    small = rng.normal(0, 15, (2, 32, 32)).astype(np.float32)
    assert np.abs(to_thumbnail(small, lightness) - along_edges(small, lightness)).max() < 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 1), (5, 7), (4, 33)])
@pytest.mark.parametrize("scale", [1, 4, 8])
def test_one_colour_stays_one_colour_at_any_size(shape, scale):
    height, width = shape
    rng = np.random.default_rng(3)
    lightness = rng.choice([20.0, 90.0], (height, width)).astype(np.float32).repeat(scale, 0).repeat(scale, 1)
    ab = np.tile(RED.astype(np.float32)[:, None, None], (1, height, width))
    found = to_thumbnail(ab, lightness)
    assert found.shape == (2, *lightness.shape)
    assert np.abs(found - RED[:, None, None]).max() < 0.01
