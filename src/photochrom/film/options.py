"""Options of a film, shared by the command line, the Python API and the studio."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Rational
from typing import TYPE_CHECKING, cast

from ..colorizer.options import ColorOptions
from ..errors import OptionError
from .output.codecs import check_profile, codec_named
from .shots.options import ShotOptions, check_shots
from .times import parse_time

if TYPE_CHECKING:
    from ..content_credentials import Identity

RECOLOR = ("all", "grey-shots")
"""Choices of ``FilmOptions.recolor`` for a film that is in colour already."""
# Choices of FilmOptions.preset, from the fastest to the one with the smallest files.
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class FilmOptions:
    """How to colour and write a film.

    Times are numbers of seconds, or text that ``parse_time`` can read.

    Raises:
        OptionError: A value is invalid, or contradicts another one.
    """

    color: ColorOptions = field(default_factory=ColorOptions)
    """Options for all frames, such as vividness and strength; hints are given per frame, as ``FilmHint``."""
    codec: str = "auto"
    """Codec of the coloured film: ``libx264``, ``libx265``, ``ffv1``, ``prores``, ``dnxhr`` or ``v210``; or the format
    of numbered frames: ``dpx``, ``tiff``, ``png``, ``jpeg``, ``jp2`` or ``exr``. ``libx264``, ``libx265``, ``prores``
    and ``dnxhr`` are lossy, the others lossless. ``auto`` means ``libx264`` for a film in one file, and the source's
    format for a sequence, unless the output's name decides otherwise."""
    crf: int = 18
    """Constant rate factor of ``libx264`` and ``libx265``, 0 to 51: lower values mean better quality, larger files."""
    preset: str = "veryfast"
    """Trade-off of ``libx264`` and ``libx265`` between speed and file size; one of ``PRESETS``."""
    start: Fraction | float | str | None = None
    """Start of the part to colour: seconds from the film's beginning, or text such as ``1:30``; None for the
    beginning."""
    end: Fraction | float | str | None = None
    """End of the part to colour, in the same form as ``start``; None for the film's end."""
    recolor: bool | str = False
    """How to treat a film that is in colour already. ``"grey-shots"`` colours only the shots without colours; ``"all"``
    (or True) colours all shots anew, from their luma. False means ``"grey-shots"``, but raises an error if all shots to
    colour are in colour already."""
    c2pa: Identity | None = field(default=None, repr=False)  # not in repr, so that another signer can resume the work
    """Signer of the film's content credentials (C2PA); None for an unsigned film. Containers that cannot hold
    credentials, such as Matroska and MXF, get a file ``NAME.EXT.c2pa`` beside the film. Sequences cannot be signed."""
    profile: str | None = None
    """Profile of ``prores`` (``hq``, ``standard``, ``lt``, ``proxy``, ``4444``, ``4444xq``) or ``dnxhr`` (``hqx``,
    ``hq``, ``sq``, ``lb``, ``444``); None for ``hq`` or ``hqx``, respectively."""
    bits: int | None = None
    """Bits per sample of the coloured film: 8, 10, 12, 14 or 16; None for those of the source, or the codec's next
    greater depth."""
    rate: Fraction | float | str | None = None
    """Frames per second of an image sequence, or of a raw stream that states none: a number, or text such as
    ``24000/1001``; None for the rate in the headers of the sequence, or 24, and for 25 in a raw stream."""
    fill_gaps: bool = False
    """Whether each missing frame of a sequence is replaced by the frame before it; otherwise a gap raises an error."""

    shots: tuple[ShotOptions, ...] = ()
    """The film's shots in order, each with its own vividness, strength and hints. Empty to detect the shots and colour
    all of them alike."""
    only_shots: tuple[int, ...] = ()
    """Numbers of the shots to colour, from 1; the others are left unchanged. Empty for all shots."""
    keep_parts: bool = False
    """Whether to keep the working folder beside the output when the film is finished. The next run on the same output
    then colours only the shots whose options have changed. The folder is as large as the film."""

    frame: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the picture area, in pixels of the stored frame, or of the upright frame of a
    sequence. Everything outside it, such as sprocket holes and frame lines, is ignored and stays neutral. None for the
    whole frame."""
    negative: bool | None = None
    """Whether the film is a negative. The network then sees the inverted luma; the film stays a negative, with the
    complementary colours. False means a positive; so does None, but it raises an error if the film is certainly a
    negative."""
    keep_titles: bool = False
    """Whether intertitles (still text on black) are left unchanged: tinted or grey as they are."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "codec", codec_named(self.codec))  # the class is frozen
        check_profile(self.codec, self.profile)
        if self.bits not in (None, 8, 10, 12, 14, 16):
            raise OptionError(f"bits is {self.bits!r}", remedy="give 8, 10, 12, 14 or 16")
        object.__setattr__(self, "rate", _rate(self.rate))
        if self.preset not in PRESETS:
            raise OptionError(f"preset is {self.preset!r}", remedy=f"choose one of {', '.join(PRESETS)}")
        if not isinstance(self.crf, int) or not 0 <= self.crf <= 51:
            raise OptionError(f"crf is {self.crf!r}", remedy="give a whole number from 0 to 51")
        if self.recolor not in (False, True, *RECOLOR):
            raise OptionError(f"recolor is {self.recolor!r}", remedy=f"choose one of {', '.join(RECOLOR)}, or False")
        object.__setattr__(self, "recolor", "all" if self.recolor is True else self.recolor)
        for name in ("start", "end"):
            object.__setattr__(self, name, _seconds(name, getattr(self, name)))
        if self.color.hints:
            raise OptionError("a film's hints need times", remedy="give them as FilmHint objects, not in color.hints")
        check_shots(self.shots)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.only_shots):
            raise OptionError(f"only_shots is {self.only_shots!r:.60}", remedy="give whole numbers from 1 up")
        _check_area(self.frame)
        start, end = self.times
        if end is not None and (start or 0) >= end:
            raise OptionError(
                f"the film would end ({float(end):g} s) before it starts ({float(start or 0):g} s)",
                remedy="give a later end",
            )

    @property
    def times(self) -> tuple[Fraction | None, Fraction | None]:
        """``start`` and ``end`` in seconds, as fractions; each is None if its field is."""
        return cast(tuple[Fraction | None, Fraction | None], (self.start, self.end))


def _check_area(area: tuple[int, int, int, int] | None) -> None:
    if area is None:
        return
    is_whole = isinstance(area, tuple) and len(area) == 4 and all(type(part) is int and part >= 0 for part in area)
    if not is_whole or not (area[2] and area[3]):
        raise OptionError(
            f"frame is {area!r:.60}", remedy="give left, top, width and height in pixels, as four whole numbers"
        )


def _seconds(name: str, time: Fraction | float | str | None) -> Fraction | None:
    """Convert a time in any accepted form to seconds; None stays None.

    Raises:
        OptionError: The time is invalid; the message gives ``name`` as the option's name.
    """
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, float) and math.isfinite(time) and time >= 0:
        return Fraction(time).limit_denominator(1_000_000)
    if time is None or (isinstance(time, Rational) and not isinstance(time, bool) and time >= 0):
        return None if time is None else Fraction(time)
    raise OptionError(f"{name} is {time!r}", remedy="give seconds (90.5), or text (0:01:30.5)")


def _rate(rate: Fraction | float | str | None) -> Fraction | None:
    """Convert a frame rate in any accepted form to a fraction; None stays None.

    Raises:
        OptionError: The rate is not a number above 0 and up to 1000.
    """
    if rate is None:
        return None
    try:
        found = Fraction(rate)
    except (ValueError, TypeError, ZeroDivisionError, OverflowError):
        found = Fraction(0)
    found = found.limit_denominator(1001)
    if not 0 < found <= 1000:
        raise OptionError(f"rate is {rate!r}", remedy="give frames per second, such as 18 or 24000/1001")
    return found
