"""Fixtures that several test files need: a colorizer without a network, a colour photograph."""

import cv2
import pytest

from photochrom.colorizer.colorizer import Colorizer
from photochrom.models.engines import FakeEngine
from tests.helpers.fakes import card_metadata, constant_answer


@pytest.fixture
def fake_colorizer(tmp_path):
    """A colorizer that makes everything orange."""
    path = tmp_path / "fake.onnx"
    path.write_bytes(b"fake")
    return Colorizer(path, engine=FakeEngine(constant_answer(30, 40), card_metadata()))


@pytest.fixture(scope="session")
def photograph():
    """A colour photograph, RGB uint8, 240 by 200."""
    from skimage import data

    return cv2.resize(data.astronaut(), (200, 240), interpolation=cv2.INTER_AREA)
