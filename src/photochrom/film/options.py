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
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True)
class FilmOptions:
    """How to colour and write a film.

    Times are numbers of seconds, or text that ``parse_time`` can read.

    Raises:
        OptionError: A value is out of its range.
    """

    color: ColorOptions = field(default_factory=ColorOptions)
    """Vividness and strength. Hints belong to single frames: see ``FilmHint``."""
    codec: str = "auto"
    """Codec of the coloured film: ``libx264``, ``libx265``, ``ffv1``, ``prores``, ``dnxhr`` or ``v210``; or the format
    of numbered frames: ``dpx``, ``tiff``, ``png``, ``jp2`` or ``exr``. All but the first two, ``prores`` and
    ``dnxhr`` are lossless. ``auto`` is ``libx264`` for a film, and a sequence's own format for a sequence."""
    crf: int = 18
    """Quality of a lossy codec, 0 to 51; lower is better and larger."""
    preset: str = "veryfast"
    """Trade-off between the codec's speed and the size of the file; one of ``PRESETS``."""
    start: Fraction | float | str | None = None
    """Seconds from the film's beginning, or text such as ``1:30``; None for the beginning."""
    end: Fraction | float | str | None = None
    """End of the part to colour, likewise; None for the film's end."""
    recolor: bool | str = False
    """Treatment of colours that the film has already. ``"grey-shots"`` colours only the shots without colours;
    ``"all"`` (or True) recolours everything from the luma. False refuses a film that is in colour throughout, and
    colours the grey shots of one that is partly in colour."""
    c2pa: Identity | None = field(default=None, repr=False)  # the work of another signer can be continued
    """Signer of the film's content credentials (C2PA), which are added last; None for an unsigned film. Matroska and
    MXF cannot hold them, so they are written beside the film, to ``NAME.EXT.c2pa``."""
    profile: str | None = None
    """Profile of ``prores`` (``hq``, ``standard``, ``lt``, ``proxy``, ``4444``, ``4444xq``) or ``dnxhr`` (``hqx``,
    ``hq``, ``sq``, ``lb``, ``444``); None for the first of them."""
    bits: int | None = None
    """Bits per sample of the coloured film; None for the source's, or more if the codec requires more."""
    rate: Fraction | float | str | None = None
    """Frames per second of an image sequence: a number, or text such as ``24000/1001``; None for the rate in its
    headers, or 24."""
    fill_gaps: bool = False
    """Whether to replace missing frames of a sequence by the frames before them; otherwise they are an error."""

    shots: tuple[ShotOptions, ...] = ()
    """The film's shots in order, each with its own vividness, strength and hints. Empty (the default) to detect shots
    and colour all of them alike."""
    only_shots: tuple[int, ...] = ()
    """Numbers of the shots to colour, from 1; the others are left unchanged. Empty for all shots."""
    keep_parts: bool = False
    """Whether to keep the working folder beside the output when the film is finished. The next run on the same output
    then colours only the shots whose options have changed. The folder is as large as the film."""

    frame: tuple[int, int, int, int] | None = None
    """Left, top, width and height of the picture area, in pixels of the stored frame. Everything outside it, such as
    sprocket holes and frame lines, is ignored and stays neutral. None for the whole frame."""
    negative: bool | None = None
    """Whether the film is a negative: the network then sees its positive, the luma stays negative, and the colours are
    complementary. None raises an error if the film is certainly a negative."""
    keep_titles: bool = False
    """Whether intertitles (still text on black) keep their own chroma: that of their tint, or none."""

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
            raise OptionError("hints of a film belong to a frame", remedy="give them with their time")
        check_shots(self.shots)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in self.only_shots):
            raise OptionError(f"only_shots is {self.only_shots!r:.60}", remedy="give whole numbers from 1 up")
        _check_area(self.frame)
        start, end = self.times
        if end is not None and (start or 0) >= end:
            raise OptionError(f"the film would end ({float(end):g} s) before it starts ({float(start or 0):g} s)")

    @property
    def times(self) -> tuple[Fraction | None, Fraction | None]:
        """Start and end in seconds, as fractions."""
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
    if isinstance(time, str):
        return parse_time(time)
    if isinstance(time, float) and math.isfinite(time) and time >= 0:
        return Fraction(time).limit_denominator(1_000_000)
    if time is None or (isinstance(time, Rational) and not isinstance(time, bool) and time >= 0):
        return None if time is None else Fraction(time)
    raise OptionError(f"{name} is {time!r}", remedy="give seconds (90.5), or text (0:01:30.5)")


def _rate(rate: Fraction | float | str | None) -> Fraction | None:
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
