"""Parses and formats times of a film."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from ..errors import OptionError

ROUNDED = Fraction(1, 2000)
"""Tolerance in seconds for times that were rounded to milliseconds, as in files and in a user's input."""

LAST_FRAME = "give a time up to {}, when its last frame begins"
"""Advice for a time after the end of a film."""


def as_seconds(what: str, time: object) -> Fraction:
    """Convert a number of seconds from a film's beginning to a fraction.

    Args:
        what: Name of the time, for the error message.
        time: The number.

    Raises:
        OptionError: ``time`` is not a number from 0 to 10^13, more than ``parse_time`` returns.
    """
    if isinstance(time, bool) or not isinstance(time, int | float | Fraction) or not 0 <= time < 1e13:
        raise OptionError(f"{what} is {time!r:.60}", remedy="give seconds from the film's beginning")
    return Fraction(time).limit_denominator(1_000_000)


def parse_time(text: str) -> Fraction:
    """Convert a time such as ``90``, ``1:30`` or ``0:01:30.5`` to seconds.

    Raises:
        OptionError: The text is not a time.
    """
    if not re.fullmatch(r"(\d{1,9}:){0,2}\d{1,9}(\.\d{1,99})?", text, re.ASCII):
        raise OptionError(
            f"{text!r:.60} is not a time", remedy="write seconds (90.5) or hours:minutes:seconds (0:01:30.5)"
        )
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return seconds


def time_text(seconds: float | Fraction) -> str:
    """Format seconds as hours, minutes, seconds and milliseconds, such as ``0:01:30.500``, or ``-0:00:00.040``."""
    whole, rest = divmod(math.floor(abs(Fraction(seconds)) * 1000 + Fraction(1, 2)), 1000)
    sign = "-" if seconds < 0 and (whole or rest) else ""
    return f"{sign}{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:03}"
