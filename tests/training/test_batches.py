"""Photographs decoded in separate processes, as for a GPU."""

import cv2
import numpy as np
import pytest
import torch

from photochrom.errors import TrainingError
from photochrom.training.data import dataset
from photochrom.training.data.batches import Pictures, Sides
from photochrom.training.data.curation import inspect
from photochrom.training.networks.compilation import for_any_shape
from photochrom.training.networks.encoders import load_encoder

# Python 3.12 and later warn about forking processes with threads, for which PyTorch's loader is made.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(6):
        coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{i}.png"), cv2.resize(coarse, (120, 90), interpolation=cv2.INTER_CUBIC))
    views = dataset.views(inspect(tmp_path).photographs, 3)
    return Pictures(views, torch.nn.Identity(), Sides(64, 8, 32), processes=2)


def indices():
    return [np.array(part) for part in ([3, 0, 17], [5, 9, 1], [16, 2, 8], [4, 11, 7], [10, 6, 14])]


@pytest.mark.slow
def test_batches_arrive_in_the_requested_order(pictures):
    found = list(pictures.stream(iter(indices())))
    assert len(found) == 5
    for batch, wanted in zip(found, map(pictures.batch, indices()), strict=True):
        torch.testing.assert_close(batch.inputs[0], wanted.inputs[0], rtol=0, atol=0)
        torch.testing.assert_close(batch.chroma, wanted.chroma, rtol=0, atol=0)
        torch.testing.assert_close(batch.small_lightness, wanted.small_lightness, rtol=0, atol=0)


def test_an_undecodable_photograph_is_reported_in_one_line(pictures):
    path = pictures.views[1].photograph.path
    path.write_bytes(b"no picture")
    coming = pictures.stream(iter(indices()))
    next(coming)
    with pytest.raises(
        TrainingError, match=rf"{path.name}: cannot be decoded: replace it by a whole JPEG, or remove it"
    ) as told:
        next(coming)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_the_encoder_that_is_run_at_every_step_gives_its_features_whatever_the_training_rounds_to():
    """When its graph was traced within autocast, it rounded twice, and features were off by four fifths."""
    backbone = load_encoder("efficientnet-lite2").backbone
    run = for_any_shape(backbone)
    coarse = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    lightness = torch.nn.functional.interpolate(coarse, (96, 96), mode="bicubic").clamp(0, 1)
    for part in (lightness, lightness[..., :64, 32:]):
        with torch.autocast("cpu", torch.bfloat16):
            (found,) = run(part)
        (expected,) = backbone(part)
        assert (found - expected).norm() < 0.1 * expected.norm()
