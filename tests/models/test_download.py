"""Downloads count only if they are complete and have the right hash."""

import hashlib
import sys

import pytest

from photochrom import ModelError
from photochrom.models.download import cache_folder, fetch
from tests.helpers.web_server import FolderHandler, serving

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "weights.h5").write_bytes(CONTENT)

    class Handler(FolderHandler):
        def copyfile(self, source, outputfile):
            outputfile.write(source.read()[:3000] if "broken" in self.path else source.read())

    with serving(tmp_path / "served", Handler) as address:
        yield address


def test_a_file_is_fetched_once_and_checked_each_time(server, tmp_path):
    path = tmp_path / "cache" / "weights.h5"
    assert fetch(f"{server}/weights.h5", path, "sha256", SHA256).read_bytes() == CONTENT
    assert fetch("http://127.0.0.1:1/gone", path, "sha256", SHA256) == path
    path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match="is damaged: delete it"):
        fetch(f"{server}/weights.h5", path, "sha256", SHA256)


def test_a_folder_in_place_of_the_file_is_reported(server, tmp_path):
    (tmp_path / "weights.h5").mkdir()
    with pytest.raises(ModelError, match=r"cannot be read \(Is a directory\): delete it, or get http"):
        fetch(f"{server}/weights.h5", tmp_path / "weights.h5", "sha256", SHA256)


def test_another_content_is_refused_and_nothing_is_left(server, tmp_path):
    path = tmp_path / "cache" / "weights.h5"
    with pytest.raises(ModelError, match="has changed"):
        fetch(f"{server}/weights.h5", path, "md5", "0" * 32)
    assert list(path.parent.iterdir()) == []


def test_a_broken_connection_is_not_taken_for_other_content(server, tmp_path):
    (tmp_path / "served" / "broken.h5").write_bytes(CONTENT)
    path = tmp_path / "cache" / "weights.h5"
    with pytest.raises(ModelError, match=r"cannot download .* broke after 3,000 of 7,000 bytes"):
        fetch(f"{server}/broken.h5", path, "sha256", SHA256)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/weights.h5", "{server}/missing.h5"])
def test_without_a_network_the_error_says_which_file_goes_where(server, tmp_path, url):
    path = tmp_path / "cache" / "weights.h5"
    with pytest.raises(ModelError) as error:
        fetch(url.format(server=server), path, "sha256", SHA256)
    message = str(error.value)
    assert str(path) in message
    assert SHA256 in message
    assert "\n" not in message
    assert list(path.parent.iterdir()) == []


def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("PHOTOCHROM_HOME")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "photochrom"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "photochrom"
    assert cache_folder().name == "photochrom"
