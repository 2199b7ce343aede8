"""A little fuzzing each time, of every reader; ``python -m tests.fuzz`` goes on for as long as it is asked to."""

import itertools
import sys

import pytest

from photochrom.batch.workers import WorkerPool
from tests.fuzz.harness import is_fault, prepare
from tests.fuzz.mutations import TARGETS, mutants

pytest.importorskip("onnx")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="alarms and resource limits are POSIX"),
    pytest.mark.slow,
]
EACH = 12


def test_mutated_files_are_coloured_or_refused(tmp_path):
    from tests.helpers.fakes import tiny_model

    files = [mutant for target in TARGETS for mutant in itertools.islice(mutants(target, seed=1), EACH)]
    with WorkerPool(prepare, (str(tiny_model(tmp_path / "tiny.onnx")),), 2) as pool:
        assert not [(mutant.name, result) for mutant, result in pool.map(files) if is_fault(result)]


def test_mutants_are_the_same_every_time():
    first, second = (list(itertools.islice(mutants("png", seed=3), 20)) for _ in range(2))
    assert first == second
