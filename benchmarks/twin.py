"""Tests whether training with hints costs accuracy without hints, by two short runs with and without simulated hints.

    python benchmarks/twin.py PHOTOS RUN --steps 300

Both start from the embedded model, with the same views in the same order; ``RUN`` is the folder of a run on these
photographs, whose features are used. The loss is that of held-out photographs without hints.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from _tools import print_table
from tqdm import tqdm

from photochrom.training.config import TrainingConfig
from photochrom.training.initial_model import load_initial_model
from photochrom.training.memory import keep_memory
from photochrom.training.preparation import inspect_photographs, prepare_run
from photochrom.training.processes import launch
from photochrom.training.recipes import DEFAULT_CPU

RATE, SEED = 3e-4, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    keep_memory()
    config = TrainingConfig(
        args.photographs, args.run, recipe="default-cpu", learning_rate=RATE, seed=SEED, resume=True
    )
    rows = [
        [name, *(f"{loss:.4f}" for loss in short_run(config, args.steps, hintless))]
        for name, hintless in (("with hints on six of ten", DEFAULT_CPU.hintless), ("without", 1.0))
    ]
    print_table(["run", "loss before", "after"], rows)


def short_run(config: TrainingConfig, steps: int, hintless: float) -> tuple[float, float]:
    """Return the held-out loss before and after a number of steps; ``hintless`` is the share of views without hints."""
    fabric = launch(config)
    run = prepare_run(config, fabric, load_initial_model("default", None, None), inspect_photographs(config, fabric))
    epochs = steps / (len(run.training) // run.recipe.batch)
    run = replace(run, recipe=replace(run.recipe, hintless=hintless, epochs=epochs))
    training, validation = run.batches()
    trainer = run.trainer(training)
    before = trainer.validate(validation)
    for batch in tqdm(training.stream(trainer.view_indices()), total=steps):
        trainer.update(training, batch)
    return before, trainer.validate(validation)


if __name__ == "__main__":
    main()
