"""``Schedule``: the numbers of steps, cycles and rounds of a run, and the steps that see whole pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from .forecast import Costs
from .recipes import Recipe

WHOLE_PICTURES: Final = 0.2  # share of a cycle's steps, at its end, that see whole pictures instead of crops
ROUND: Final = 10_000  # views in a round; fewer if an epoch is shorter, more in a long run
ROUNDS: Final = 50  # approximate maximum number of rounds in a run
_FORWARD: Final = 0.3  # guessed cost of a forward pass, relative to a whole training step


@dataclass(frozen=True)
class Schedule:
    """Numbers of steps, cycles and rounds of a run.

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
    def steps_per_cycle(self) -> int:
        """Number of steps per cycle of the learning rate."""
        return math.ceil(self.steps / self.recipe.cycles)

    @property
    def steps_per_round(self) -> int:
        """Number of steps between two validations."""
        return max(1, min(self.steps_per_epoch, ROUND // self.views_per_step), self.steps // ROUNDS)

    def sees_whole_pictures(self, step: int) -> bool:
        """Return whether a step sees whole pictures: in a cycle's last fifth, or always if the recipe has no crop."""
        return self.recipe.crop is None or step % self.steps_per_cycle >= (1 - WHOLE_PICTURES) * self.steps_per_cycle

    def remaining(self, step: int) -> tuple[int, int, int]:
        """Return how many steps on crops, steps on whole pictures, and rounds remain from ``step`` on."""
        whole = self._whole_steps(self.steps) - self._whole_steps(step)
        rounds = -(-self.steps // self.steps_per_round) - step // self.steps_per_round
        return self.steps - step - whole, whole, rounds

    def _whole_steps(self, end: int) -> int:
        """Return the number of steps before ``end`` that see whole pictures."""
        if self.recipe.crop is None:
            return end
        cycles, rest = divmod(end, self.steps_per_cycle)
        first = math.ceil((1 - WHOLE_PICTURES) * self.steps_per_cycle)  # first such step of each cycle
        return cycles * (self.steps_per_cycle - first) + max(0, rest - first)

    def guessed_costs(self, held_out: int) -> Costs:
        """Guess the costs of steps and rounds, as multiples of a step on whole pictures.

        Args:
            held_out: Number of held-out views.
        """
        crop = 1.0 if self.recipe.crop is None else (self.recipe.crop / self.recipe.grid) ** 2
        return Costs(crop, 1.0, _FORWARD * held_out / self.views_per_step)
