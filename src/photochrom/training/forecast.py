"""Forecast of the time that a run still takes: a guess at first, corrected by every step and round as it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

Item = TypeVar("Item")
Kind = Literal["crop", "whole", "round"]
_KINDS: Final[tuple[Kind, ...]] = ("crop", "whole", "round")
_TRUST: Final = 1.0  # measurements that the first guess is worth
_MEMORY: Final = 30.0  # measurements over which a mean is taken, so that it follows a machine that gets busy


@dataclass(frozen=True)
class Costs:
    """Seconds that the parts of a run take."""

    crop: float
    """A step that sees crops."""
    whole: float
    """A step that sees whole pictures."""
    round: float
    """The end of a round: validation, samples and a checkpoint."""

    def of(self, counts: Sequence[float]) -> float:
        """Return the seconds of some steps that see crops, some that see whole pictures, and some rounds."""
        return sum(count * getattr(self, kind) for kind, count in zip(_KINDS, counts, strict=True))


class Forecast:
    """Forecasts the seconds that are left.

    A part that has been measured counts as measured. One that has not counts as guessed, times what the measured parts
    took compared with their guesses: a slow machine is slow at everything.

    Args:
        guess: Costs to begin with; only their ratios matter once something was measured.
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
        """Return the seconds that are left.

        Args:
            counts: Steps to come that see crops, steps that see whole pictures, and rounds.
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
    """Measures where the time of a round goes."""

    def __init__(self) -> None:
        self._lap = self._saved = self._last = time.monotonic()
        self._waited = 0.0

    def timed(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items, and note the time spent waiting for each."""
        while True:
            start = time.monotonic()
            try:
                item = next(items)
            except StopIteration:
                return
            self._waited += time.monotonic() - start
            yield item

    def lap(self) -> dict[str, float]:
        """Return the seconds of the round, and the seconds in which training waited for its data; then start over."""
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
        """Note that a checkpoint was written."""
        self._saved = time.monotonic()

    def since_saved(self) -> float:
        """Return the seconds since the last checkpoint."""
        return time.monotonic() - self._saved
