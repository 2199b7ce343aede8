"""Collects damage found while a film is read, and describes it for the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from .times import time_text


@dataclass
class Damage:
    """Damage found in one film; the readers of the film add to it."""

    packets: list[Fraction] = field(default_factory=list)
    """Times, in seconds, of packets that could not be decoded."""
    ends_early: str = ""
    """Reason why reading stopped before the end; empty if it did not."""
    other_fields: str = ""
    """Time of the first frame whose interlacing differs from the film's first frame; empty if there is none."""
    clocks: dict[int, Fraction] = field(default_factory=dict)
    """Time, in seconds, at which the time stamps of a copied track first go back, by the track's index."""
    cut_sound: Fraction = Fraction(0)
    """Seconds of sound after the last frame, dropped by a container that ends with the picture."""
    side_data: frozenset[str] = frozenset()
    """Kinds of side data found on the frames, such as closed captions; reported if the codec loses them."""

    def note(self, seconds: Fraction) -> None:
        """Add a packet that could not be decoded; a packet that is read twice counts once."""
        if seconds not in self.packets:
            self.packets.append(seconds)

    def restore(self, packets: Iterable[str], ends_early: str, other_fields: str) -> None:
        """Add the damage that an earlier run found."""
        for seconds in packets:
            self.note(Fraction(seconds))
        self.ends_early, self.other_fields = ends_early, other_fields

    def lines(self) -> list[str]:
        """Return one line of text for each kind of damage."""
        found = []
        if self.packets:
            times = ", ".join(time_text(t) for t in self.packets[:5]) + (", ..." if len(self.packets) > 5 else "")
            found.append(f"{len(self.packets)} damaged packets, left out or repaired by the decoder, at {times}")
        if self.ends_early:
            found.append(f"the file ends early or is damaged from there on ({self.ends_early})")
        if self.other_fields:
            found.append(
                f"only some frames are interlaced; all are marked like the first (another one: {self.other_fields})"
            )
        found += [
            f"the time stamps of track {i} went back at {time_text(t)} and were repaired"
            for i, t in sorted(self.clocks.items())
        ]
        if self.cut_sound:
            found.append(f"not kept: {float(self.cut_sound):.3f} s of sound after the last frame, where MXF ends")
        return found
