"""Schedule of a run: how many steps, cycles and rounds it has, and which steps see whole pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from .forecast import Costs
from .recipes import Recipe

WHOLE_PICTURES: Final = 0.2  # share of the steps, at the end of a cycle, that see whole pictures and not crops
ROUND: Final = 10_000  # views between two validations; an epoch if that is less, or more in a long run
ROUNDS: Final = 50  # most validations in a run
_FORWARD: Final = 0.3  # cost of a forward pass, as a share of a step's; a first guess


@dataclass(frozen=True)
class Schedule:
    """Steps of a run.

    Args:
        recipe: numbers of the run.
        count: number of training views.
        processes: number of processes that train together, each with a batch of its own.
    """

    recipe: Recipe
    count: int
    processes: int = 1

    @property
    def batch(self) -> int:
        """Views in a step of all processes."""
        return self.recipe.batch * self.processes

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every view is shown once."""
        return self.count // self.batch

    @property
    def steps(self) -> int:
        """Steps of the run."""
        return max(1, round(self.recipe.epochs * self.steps_per_epoch))

    @property
    def steps_per_cycle(self) -> int:
        """Steps of a cycle of the learning rate."""
        return math.ceil(self.steps / self.recipe.cycles)

    @property
    def steps_per_round(self) -> int:
        """Steps between two validations."""
        return max(1, min(self.steps_per_epoch, ROUND // self.batch), self.steps // ROUNDS)

    def sees_whole_pictures(self, step: int) -> bool:
        """Return whether a step sees whole pictures: all do at the end of a cycle, or without crops."""
        return self.recipe.crop is None or step % self.steps_per_cycle >= (1 - WHOLE_PICTURES) * self.steps_per_cycle

    def left(self, step: int) -> tuple[int, int, int]:
        """Return how many steps from ``step`` on see crops, how many see whole pictures, and how many rounds end."""
        whole = self._whole_steps(self.steps) - self._whole_steps(step)
        rounds = -(-self.steps // self.steps_per_round) - step // self.steps_per_round
        return self.steps - step - whole, whole, rounds

    def _whole_steps(self, end: int) -> int:
        """Return how many of the steps before ``end`` see whole pictures."""
        if self.recipe.crop is None:
            return end
        cycles, rest = divmod(end, self.steps_per_cycle)
        first = math.ceil((1 - WHOLE_PICTURES) * self.steps_per_cycle)  # of each cycle
        return cycles * (self.steps_per_cycle - first) + max(0, rest - first)

    def guessed_costs(self, held_out: int) -> Costs:
        """Guess what the parts of the run cost, as multiples of a step that sees whole pictures.

        Args:
            held_out: number of held-out views.
        """
        crop = 1.0 if self.recipe.crop is None else (self.recipe.crop / self.recipe.grid) ** 2
        return Costs(crop, 1.0, _FORWARD * held_out / self.batch)
