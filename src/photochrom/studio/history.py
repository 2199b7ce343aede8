"""``History``: undo and redo of choices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

Choices = TypeVar("Choices")
_MOST = 200  # maximum number of steps that can be undone


@dataclass(frozen=True)
class History(Generic[Choices]):
    """Current, earlier and undone choices. Immutable: every change returns a new history."""

    now: Choices
    """The current choices, a frozen dataclass."""
    past: tuple[Choices, ...] = ()
    """Earlier choices, oldest first; undo restores the last."""
    future: tuple[Choices, ...] = ()
    """Undone choices; redo restores the first."""
    dial: str = ""
    """Name of the dial that the last change turned; empty if the last change was of another kind."""

    def choose(self, **changes: object) -> Self:
        """Return the history after some fields of the choices change; this history if they keep their values."""
        now = replace(self.now, **changes)  # type: ignore[type-var]
        if now == self.now:
            return self
        return replace(self, now=now, past=(*self.past[1 - _MOST :], self.now), future=(), dial="")

    def turn(self, dial: str, **changes: object) -> Self:
        """Return the history after a dial is turned, given the fields that this changes.

        Consecutive turns of one dial are undone in one step.
        """
        turned = self.choose(**changes)
        past = self.past if dial == self.dial else turned.past
        return replace(turned, past=past, dial=dial) if turned is not self else self

    def undo(self) -> Self:
        """Return the history after undoing the last change; this history if there is none."""
        if not self.past:
            return self
        *past, now = self.past
        return replace(self, now=now, past=tuple(past), future=(self.now, *self.future), dial="")

    def redo(self) -> Self:
        """Return the history after redoing the last undone change; this history if there is none."""
        if not self.future:
            return self
        now, *future = self.future
        return replace(self, now=now, past=(*self.past, self.now), future=tuple(future), dial="")
