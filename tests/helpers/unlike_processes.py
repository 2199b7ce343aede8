"""Two processes whose clocks, disks and memories differ; they must nevertheless decide alike.

Started by torchrun; writes what each process found into a folder.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

from photochrom import TrainingError
from photochrom.training import estimate, preparation
from photochrom.training.processes import leave_process_group
from tests.helpers.training_runs import features, new_trainer


def main(folder):
    trainer = new_trainer("reference", folder)
    fabric, rank = trainer.fabric, trainer.fabric.global_rank
    clock, updates, update = itertools.count(), [], trainer.update
    step_seconds = (0.001, 10.0)[rank]
    estimate.time = SimpleNamespace(perf_counter=lambda: next(clock) * step_seconds)
    trainer.update = lambda *arguments: updates.append(trainer.step) or update(*arguments)
    estimate.measure(trainer, features("reference"), held_out=0)

    usage = shutil.disk_usage(folder)
    shutil.disk_usage = lambda path: usage._replace(free=10_000_000 * (1 - rank))
    config = SimpleNamespace(run_folder=folder, cache_gb=None, accelerator="cpu")
    limit = preparation.in_first_process(fabric, lambda: preparation._cache_limit(config))

    estimate.free_memory = lambda: (4_000, 2_000)[rank]
    run = SimpleNamespace(config=config, fabric=fabric, recipe=trainer.recipe)
    try:
        estimate._check_memory(3_000, run, trainer)
        said = ""
    except TrainingError as exc:
        said = str(exc)
    (folder / f"{rank}.json").write_text(json.dumps({"updates": len(updates), "limit": limit, "said": said}))


if __name__ == "__main__":  # one of several processes: FOLDER
    main(Path(sys.argv[1]))
    leave_process_group()
