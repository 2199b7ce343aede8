"""``Damage``: collects the damage that is found while a film is read, and describes it for the report.

FFmpeg's own messages are not read: PyAV's callback for them waits for Python's lock, and so may block the process, for
example while a decoder with several threads is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from .times import time_text

_LONG = 1.75  # times the usual one: a longer frame leaves a gap; in soft pulldown, frames last up to 1.5 times as long
_RARE = 0.1  # largest share of gaps; if there are more, the frame rate varies
_NAMED = 5  # most places that a note names


@dataclass
class Damage:
    """Damage found in one film; every function that reads the film records it here."""

    packets: list[Fraction] = field(default_factory=list)
    """Times, in seconds, of damaged packets, which the decoder left out or repaired."""
    ends_early: str = ""
    """Reason why reading stopped before the end, and the time; empty if the film was read to its end."""
    other_fields: str = ""
    """Time, as text, of the first frame whose interlacing differs from that of the film's first frame; empty if there
    is none."""
    clocks: dict[int, Fraction] = field(default_factory=dict)
    """Time, in seconds, at which the time stamps of a track first decrease, by the track's index."""
    cut_sound: Fraction = Fraction(0)
    """Seconds of sound after the last frame, which are lost because MXF ends with the picture."""
    side_data: frozenset[str] = frozenset()
    """Kinds of side data found on the frames, such as ``A53_CC`` (closed captions); see ``source.side_data.lost``."""

    def note(self, seconds: Fraction) -> None:
        """Record the time of a damaged packet; a packet that is read twice counts once."""
        if seconds not in self.packets:
            self.packets.append(seconds)

    def facts(self) -> dict[str, Any]:
        """Return the damage to the picture as JSON data, from which ``restore`` can add it to that of a later run."""
        return {
            "packets": [str(time) for time in self.packets],
            "ends_early": self.ends_early,
            "other_fields": self.other_fields,
            "clocks": {track: str(time) for track, time in list(self.clocks.items())},
            "side_data": sorted(self.side_data),
        }

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Add damage that an earlier run found, as ``facts`` returned it; its texts replace those found so far."""
        for seconds in facts["packets"]:
            self.note(Fraction(seconds))
        self.ends_early, self.other_fields = facts["ends_early"], facts["other_fields"]
        self.clocks |= {int(track): Fraction(time) for track, time in facts["clocks"].items()}
        self.side_data |= frozenset(facts["side_data"])

    def lines(self) -> list[str]:
        """Return one line of text for each kind of damage. Lost side data is not among them."""
        found = []
        if self.packets:
            times = listed([time_text(t) for t in self.packets])
            packets = f"{len(self.packets)} damaged packet{'' if len(self.packets) == 1 else 's'}"
            found.append(f"{packets}, left out or repaired by the decoder, at {times}")
        if self.ends_early:
            found.append(f"the file ends early, or cannot be read beyond this point ({self.ends_early})")
        if self.other_fields:
            found.append(
                f"only some frames are interlaced; all are marked like the first (one differs at {self.other_fields})"
            )
        found += [
            f"the time stamps of track {i} went back at {time_text(t)} and were repaired"
            for i, t in sorted(self.clocks.items())
        ]
        if self.cut_sound:
            found.append(f"not kept: {float(self.cut_sound):.3f} s of sound after the last frame, where MXF ends")
        return found


def gap_notes(pts: Sequence[int], seconds: Callable[[int], Fraction]) -> list[str]:
    """Return a note on the times without frames, as damage to any container leaves them; none if the rate varies.

    Args:
        pts: Presentation time stamps of the frames, strictly increasing.
        seconds: Converts a pts to seconds.
    """
    steps = np.diff(pts)
    usual = round(np.median(steps)) if len(steps) else 0
    gaps = np.flatnonzero(steps > _LONG * usual).tolist()
    if not 0 < len(gaps) <= _RARE * len(steps):
        return []
    spans = [(seconds(pts[i] + usual), seconds(pts[i + 1])) for i in gaps]
    places = [f"{time_text(start)} for {float(end - start):.3f} s" for start, end in spans]
    return [f"frames may be missing: there are none from {listed(places)}"]


def listed(places: list[str]) -> str:
    """Join descriptions of places with commas; dots stand for all but the first ones of a long list."""
    return ", ".join(places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")
