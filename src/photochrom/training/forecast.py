"""``Forecast``: the remaining time of a run, updated by every measured step and round; ``Clock``: measured times."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

Item = TypeVar("Item")
Kind = Literal["crop", "whole", "round"]
_KINDS: Final[tuple[Kind, ...]] = ("crop", "whole", "round")
_TRUST: Final = 1.0  # weight of the first guess, in measurements
_MEMORY: Final = 30.0  # number of measurements averaged, so that the forecast follows changes in the machine's load


@dataclass(frozen=True)
class Costs:
    """Time taken by the parts of a run: in seconds where measured, in any unit where guessed."""

    crop: float
    """A step that sees crops."""
    whole: float
    """A step that sees whole pictures."""
    round: float
    """The end of a round: validation, samples and a checkpoint."""

    def of(self, counts: Sequence[float]) -> float:
        """Return the seconds for given numbers of steps with crops, steps with whole pictures, and rounds."""
        return sum(count * getattr(self, kind) for kind, count in zip(_KINDS, counts, strict=True))


class Forecast:
    """Forecasts the remaining seconds.

    For parts that have been measured, their mean is used. For others, the guess is scaled by the ratio of measurements
    to guesses of the measured parts, since a slow machine is slow at everything.

    Args:
        guess: Initial costs; only their ratios matter after the first measurement.
    """

    def __init__(self, guess: Costs) -> None:
        self.guess = self.costs = guess
        self._seen = dict.fromkeys(_KINDS, 0.0)

    def measured(self, kind: Kind, seconds: float) -> None:
        """Take a measurement into account."""
        self._seen[kind] += 1
        old, count = getattr(self.costs, kind), min(self._seen[kind] + _TRUST, _MEMORY)
        self.costs = replace(self.costs, **{kind: old + (seconds - old) / count})

    def left(self, counts: Sequence[float]) -> float:
        """Return the remaining seconds.

        Args:
            counts: Remaining steps with crops, steps with whole pictures, and rounds.
        """
        seen = [kind for kind in _KINDS if self._seen[kind]]
        spent = sum(getattr(self.costs, kind) * self._seen[kind] for kind in seen)
        guessed = sum(getattr(self.guess, kind) * self._seen[kind] for kind in seen)
        ratio = spent / guessed if guessed else 1.0
        costs = {kind: getattr(self.costs if kind in seen else self.guess, kind) for kind in _KINDS}
        scaled = {kind: cost * (1.0 if kind in seen else ratio) for kind, cost in costs.items()}
        return Costs(**scaled).of(counts)


def duration(seconds: float) -> str:
    """Format a duration for reading: 50 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Clock:
    """Measures the time of rounds, and the time since the last checkpoint."""

    def __init__(self) -> None:
        self._lap = self._saved = self._last = time.monotonic()
        self._waited = 0.0

    def timed(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items, and measure the time spent waiting for each."""
        while True:
            start = time.monotonic()
            try:
                item = next(items)
            except StopIteration:
                return
            self._waited += time.monotonic() - start
            yield item

    def lap(self) -> dict[str, float]:
        """Return the seconds of the round and the seconds spent waiting for data, and start a new round."""
        now = time.monotonic()
        found = {"seconds": now - self._lap, "waited": self._waited}
        self._lap, self._waited = now, 0.0
        return found

    def since_last(self) -> float:
        """Return the seconds since the last call, or since the beginning."""
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        return seconds

    def saved(self) -> None:
        """Record that a checkpoint was written."""
        self._saved = time.monotonic()

    def since_saved(self) -> float:
        """Return the seconds since the last checkpoint."""
        return time.monotonic() - self._saved
