"""A studio within the process, with a fake network, and pictures for it."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from skimage import data
from starlette.testclient import TestClient

from photochrom.colorizer.colorizer import Colorizer
from photochrom.studio.app import Settings, application
from photochrom.studio.jobs import Job
from tests.helpers.folders import files_below
from tests.helpers.photographs import bt601
from tests.helpers.studio_server import Visitor
from tests.helpers.suggesting import hinting_engine

MEGAPIXELS, MEGABYTES = 2, 1


def picture(seed: int = 0) -> np.ndarray:
    """Return a grey photograph that differs from those of other seeds."""
    return np.roll(data.camera()[: 200 + 8 * seed, ::2], 20 * seed, axis=1)


def png(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", **options)
    return stream.getvalue()


def rgb(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def luma(file: bytes) -> np.ndarray:
    return bt601(rgb(file).astype(np.uint8)).astype(int)


@pytest.fixture
def colorizer(tmp_path):
    (tmp_path / "fake.onnx").write_bytes(b"fake")
    return Colorizer(tmp_path / "fake.onnx", engine=hinting_engine())


@pytest.fixture
def open_studio(tmp_path, colorizer, monkeypatch) -> Iterator[Callable[..., TestClient]]:
    """Return a function that opens a studio with settings; each call of its result is a new client."""
    folder = tmp_path / "studio"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    opened = []

    def open_one(colorizer=colorizer, **settings) -> Callable[[], TestClient]:
        limits = {"max_megapixels": MEGAPIXELS, "max_upload_mb": MEGABYTES} | settings
        context = application(colorizer, Settings(**limits))
        app = context.__enter__()
        opened.append(context)
        return lambda: TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)

    yield open_one
    for context in opened:
        context.__exit__(None, None, None)
    assert list(folder.iterdir()) == []


@pytest.fixture
def client(open_studio):
    return open_studio()


@pytest.fixture
def visitor(client):
    return Visitor(client())


@pytest.fixture
def late_job_states(monkeypatch):
    """Let every job that is queued or running end while its state is read."""
    describe = Job.describe

    def described_at_its_end(job):
        while job.busy:
            time.sleep(0.01)
        return describe(job)

    monkeypatch.setattr(Job, "describe", described_at_its_end)


@pytest.fixture
def files(tmp_path):
    """Return a function that lists the names of all files in the studio's folder."""
    return lambda: sorted(path.name for path in files_below(tmp_path / "studio"))
