"""A run killed at any moment continues from its last checkpoint, to the same weights as an uninterrupted run."""

import os

import pytest

from tests.helpers.guard import survives

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="moments are tried in forks"),
]

# Everything is trained in forks: a process whose gradients were computed cannot be forked any more.
KILLS = """
import os, signal, tempfile
from pathlib import Path
import torch
from photochrom.training import checkpoint, schedule
from photochrom.training.config import CHECKPOINT
from tests.helpers.crash_points import attempts, temporary_files
from tests.helpers.training_runs import features, losses, new_trainer, run

torch.set_num_threads(1)
schedule.ROUND = 12
peace, killed = (Path(tempfile.mkdtemp()) for _ in range(2))

def train(folder):
    trainer, cache = new_trainer("reference", folder, epochs=4), features("reference")
    if (folder / CHECKPOINT).exists():
        trainer.resume(folder / CHECKPOINT)
    run(trainer, cache, cache, folder)

child = os.fork()
if child == 0:
    train(peace)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0

steps = [0]
for moment, finished in attempts(lambda: train(killed), killed, signal.SIGKILL):
    if (killed / CHECKPOINT).exists():
        steps.append(checkpoint.load(killed / CHECKPOINT)[1]["step"])
    assert len(temporary_files(killed)) <= 1, moment  # the next run has removed the one before
assert finished and not temporary_files(killed)
assert steps == sorted(steps) and len(set(steps)) > 2, steps

(expected, facts), (tensors, found) = (checkpoint.load(folder / CHECKPOINT) for folder in (peace, killed))
assert tensors.keys() == expected.keys()
assert all(torch.equal(tensors[name], expected[name]) for name in expected)
assert found["step"] == facts["step"] and losses(found["history"]) == losses(facts["history"])
print(moment, "moments")
"""


def test_a_killed_run_ends_with_the_weights_of_one_left_in_peace():
    done = survives(KILLS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-2]) > 5
