"""Whether learning to take hints costs accuracy without them: two short courses, one with simulated hints, one without.

    python benchmarks/twin.py PHOTOS RUN --steps 300

Both go on from the embedded model, with the same views in the same order; ``RUN`` is the folder of a run on these
photographs, whose features are used. The loss is that of held-out photographs without hints.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from _tools import print_table
from tqdm import tqdm

from photochrom.training.config import Plan, keep_memory, launch
from photochrom.training.initial_model import begin
from photochrom.training.recipes import OWN
from photochrom.training.run import arrange, look

RATE, SEED = 3e-4, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    keep_memory()
    plan = Plan(args.photographs, args.run, recipe="default-cpu", learning_rate=RATE, seed=SEED, resume=True)
    rows = [
        [name, *(f"{loss:.4f}" for loss in course(plan, args.steps, hintless))]
        for name, hintless in (("with hints on six of ten", OWN.hintless), ("without", 1.0))
    ]
    print_table(["course", "loss before", "after"], rows)


def course(plan: Plan, steps: int, hintless: float) -> tuple[float, float]:
    """Losses without hints, before and after training with as many pictures without hints."""
    fabric = launch(plan)
    work = arrange(plan, fabric, begin("default", None, None), look(plan, fabric))
    epochs = steps / (len(work.training) // work.recipe.batch)
    work = replace(work, recipe=replace(work.recipe, hintless=hintless, epochs=epochs))
    training, validation = work.batches()
    trainer = work.trainer(training)
    before = trainer.validate(validation)
    for batch in tqdm(training.stream(trainer.rows()), total=steps):
        trainer.update(training, batch)
    return before, trainer.validate(validation)


if __name__ == "__main__":
    main()
