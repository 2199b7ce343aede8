"""Colorizers with known results, and scores, for tests of the evaluation."""

import dataclasses
import json

import numpy as np
import pytest

from photochrom.color.gamut import rgb_of_luma
from photochrom.color.spaces import BT601, luma_of_rgb
from photochrom.colorizer.prediction import Prediction
from photochrom.training.evaluation import metrics
from tests.helpers.fakes import CARD

HOSTILE = '<b>"a&b\'s"'
SHA1 = "0123456789abcdef0123456789abcdef01234567"


def chroma_of(rgb):
    """Return Cb and Cr of RGB uint8, around 128."""
    r, _, b = np.moveaxis(rgb.astype(np.float32), -1, 0)
    y = luma_of_rgb(rgb).astype(np.float32)
    return tuple(
        np.rint(128 + c).clip(0, 255).astype(np.uint8) for c in ((b - y) / BT601.cb_to_b, (r - y) / BT601.cr_to_r)
    )


def grey_of(rgb):
    """Return the grey picture of RGB uint8, as RGB."""
    return np.repeat(luma_of_rgb(rgb)[..., None], 3, axis=2)


class Painter:
    """A colorizer with known results: ``paint(luma, options)`` returns Cb and Cr."""

    label, card = "painter 1, sha256 0", dataclasses.replace(CARD, bins=())

    def __init__(self, paint, confidence=None):
        self.paint, self.confidence, self.calls = paint, confidence, 0

    def chroma(self, luma, options=None):
        return self.paint(luma, options)

    def colorize(self, luma, options=None):
        self.calls += 1
        return rgb_of_luma(luma, *self.paint(luma, options))

    def predict(self, luma, options=None):
        return Prediction(luma, np.zeros((2, 1, 1), np.float32), self.confidence)


def flat(value):
    """Return a ``paint`` function with one Cb and Cr everywhere."""
    return lambda luma, _: (np.full_like(luma, value[0]), np.full_like(luma, value[1]))


def scores(**changes):
    """Return ordinary scores with some values changed."""
    usual = {"psnr": 20.0, "ssim": 0.9, "ciede2000": 10.0, "luma_kept": 1.0}
    return metrics.Scores(**usual | {"colorfulness": 0.0, "colorfulness_absolute": 0.0, "agreement": 0.0} | changes)


def strict(text):
    """Parse JSON strictly: NaN and infinities are errors."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
