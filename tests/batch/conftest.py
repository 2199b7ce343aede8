"""Fixtures for batches: scans, a tiny model, and S3 and HTTP servers on the loopback interface."""

from __future__ import annotations

import itertools
import os
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from photochrom.batch import BatchOptions, Item
from photochrom.batch.coloring import BatchJob, Colored, coloring
from photochrom.color import bands
from photochrom.colorizer.colorizer import Colorizer
from tests.helpers.web_server import serving

XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights><rdf:Alt><rdf:li xml:lang="x-default">City
Archive</rdf:li></rdf:Alt></dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>"""


def scan(path: Path, seed: int = 0, size: tuple[int, int] = (48, 36)) -> Path:
    """Write a small grey picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(60, 190, size[::-1]).astype(np.uint8)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model file that makes everything orange, and loads at once in each process."""
    pytest.importorskip("onnx")
    from tests.helpers.fakes import tiny_model

    return tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def process_options(model: Path) -> BatchOptions:
    """Return options for a batch in a worker process, which takes seconds to start."""
    return BatchOptions(model=str(model), device="cpu", workers=1)


@pytest.fixture
def options(process_options: BatchOptions, monkeypatch: pytest.MonkeyPatch) -> BatchOptions:
    """Return options for a batch in this process, which starts at once and is otherwise the same."""

    def here(items: Iterable[Item], job: BatchJob, workers: int, stop: Callable[[], bool]) -> Iterator[Colored]:
        color = coloring(job, Colorizer(job.options.model, job.options.device))
        return map(color, itertools.takewhile(lambda _: not stop(), items))

    monkeypatch.setattr("photochrom.batch.coordinator.by_processes", here)
    return process_options


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "scans"
    for number, name in enumerate(("a.jpg", "b.png", "1934/a.jpg", "1934/deep/c.tif")):
        scan(root / name, number)
    (root / "notes.txt").write_text("not a photograph")
    scan(root / ".hidden.jpg")
    scan(root / ".trash" / "x.jpg")
    return root


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a web server, and the folder that it serves."""
    folder = tmp_path / "web"
    folder.mkdir()
    with serving(folder) as address:
        yield address, folder


CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    threaded = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    threaded.start()
    host, port = threaded.get_host_and_port()
    yield f"http://{host}:{port}"
    threaded.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of an S3 server with an empty bucket ``archive``; the environment makes s3fs use it."""
    import boto3
    import s3fs

    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": s3_server, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="archive")
    yield client
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/moto-api/reset", method="POST"), timeout=600).close()
    s3fs.S3FileSystem.clear_instance_cache()
    client.close()


@pytest.fixture(autouse=True)
def no_limit_on_threads_remains() -> Iterator[None]:
    """Remove the limit of threads that a worker sets if it runs in the test's own process."""
    yield
    if bands.thread_limit() is not None:
        bands._thread_limit = None
        cv2.setNumThreads(-1)
