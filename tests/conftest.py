"""Fixtures shared by all tests, and markers that decide where each test can run."""

import functools
import os
import shutil
import subprocess
from importlib.util import find_spec

import cv2
import pytest
from hypothesis import HealthCheck, settings

from photochrom.color.bands import thread_limit
from photochrom.colorizer import colorizer
from photochrom.colorizer.colorizer import Colorizer
from photochrom.models.registry import WEIGHTS
from tests.helpers.fakes import FakeEngine, card_metadata, constant_answer
from tests.helpers.signals import hear_ctrl_c

hear_ctrl_c()
# No test fails by chance, or because the machine is busy.
settings.register_profile(
    "steady", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

# Tests of an optional extra import it at their top. Where the extra is not installed, they are not collected.
collect_ignore = []
if find_spec("torch") is None:
    collect_ignore += ["training", "commands/test_train.py"]
if find_spec("starlette") is None or find_spec("uvicorn") is None:
    collect_ignore += ["studio"]
if find_spec("onnx") is None or find_spec("h5py") is None:
    collect_ignore += ["models/test_engines.py", "models/test_registry.py"]


def pytest_collection_modifyitems(items):
    """Skip the cases of a format whose extra is not installed."""
    if find_spec("pillow_heif") is None:
        for item in items:
            parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
            if any(isinstance(value, str) and value == "HEIF" for value in parameters):  # others are arrays
                item.add_marker(pytest.mark.skip(reason="needs pillow-heif"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Give each test run its own cache folder, so that the user's downloads and compiled models are not touched."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each worker has a folder of its own in that of the run
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHOTOCHROM_HOME", str(folder / "cache"))
        patch.setenv("PHOTOCHROM_MODEL_CACHE", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def shared_engine():
    """Load the embedded model once in this process, and not again for each colorizer."""
    load = colorizer.open_engine
    shared = functools.cache(lambda path, _: load(path))

    def opened(path, device):
        is_shared = path == WEIGHTS / "default.onnx" and device in ("auto", "cpu")
        return shared(path, thread_limit()) if is_shared else load(path, device)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(colorizer, "open_engine", opened)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk():
    """Leave it to the system when files reach the disk, since no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(autouse=True)
def no_settings(tmp_path_factory, monkeypatch):
    """Ignore the settings of the user who runs the tests."""
    config = tmp_path_factory.getbasetemp() / "no-config.toml"
    config.touch()
    monkeypatch.setenv("PHOTOCHROM_CONFIG", str(config))


@pytest.fixture
def small_disk(tmp_path):
    """Return a file system of 2 MB."""
    if shutil.which("mount") is None or os.geteuid():
        pytest.skip("only root may mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this machine does not let a disk be mounted")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def fake_colorizer(tmp_path):
    """Return a colorizer that makes everything orange."""
    path = tmp_path / "fake.onnx"
    path.write_bytes(b"fake")
    return Colorizer(path, engine=FakeEngine(constant_answer(30, 40), card_metadata()))


@pytest.fixture(scope="session")
def kept_exports():
    """Reuse PyTorch's ONNX exports within this process."""
    torch = pytest.importorskip("torch")
    from tests.helpers.exports import keeping

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", keeping(torch.onnx.export))
        yield


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """Return a folder with the certificates and key of a signer."""
    pytest.importorskip("cryptography")
    from photochrom.content_credentials import make_certificates

    return make_certificates(tmp_path_factory.mktemp("certificates"), "Reading room", "City Archive")[0].parent


@pytest.fixture(scope="session")
def identity(certificates):
    """Return a signer of content credentials."""
    from photochrom.content_credentials import Identity

    return Identity(certificates / "certificate.pem", certificates / "key.pem")


@pytest.fixture(scope="session")
def photograph():
    """Return a colour photograph, RGB uint8, 240 by 200."""
    from skimage import data

    return cv2.resize(data.astronaut(), (200, 240), interpolation=cv2.INTER_AREA)
