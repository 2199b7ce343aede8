"""``Forecast``: forecasts the remaining time of a run from times that ``Clock`` measures while it trains."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

Item = TypeVar("Item")
Kind = Literal["crop", "whole", "round"]
_KINDS: Final[tuple[Kind, ...]] = ("crop", "whole", "round")
_GUESS_WEIGHT: Final = 1.0  # weight of the guess in a mean, where each measurement has weight 1
_AVERAGED: Final = 30.0  # approximate number of recent measurements in a mean, which thus follows the machine's load


@dataclass(frozen=True)
class Costs:
    """Times taken by steps and rounds: in seconds if measured, in any unit if guessed."""

    crop: float
    """Time of a step on crops."""
    whole: float
    """Time of a step on whole pictures."""
    round: float
    """Time of the end of a round: validation, samples and a checkpoint."""

    def total(self, counts: Sequence[float]) -> float:
        """Return the total time of given numbers of steps on crops, steps on whole pictures, and rounds."""
        return sum(count * getattr(self, kind) for kind, count in zip(_KINDS, counts, strict=True))


class Forecast:
    """Forecasts the remaining seconds of a run.

    If a kind of step (or the end of a round) has been measured, its mean is used. Otherwise its guess is scaled by the
    ratio of measured to guessed times of the other kinds, since a slow machine is slow at everything.

    Args:
        guess: Guessed costs; after a few measurements, only their ratios matter.
    """

    def __init__(self, guess: Costs) -> None:
        self.guess = self.costs = guess
        self._counts = dict.fromkeys(_KINDS, 0.0)

    def measured(self, kind: Kind, seconds: float) -> None:
        """Add a measured time to the mean of its kind."""
        self._counts[kind] += 1
        old, count = getattr(self.costs, kind), min(self._counts[kind] + _GUESS_WEIGHT, _AVERAGED)
        self.costs = replace(self.costs, **{kind: old + (seconds - old) / count})

    def seconds_left(self, counts: Sequence[float]) -> float:
        """Estimate the remaining seconds. Call ``measured`` first: guesses alone have no unit.

        Args:
            counts: Remaining numbers of steps on crops, steps on whole pictures, and rounds.
        """
        known = [kind for kind in _KINDS if self._counts[kind]]
        spent = sum(getattr(self.costs, kind) * self._counts[kind] for kind in known)
        guessed = sum(getattr(self.guess, kind) * self._counts[kind] for kind in known)
        ratio = spent / guessed if guessed else 1.0
        costs = {kind: getattr(self.costs if kind in known else self.guess, kind) for kind in _KINDS}
        scaled = {kind: cost * (1.0 if kind in known else ratio) for kind, cost in costs.items()}
        return Costs(**scaled).total(counts)


def duration(seconds: float) -> str:
    """Format a duration for people: ``50 s``, ``12 min``, ``3.4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Clock:
    """Measures steps and rounds, the time spent waiting for data, and the time since the last checkpoint."""

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
        """End a round; return its ``seconds``, and the seconds of it that were spent waiting for data, ``waited``."""
        now = time.monotonic()
        times = {"seconds": now - self._lap, "waited": self._waited}
        self._lap, self._waited = now, 0.0
        return times

    def since_last(self) -> float:
        """Return the seconds since the last call of this method, or since the clock was made."""
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        return seconds

    def saved(self) -> None:
        """Record that a checkpoint was written."""
        self._saved = time.monotonic()

    def since_saved(self) -> float:
        """Return the seconds since the last checkpoint."""
        return time.monotonic() - self._saved
