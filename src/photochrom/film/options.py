"""What a user may ask of a film. The command line, the API and the studio build the same object."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Rational

from ..colorizer.options import ColorOptions
from ..errors import OptionError

CODECS = ("libx264", "libx265", "ffv1")
"""Of the coloured film: H.264, H.265, and the lossless FFV1."""
ROUNDED = Fraction(1, 2000)
"""Seconds by which a time that a user copies from us, or types, may lie behind that of the frame that is meant."""
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class FilmOptions:
    """How a film is to be coloured and written.

    Raises:
        OptionError: a value is out of its range.
    """

    color: ColorOptions = field(default_factory=ColorOptions)
    """Vividness and strength. Hints belong to a frame: see ``FilmHint``."""
    codec: str = "libx264"
    """One of ``CODECS``; ``ffv1`` keeps the luma bit for bit on the disk too."""
    crf: int = 18
    """Quality of a lossy codec: lower is better and larger, 0 to 51."""
    preset: str = "veryfast"
    """How much time the codec takes to save bits; one of ``PRESETS``."""
    start: Fraction | None = None
    """Seconds from the film's beginning; None for the beginning."""
    end: Fraction | None = None
    """Seconds from the film's beginning; None for the end."""
    recolor: bool = False
    """Whether a film that has colours already is to be coloured anew, from its luma."""

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise OptionError(f"codec is {self.codec!r}: choose one of {', '.join(CODECS)}")
        if self.preset not in PRESETS:
            raise OptionError(f"preset is {self.preset!r}: choose one of {', '.join(PRESETS)}")
        if not isinstance(self.crf, int) or not 0 <= self.crf <= 51:
            raise OptionError(f"crf is {self.crf!r}: give a whole number from 0 to 51")
        for name in ("start", "end"):
            if not isinstance(time := getattr(self, name), Rational | None):
                raise OptionError(f"{name} is {time!r}: give seconds as a fraction, as parse_time makes it of text")
        if self.color.hints:
            raise OptionError("hints of a film belong to a frame: give them with their time")
        if self.end is not None and (start := self.start or Fraction(0)) >= self.end:
            raise OptionError(f"the film would end ({float(self.end):g} s) before it starts ({float(start):g} s)")


def parse_time(text: str) -> Fraction:
    """``90``, ``1:30`` or ``0:01:30.5`` -> seconds.

    Raises:
        OptionError: the text is something else.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text, re.ASCII):
        raise OptionError(f"{text!r:.60} is no time: write seconds (90.5) or hours:minutes:seconds (0:01:30.5)")
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return seconds


def time_text(seconds: float | Fraction) -> str:
    """Seconds as ``0:01:30.500``."""
    whole, rest = divmod(math.floor(float(seconds) * 1000 + 0.5), 1000)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}.{rest:03}"
