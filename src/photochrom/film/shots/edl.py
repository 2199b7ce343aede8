"""Reads and writes edit decision lists (CMX 3600), whose events are the shots of a film.

Record times are time codes of the film. If the film has no time code, that of its first frame is in a comment which
``write_edl`` adds. Without it, the film is assumed to begin at the last full hour before the first event, because lists
often begin at 01:00:00:00.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ...errors import OptionError
from ..reader import FilmReader
from ..source.time_code import add_frames, frames_of
from .detection import Shot
from .options import ShotOptions

_TIME = r"(\d\d:\d\d:\d\d[:;.]\d\d)"
# Event, reel, track, transition (with its length), source in and out, record in and out.
_EVENT = re.compile(
    rf"\s*\d+\s+\S+\s+(\S+)\s+(?:C|D|W\d+|K\s?[BO]?)(?:\s+\d+)?\s+{_TIME}\s+{_TIME}\s+{_TIME}\s+{_TIME}\s*"
)
_BEGINNING = "* FILM BEGINS AT: "  # the comment with the time code of the film's first frame
_COUNTING = re.compile(r"\s*FCM:\s*(NON[- ]?)?DROP", re.IGNORECASE)  # frame code mode of the events that follow
_PICTURE_TRACKS = ("V", "B", "AA/V", "A2/V", "A/V")  # track names of events with a picture; others are sound only
_REEL = 8  # greatest length of a reel name


@dataclass(frozen=True)
class Clock:
    """Frame rate and first time code of a film."""

    rate: Fraction
    """Frames per second."""
    first: str | None
    """Time code of the first frame; None if the film states none."""

    @property
    def beginning(self) -> str:
        """Time code that ``write_edl`` gives the first frame: ``first``, or ``00:00:00:00`` if that is None."""
        return self.first or "00:00:00:00"


def clock_of(reader: FilmReader) -> Clock:
    """Return the frame rate and first time code of a film."""
    code = reader.time_code
    return Clock(reader.rate, code if code and re.fullmatch(_TIME, code) else None)


def write_edl(shots: Iterable[Shot], clock: Clock, title: str) -> str:
    """Return the text of an edit decision list with one event for each shot.

    Args:
        shots: The shots.
        clock: Frame rate and first time code of the film.
        title: Name of the film, from which the reel name is made.
    """
    reel = re.sub(r"[^A-Z0-9]", "", title.upper())[:_REEL] or "AX"
    drop = clock.beginning[8] != ":"
    lines = [f"TITLE: {title}", f"FCM: {'DROP FRAME' if drop else 'NON-DROP FRAME'}"]
    lines += [f"{_BEGINNING}{clock.beginning}", ""]
    for number, shot in enumerate(shots, 1):
        first = round(shot.start * clock.rate)
        times = f"{_code(first, clock)} {_code(first + shot.frames, clock)}"
        lines.append(f"{number:03}  {reel:<8} V     C        {times} {times}")
    return "\n".join([*lines, ""])


def read_edl(path: str | os.PathLike[str], clock: Clock) -> tuple[ShotOptions, ...]:
    """Read the events of an edit decision list as shots with default options.

    A dissolve or wipe belongs to the later of its two shots. Sound events are ignored.

    Args:
        path: The list.
        clock: Frame rate and first time code of the film. Without a time code, the film begins as the list's comment
            states, or is assumed to begin at the last full hour before the first event.

    Raises:
        OptionError: The file cannot be read, has no event with a picture, or has an event before the film's first
            time code.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    except OSError as exc:
        raise OptionError(f"the list cannot be read ({exc.strerror})", path=path, remedy="check the path") from exc
    codes = {frames_of(code, clock.rate): code for code in _record_ins(text, clock.first)}
    if not (starts := sorted(codes)):
        raise OptionError("has no event with a picture", path=path, remedy="export it as CMX 3600")
    stated = re.search(rf"^{re.escape(_BEGINNING)}{_TIME}\s*$", text, re.MULTILINE)
    first = clock.first or (stated and stated[1])
    if first:
        offset, day = (frames_of(code, clock.rate) for code in (first, f"24:00:00{first[8]}00"))
        starts = sorted(_after_midnight(number, offset, day) for number in starts)
    else:
        earliest = codes[starts[0]]
        offset = frames_of(f"{earliest[:2]}:00:00{earliest[8]}00", clock.rate)
    if starts[0] < offset:
        raise OptionError(
            f"begins before the film, whose time code starts at {first}",
            path=path,
            remedy="check its record times",
        )
    return tuple(ShotOptions((number - offset) / clock.rate) for number in starts)


def _after_midnight(number: int, offset: int, day: int) -> int:
    """Return the number of a frame, plus a ``day`` if it is less than half a day after ``offset`` on the next day."""
    return number + day if number < offset and number + day < offset + day // 2 else number


def _record_ins(text: str, first: str | None) -> Iterator[str]:
    """Yield the time codes at which the events with a picture begin, with a semicolon if they drop frames.

    A list that states drop frame may write colons all the same; ``first``, the film's own time code, then decides.
    """
    states_drop, follows = False, first is None or first[8] != ":"
    for line in text.splitlines():
        if stated := _COUNTING.match(line):
            states_drop = stated[1] is None
        elif (event := _EVENT.fullmatch(line)) and event[1].upper() in _PICTURE_TRACKS and event[4] != event[5]:
            yield re.sub(":(?=..$)", ";", event[4]) if states_drop and follows else event[4]


def _code(frame: int, clock: Clock) -> str:
    """Return the time code of a frame, whose number counts from the film's beginning."""
    code = add_frames(clock.beginning, frame, clock.rate)
    assert code is not None  # clock_of has checked the first time code
    return code
