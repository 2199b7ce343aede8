"""Photographs, a fake classifier, and colorizers with known results."""

import cv2
import numpy as np
import pytest
from skimage import data

from photochrom.color.spaces import luma_of_rgb
from photochrom.training.data import dataset
from photochrom.training.evaluation import evaluate
from photochrom.training.evaluation import lpips_fid as perceptual
from photochrom.training.networks import imagenet_classifier as classifier
from tests.helpers.evaluation import HOSTILE, Painter, chroma_of, flat


@pytest.fixture(scope="module")
def truth():
    return dataset.square(data.astronaut(), 128)


class FakeClassifier:
    """Classifies a picture as colourful or not; its features are the mean colour."""

    def __call__(self, rgb):
        return classifier.Classification(int(dataset.colorfulness(rgb) > 5), rgb.mean((0, 1)))


@pytest.fixture
def judge(monkeypatch):
    """Use a fake classifier, and none of the metrics that need a download."""
    monkeypatch.setattr(evaluate, "ImageClassifier", FakeClassifier)
    monkeypatch.setattr(evaluate, "FEATURES", 3)
    nothing = perceptual.Perceptual(None, None, {"LPIPS": "no <weights>: get them", "FID": "no weights either"})
    monkeypatch.setattr(evaluate, "open_perceptual", lambda: nothing)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with four photographs of two sources, one with a hostile name."""
    root = tmp_path_factory.mktemp("photographs")
    for source, name in ((HOSTILE, "astronaut"), (HOSTILE, "coffee"), ("cats", "chelsea"), ("cats", "rocket")):
        (root / source).mkdir(exist_ok=True)
        cv2.imwrite(str(root / source / f"{name}.png"), dataset.square(getattr(data, name)(), 64)[..., ::-1])
    return root


@pytest.fixture
def photographs(folder, judge, monkeypatch):
    monkeypatch.setattr(evaluate, "SIZE", 64)
    monkeypatch.setattr(evaluate, "_BATCH", 3)
    return evaluate.chosen(folder, held_out=False, limit=10)


@pytest.fixture
def known(photographs):
    """Return the truth of each photograph by its luma, for colorizers that look it up."""
    truths = [evaluate.load(p) for p in photographs]
    return {luma_of_rgb(truth).tobytes(): truth for truth in truths}


@pytest.fixture
def painters(known):
    """Return one colorizer that knows the truth, and one that makes everything orange."""

    def oracle(luma, options):
        found = known.get(luma.tobytes())
        return flat((128, 128))(luma, options) if found is None else chroma_of(found)

    return {"oracle": Painter(oracle, np.full((8, 8), 0.5, np.float32)), "<i>orange|": Painter(flat((100, 160)))}
