"""``Schedule``: the numbers of steps and rounds of a run, and the learning rate and the views of each step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from .recipes import Recipe
from .remaining_time import Costs

WHOLE_PICTURES: Final = 0.2  # share of the steps, at the end, that see whole pictures instead of crops
ROUND: Final = 10_000  # views in a round; fewer if an epoch is shorter, more in a long run
ROUNDS: Final = 50  # approximate maximum number of rounds in a run
WARM_UP: Final = 200  # steps of rising learning rate at the start; at most a tenth of all
STRETCH: Final = 200  # approximate number of steps per pass through a stretch of views; see ``Schedule.view_indices``
_FORWARD: Final = 0.3  # guessed cost of a forward pass, relative to a whole training step


@dataclass(frozen=True)
class Schedule:
    """Numbers of steps and rounds of a run, and what each step uses.

    Args:
        recipe: Recipe of the run.
        count: Number of training views.
        processes: Number of processes that train together, each with its own batch.
    """

    recipe: Recipe
    count: int
    processes: int = 1

    @property
    def views_per_step(self) -> int:
        """Number of views per step, in all processes together."""
        return self.recipe.batch * self.processes

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps per epoch; views that do not fill a last step are left out."""
        return self.count // self.views_per_step

    @property
    def steps(self) -> int:
        """Total number of steps."""
        return max(1, round(self.recipe.epochs * self.steps_per_epoch))

    @property
    def steps_per_round(self) -> int:
        """Number of steps between two validations."""
        return max(1, min(self.steps_per_epoch, ROUND // self.views_per_step), self.steps // ROUNDS)

    def sees_whole_pictures(self, step: int) -> bool:
        """Return whether a step sees whole pictures: in the last fifth, or always if the recipe has no crop."""
        return self.recipe.crop is None or step >= (1 - WHOLE_PICTURES) * self.steps

    def learning_rate(self, step: int) -> float:
        """Return the decoder's learning rate at a step: it rises linearly, then falls to zero along a cosine."""
        warm_up, maximum = min(WARM_UP, math.ceil(self.steps / 10)), self.recipe.learning_rate
        if step < warm_up:
            return maximum * (step + 1) / warm_up
        progress = (step - warm_up) / max(1, self.steps - warm_up)
        return maximum * (1 + math.cos(math.pi * progress)) / 2

    def view_indices(self, step: int, process: int) -> Iterator[np.ndarray]:
        """Yield the indices of one process's views, int ``[recipe.batch]``, for each step from ``step`` on.

        The views are shuffled once per epoch, seeded by the recipe's seed; those that do not fill a last step are left
        out. If the recipe repeats views, each shuffled order is cut into equal stretches and lasts for ``repeats``
        epochs: each stretch is passed through that many times, reshuffled each time, before the next one begins. At
        most one step's views per stretch are left out. With stretches of 200 steps and 3 passes, for example, step
        1,250 is batch 50 of the first pass through the third stretch.
        """
        order, current = np.empty(0, np.intp), None
        stretches, length, passes = self._stretches()
        for current_step in range(step, self.steps):
            stretches_done, step_in_stretch = divmod(current_step, length * passes)
            shuffle, stretch = divmod(stretches_done, stretches)
            pass_number, step_in_pass = divmod(step_in_stretch, length)
            if (shuffle, stretch, pass_number) != current:
                order, current = self._order(shuffle, stretch, pass_number), (shuffle, stretch, pass_number)
            first = step_in_pass * self.views_per_step
            indices = np.sort(order[first : first + self.views_per_step])
            yield indices[process :: self.processes]

    def _stretches(self) -> tuple[int, int, int]:
        """Return the number of stretches of all views, the steps per pass through one, and the number of passes."""
        count = 1 if self.recipe.repeats == 1 else max(1, round(self.steps_per_epoch / STRETCH))
        return count, self.steps_per_epoch // count, self.recipe.repeats

    def _order(self, shuffle: int, stretch: int, pass_number: int) -> np.ndarray:
        """Return the shuffled indices of the views that the steps use in turn.

        They are those of all views, or, if the recipe repeats views, those of one stretch, in the order of one pass
        through it; see ``view_indices``.

        Args:
            shuffle: Number of times that all views were shuffled before.
            stretch: Number of the stretch; 0 if the recipe does not repeat views.
            pass_number: Number of the pass through the stretch; 0 if the recipe does not repeat views.
        """
        order = np.random.default_rng([self.recipe.seed, shuffle]).permutation(self.count)
        _, length, passes = self._stretches()
        if passes == 1:
            return order
        size = length * self.views_per_step
        indices = order[stretch * size : (stretch + 1) * size]
        return np.random.default_rng([self.recipe.seed, shuffle, stretch, pass_number]).permutation(indices)

    def remaining(self, step: int) -> tuple[int, int, int]:
        """Return how many steps on crops, steps on whole pictures, and rounds remain from ``step`` on."""
        first = 0 if self.recipe.crop is None else math.ceil((1 - WHOLE_PICTURES) * self.steps)  # on whole pictures
        whole = self.steps - max(first, step)
        rounds = -(-self.steps // self.steps_per_round) - step // self.steps_per_round  # the last may be shorter
        return self.steps - step - whole, whole, rounds if step < self.steps else 0

    def guessed_costs(self, held_out: int) -> Costs:
        """Guess the costs of steps and rounds, as multiples of a step on whole pictures.

        Args:
            held_out: Number of held-out views.
        """
        crop = 1.0 if self.recipe.crop is None else (self.recipe.crop / self.recipe.grid) ** 2
        return Costs(crop, 1.0, _FORWARD * held_out / self.views_per_step)
