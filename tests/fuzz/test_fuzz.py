"""A short fuzzing run of every reader; ``python -m tests.fuzz`` runs for as long as you like."""

import sys

import pytest

from photochrom.batch.workers import WorkerPool
from tests.fuzz.harness import is_fault
from tests.fuzz.mutations import TARGETS, Key, load_seeds, mutant, save_seeds, seeds
from tests.fuzz.readers import memory_folder, prepare

pytest.importorskip("onnx")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="alarms and resource limits are POSIX"),
    pytest.mark.slow,
]
READ, COLOURED = 48, 8  # files of each target; one in so many of them is coloured


def test_mutated_files_are_coloured_or_refused(tmp_path):
    from tests.helpers.fakes import tiny_model

    keys = [Key(target, 1, number) for target in TARGETS for number in range(READ)]
    save_seeds(tmp_path / "seeds", TARGETS)
    model, intact = str(tiny_model(tmp_path / "tiny.onnx")), str(tmp_path / "seeds")
    with memory_folder() as folder, WorkerPool(prepare, (model, folder, intact, COLOURED), 2) as pool:
        assert not [(key.name, result) for key, result in pool.map(keys) if is_fault(result)]


def test_mutants_are_the_same_every_time(tmp_path):
    keys = [Key("png", 3, number) for number in range(20)]
    first = [mutant(key) for key in keys]
    save_seeds(tmp_path / "seeds", ["png"])
    seeds.cache_clear()
    load_seeds(tmp_path / "seeds")
    assert [mutant(key) for key in keys] == first
