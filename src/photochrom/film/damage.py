"""What of a film is damaged, or could not be kept as it was: told when it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from .options import time_text


@dataclass
class Damage:
    """Of one film."""

    packets: list[Fraction] = field(default_factory=list)
    """Seconds, of packets that could not be decoded."""
    ends_early: str = ""
    """Why reading stopped before the end; empty if it did not."""
    other_fields: str = ""
    """When the first frame is shown that has fields, unlike the film's first, or has none; empty if there is none."""
    clocks: dict[int, Fraction] = field(default_factory=dict)
    """Seconds at which the times of a track that is copied first went back, by its number."""

    def note(self, seconds: Fraction) -> None:
        """A packet that could not be decoded; the same one counts once, however often it is read."""
        if seconds not in self.packets:
            self.packets.append(seconds)

    def restore(self, packets: Iterable[str], ends_early: str, other_fields: str) -> None:
        """What an earlier run has noted."""
        for seconds in packets:
            self.note(Fraction(seconds))
        self.ends_early, self.other_fields = ends_early, other_fields

    def lines(self) -> list[str]:
        """One line for each kind of damage, for people."""
        found = []
        if self.packets:
            times = ", ".join(time_text(t) for t in self.packets[:5]) + (", ..." if len(self.packets) > 5 else "")
            found.append(f"{len(self.packets)} damaged packets, left out or repaired by the decoder, at {times}")
        if self.ends_early:
            found.append(f"the file ends early or is damaged from there on ({self.ends_early})")
        if self.other_fields:
            found.append(f"only some frames are interlaced; all are marked as the first (another: {self.other_fields})")
        found += [f"the times of track {i} go back at {time_text(t)}: mended" for i, t in sorted(self.clocks.items())]
        return found
