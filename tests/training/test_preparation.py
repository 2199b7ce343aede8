"""The bins of an untrained head, which depend on the views alone."""

from dataclasses import replace

import cv2
import pytest
import torch
from skimage import data

from photochrom.training import preparation
from photochrom.training.config import CHECKPOINT, TrainingConfig
from photochrom.training.data.dataset import Photograph, square, views
from photochrom.training.initial_model import load_initial_model
from photochrom.training.networks.losses import ColorBins
from photochrom.training.preparation import TrainingRun
from photochrom.training.processes import launch
from photochrom.training.recipes import at_size


@pytest.fixture
def run(tmp_path):
    """Return a run from scratch on twelve views, without a feature cache."""
    found = []
    for i, name in enumerate(("astronaut", "coffee", "chelsea", "rocket")):
        cv2.imwrite(str(path := tmp_path / f"{name}.png"), square(getattr(data, name)(), 96)[..., ::-1])
        found.append(Photograph(path, f"{i + 1:040x}", "", 40.0))
    (tmp_path / "run").mkdir()
    config = TrainingConfig(str(tmp_path), tmp_path / "run", resume=True, precision="fp32")
    initial = load_initial_model("scratch", None, None)
    recipe = replace(at_size(initial.recipe, 64), batch=2, perceptual_weight=0.0, perceptual_networks=0, cell=0)
    return TrainingRun(config, launch(config), initial, recipe, views(found, 3), found[:1], 0.0)


def same(one, other):
    return torch.equal(one.centres, other.centres) and torch.equal(one.frequency, other.frequency)


@pytest.mark.slow
def test_bins_do_not_depend_on_whether_features_are_cached(run, monkeypatch):
    monkeypatch.setattr(preparation, "_COLOR_VIEWS", 5)
    cached = replace(run, cache_limit=1e12)
    growing = replace(cached, recipe=replace(run.recipe, repeats=2))
    computed, *others = (each.trainer(each.batches()[0]).bins for each in (run, growing, cached))
    assert all(same(computed, other) for other in others)


@pytest.mark.slow
def test_a_resumed_run_has_the_bins_of_its_checkpoint(run, tmp_path):
    training = run.batches()[0]
    bins = run.trainer(training).bins
    fewer = ColorBins(bins.centres[:-1], bins.frequency[:-1])
    begun = replace(run, initial=replace(run.initial, bins=fewer)).trainer(training)
    begun.save(tmp_path / CHECKPOINT)
    assert same(run.trainer(training, tmp_path / CHECKPOINT).bins, fewer)
