from contextlib import nullcontext

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from photochrom.color.spaces import lab_to_rgb, rgb_to_lab
from photochrom.training.data import dataset
from photochrom.training.networks import losses
from photochrom.training.networks.perceptual_loss import PerceptualLoss, rgb_of_lab


@pytest.fixture(scope="module", params=[1, 2])
def perceptual_loss(request):
    return PerceptualLoss(nullcontext, request.param)


@pytest.fixture(scope="module")
def rocket():
    """Return lightness 0..1 ``[1, 1, 128, 128]`` of a colour photograph, and its a*b* ``[1, 2, 32, 32]``."""
    rgb = dataset.square(data.rocket(), 128)
    lightness = rgb_to_lab(rgb / 255)[..., 0] / 100
    return torch.from_numpy(lightness)[None, None], torch.from_numpy(dataset.true_chroma(rgb, 32))[None]


def test_colours_are_those_of_the_rest_of_the_program():
    rgb = cv2.resize(data.astronaut(), (64, 64), interpolation=cv2.INTER_AREA) / 255
    lab = rgb_to_lab(rgb)
    lab[:8, :, 1:] *= 3  # out of gamut
    planes = torch.from_numpy(lab.transpose(2, 0, 1))[None]
    found = rgb_of_lab(planes[:, :1], planes[:, 1:])[0].permute(1, 2, 0)
    np.testing.assert_allclose(found, np.clip(lab_to_rgb(lab), 0, 1), atol=1e-4)


def test_black_and_white_have_gradients():
    lightness = torch.tensor([0.0, 50.0, 100.0]).view(3, 1, 1, 1)
    ab = torch.zeros(3, 2, 1, 1, requires_grad=True)
    rgb_of_lab(lightness, ab).sum().backward()
    assert torch.isfinite(ab.grad).all()


def test_the_loss_is_zero_for_the_true_picture_and_grows_with_the_difference(perceptual_loss, rocket):
    lightness, truth = rocket
    right, pale, swapped = (perceptual_loss(lightness, ab, truth).item() for ab in (truth, truth / 2, truth.flip(1)))
    assert right == pytest.approx(0, abs=1e-4)
    assert 0.01 < pale < swapped


def test_following_its_gradient_brings_colours_back(perceptual_loss, rocket):
    lightness, truth = rocket
    ab = torch.zeros_like(truth, requires_grad=True)
    grey = perceptual_loss(lightness, ab, truth)
    grey.backward()
    step = -5 * ab.grad / ab.grad.abs().max()
    assert perceptual_loss(lightness, step, truth).item() < grey.item()


def test_the_perceptual_loss_of_decoded_colours_counts_with_its_weight(rocket):
    seen = []

    def perceptual_loss(lightness, ab, truth):
        seen.append((lightness, ab, truth))
        return torch.full((len(ab),), 3.0)

    lightness, truth = (x.repeat(3, 1, 1, 1) for x in rocket)
    bins = losses.ColorBins.of(truth.round().numpy().astype(np.int8))
    loss = losses.RebalancedCrossEntropy(bins, 0.5, 1.0, 0.02, perceptual_loss)
    found, weights = loss(torch.zeros(3, len(bins.centres), 32, 32), truth, lightness)
    assert found[2].item() == pytest.approx(0.06)
    assert weights[1:].tolist() == [3, 3]
    ((seen_lightness, ab, true),) = seen
    assert ab.shape == true.shape == truth.shape
    assert seen_lightness.shape[-1] == 4 * ab.shape[-1]
