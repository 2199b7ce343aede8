"""Time code (SMPTE ST 12): reads it, converts it between text and binary-coded decimals, and adds frames to it."""

from __future__ import annotations

import re
import struct
from fractions import Fraction

import av

from .side_data import side_data_of

_DROP = 1 << 6  # the drop-frame flag in binary-coded words
_KEY = "timecode"


def time_code_of(container: av.container.InputContainer, first: av.VideoFrame) -> str:
    """Return the time code of a film's first frame; empty if neither the file nor the frame states one.

    Args:
        container: The film.
        first: Its first frame, whose side data is used if the file itself states no time code.
    """
    for metadata in (container.metadata, *(stream.metadata for stream in container.streams)):
        for key, value in metadata.items():
            if key.lower() == _KEY:  # Matroska writes tags in capitals
                return value
    side_data = {part.type.name: bytes(part) for part in side_data_of(first)}
    if "S12M_TIMECODE" in side_data:
        return from_s12m(side_data["S12M_TIMECODE"])
    return from_gop(side_data["GOP_TIMECODE"]) if "GOP_TIMECODE" in side_data else ""


def reel_name_of(container: av.container.InputContainer) -> str:
    """Return the reel name that a film's tracks state; empty if there is none."""
    return next((s.metadata["reel_name"] for s in container.streams if "reel_name" in s.metadata), "")


def fits_mxf(timecode: str, rate: Fraction) -> bool:
    """Return whether MXF can state a time code at a frame rate: drop-frame ones only at 30 or 60 (rounded)."""
    found = re.fullmatch(r"\d\d?:\d\d:\d\d([:;.])\d\d", timecode)
    return found is not None and (found[1] == ":" or round(rate) in (30, 60))


def add_frames(timecode: str, frames: int, rate: Fraction) -> str | None:
    """Add frames to a time code (SMPTE ST 12-1).

    Args:
        timecode: ``01:00:00:00``, or ``01:00:00;00`` for drop-frame time code.
        frames: Number of frames to add.
        rate: Frames per second of the film.

    Returns:
        The later time code, which starts over after 24 hours; None if ``timecode`` is not a time code.
    """
    if not (found := re.fullmatch(r"\d+:\d\d:\d\d([:;.])\d+", timecode)):
        return None
    base, dropped = _counting(timecode, rate)
    count = frames_of(timecode, rate) + frames
    ten_minutes = 600 * base - 9 * dropped
    tens, rest = divmod(count % (144 * ten_minutes), ten_minutes)  # time codes start over after a day
    number = 600 * base * tens + rest + dropped * (max(0, rest - dropped) // (60 * base - dropped))
    seconds, frame = divmod(number, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{found[1]}{frame:02}"


def frames_of(timecode: str, rate: Fraction) -> int:
    """Convert a time code, such as ``01:00:00:00``, to the number of frames since 00:00:00:00 (SMPTE ST 12-1)."""
    *parts, frame = (int(part) for part in re.split("[:;.]", timecode))
    base, dropped = _counting(timecode, rate)
    minutes = 60 * parts[0] + parts[1]
    return (60 * minutes + parts[2]) * base + frame - dropped * (minutes - minutes // 10)


def _counting(timecode: str, rate: Fraction) -> tuple[int, int]:
    """Return the frame numbers per second, and how many of them drop-frame time code skips in nine of ten minutes."""
    base = max(1, round(rate))
    return base, 0 if timecode.count(":") == 3 else 2 * (base // 30)


def from_bcd(word: int) -> str:
    """Decode a time code from 32 bits of binary-coded decimals; return an empty text if they are not valid."""
    hours, minutes, seconds, frame = (word >> 24) & 0x3F, (word >> 16) & 0x7F, (word >> 8) & 0x7F, word & 0x3F
    digits = [10 * (part >> 4) + (part & 15) for part in (hours, minutes, seconds, frame)]
    if any(part & 15 > 9 for part in (hours, minutes, seconds, frame)) or digits[0] > 23 or max(digits[1:3]) > 59:
        return ""
    return ":".join(f"{part:02}" for part in digits[:3]) + (";" if word & _DROP else ":") + f"{digits[3]:02}"


def to_bcd(time_code: str) -> int:
    """Encode a time code as 32 bits of binary-coded decimals.

    Args:
        time_code: ``01:00:00:00``, or ``01:00:00;00`` for drop-frame time code.
    """
    word = 0
    for part in re.split("[:;.]", time_code):
        word = word << 8 | (int(part) // 10 << 4) | int(part) % 10
    return word | (0 if time_code.count(":") == 3 else _DROP)


def from_s12m(data: bytes) -> str:
    """Decode the first time code of FFmpeg's S12M side data; empty if there is none.

    The data holds a count, then 32-bit words of binary-coded decimals, with the frames in the highest byte.
    """
    count, word = struct.unpack_from("<II", data)
    return from_bcd(int.from_bytes(word.to_bytes(4, "little"), "big")) if count else ""


def from_gop(data: bytes) -> str:
    """Decode FFmpeg's side data for the time code of a group of pictures (ISO/IEC 13818-2)."""
    (word,) = struct.unpack_from("<q", data)
    parts = [word >> 19 & 31, word >> 13 & 63, word >> 6 & 63]
    return ":".join(f"{part:02}" for part in parts) + (";" if word >> 24 & 1 else ":") + f"{word & 63:02}"
