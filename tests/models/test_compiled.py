"""Compiled models are loaded from a sound cache, otherwise compiled from the model file."""

import json
import os

import numpy as np
import pytest

from photochrom.models import compiled
from photochrom.models.engines import OpenVinoEngine
from tests.helpers.fakes import tiny_model

pytest.importorskip("onnx")

INPUTS = {
    "lightness": np.random.default_rng(0).random((1, 1, 64, 96), np.float32),
    "vividness": np.array([0.5], np.float32),
}


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, "1")
    monkeypatch.setenv("PHOTOCHROM_HOME", str(tmp_path / "home"))
    return tiny_model(tmp_path / "tiny.onnx")


def cached(engine):
    return engine._memory is not None


def only_file():
    (path,) = compiled.compiled_folder().iterdir()
    return path


def test_the_second_engine_loads_the_model_that_the_first_compiled(model):
    first, second = OpenVinoEngine(model), OpenVinoEngine(model)
    assert (cached(first), cached(second)) == (False, True)
    assert second.metadata == first.metadata
    ours, theirs = first.run(INPUTS), second.run(INPUTS)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name])


def test_the_memory_of_the_cached_file_can_be_given_back_at_any_time(model):
    """Data that the network needs afterwards is read again from the file that was opened."""
    first, second = OpenVinoEngine(model), OpenVinoEngine(model)
    only_file().unlink()
    for width in (96, 96, 64):
        inputs = INPUTS | {"lightness": INPUTS["lightness"][..., :width]}
        ours, theirs = first.run(inputs), second.run(inputs)
        compiled.release(second._memory)
        np.testing.assert_array_equal(ours["ab"], theirs["ab"])


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def change_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


def claim_another_processor(path):
    data = path.read_bytes()
    header = json.loads(data[: compiled._HEADER])
    header["key"] += "of another machine"
    path.write_bytes(json.dumps(header).encode().ljust(compiled._HEADER) + data[compiled._HEADER :])


@pytest.mark.parametrize(
    "harm", [truncate, change_a_byte, claim_another_processor, lambda path: path.write_bytes(b""), lambda p: p.unlink()]
)
def test_a_damaged_or_foreign_file_is_ignored_and_rewritten(model, harm):
    OpenVinoEngine(model)
    harm(only_file())
    assert not cached(OpenVinoEngine(model))
    assert cached(OpenVinoEngine(model))


def test_another_precision_has_a_file_of_its_own(model):
    OpenVinoEngine(model)
    assert not cached(OpenVinoEngine(model, exact=True))
    assert len(list(compiled.compiled_folder().iterdir())) == 2


def test_another_model_has_a_file_of_its_own(model):
    OpenVinoEngine(model)
    path = only_file()
    changed = model.read_bytes().replace(b"tiny", b"tidy")
    assert changed != model.read_bytes()
    model.write_bytes(changed)
    os.utime(model, (0, 0))  # of equal size, and perhaps written within the resolution of the clock
    assert compiled.CompiledModel(model, "1", {}).path != path


def test_the_oldest_files_are_removed(model, monkeypatch):
    monkeypatch.setattr(compiled, "_KEPT", 1)
    OpenVinoEngine(model)
    OpenVinoEngine(model, exact=True)
    assert cached(OpenVinoEngine(model, exact=True))
    assert only_file()


def test_a_new_file_is_kept_even_if_others_have_a_later_time(model, monkeypatch):
    """Clocks differ, and some file systems round times to seconds."""
    monkeypatch.setattr(compiled, "_KEPT", 2)
    compiled.compiled_folder().mkdir(parents=True)
    for number in range(3):
        path = compiled.compiled_folder() / f"{number}.blob"
        path.touch()
        os.utime(path, (4e9 + number, 4e9 + number))
    OpenVinoEngine(model)
    assert cached(OpenVinoEngine(model))
    assert {path.name for path in compiled.entries()} > {"2.blob"}
    assert len(compiled.entries()) == 2


def test_a_file_that_disappears_after_it_was_listed_is_left_out(model):
    """Another process may remove it at any time; here, a link that leads nowhere stands for it."""
    OpenVinoEngine(model)
    path = only_file()
    (path.parent / "gone.blob").symlink_to("nowhere")
    assert list(compiled.entries()) == [path]


def test_the_cache_can_be_switched_off(model, monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, "0")
    OpenVinoEngine(model)
    assert not compiled.compiled_folder().exists()


def test_a_folder_that_cannot_be_written_does_no_harm(model, tmp_path):
    (tmp_path / "home").write_bytes(b"a file, no folder")
    assert not cached(OpenVinoEngine(model))
    assert OpenVinoEngine(model).run(INPUTS)["ab"].shape == (1, 2, 8, 12)
