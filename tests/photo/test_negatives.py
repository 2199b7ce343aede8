"""What looks like a negative is asked about without colouring it."""

import numpy as np
import pytest

from photochrom import Colorizer, ColorOptions
from photochrom.photo import negatives
from tests.helpers.suggesting import hinting_engine


@pytest.fixture
def runs():
    return []


def test_the_inverted_picture_is_not_coloured(runs, monkeypatch):
    colorizer = Colorizer(engine=hinting_engine(runs))
    luma = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
    prediction = colorizer.predict(luma)
    assert prediction.picture is None
    expected = colorizer.predict(255 - prediction.luma, ColorOptions()).confidence
    monkeypatch.setattr("photochrom.colorizer.colorizer.coherent", lambda *_: pytest.fail("it was decoded"))
    runs.clear()
    assert np.array_equal(negatives._confidence_of_inverse(colorizer, prediction), expected)
    assert runs == [1]
