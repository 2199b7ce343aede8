"""Converts the subtitles of MP4 and MOV (3GPP timed text, TS 26.245) to SubRip, since Matroska cannot hold them."""

from __future__ import annotations

import codecs
import itertools
import struct
from collections.abc import Iterator

import av

SUBRIP = "subrip"
_TAGS = {4: "u", 2: "i", 1: "b"}  # tags of SubRip by the flags of timed text
_DEFAULT = 24  # position of the flags of the default style in a track's description
_RUN = struct.Struct(">HHxxB5x")  # first character of a run of text, the one behind it, and the flags of its style


def becomes_subrip(stream: av.stream.Stream, container: str) -> bool:
    """Return whether a track must be converted to SubRip to be stored in a container format of FFmpeg's name."""
    context = stream.codec_context
    return container == "matroska" and context is not None and context.name == "mov_text"


def as_subrip(packet: av.Packet) -> av.Packet:
    """Return a packet of timed text as a packet of SubRip; of its styles, it has bold, italic and underlined text.

    Timed text begins with its length in bytes, and is UTF-16 if it has a byte order mark, otherwise UTF-8. Boxes with
    styles follow.
    """
    data, description = bytes(packet), packet.stream.codec_context.extradata or b""
    end = 2 + int.from_bytes(data[:2], "big")
    text = data[2:end]
    is_wide = text.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    plain = text.decode("utf-16" if is_wide else "utf-8", "replace")
    flags = [description[_DEFAULT] if len(description) > _DEFAULT else 0] * len(plain)
    for first, behind, style in _runs(data[end:]):
        flags[first:behind] = [style] * len(flags[first:behind])
    found = av.Packet(_tagged(plain, flags).encode())
    found.pts, found.dts, found.duration = packet.pts, packet.dts, packet.duration
    found.time_base, found.stream, found.is_keyframe = packet.time_base, packet.stream, True
    return found


def _runs(boxes: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the first character of each run of text with a style of its own, the one behind it, and its flags."""
    while len(boxes) >= 10:
        size, name = struct.unpack_from(">I4s", boxes)
        if name == b"styl":
            whole = (min(size, len(boxes)) - 10) // _RUN.size * _RUN.size
            yield from _RUN.iter_unpack(boxes[10 : 10 + max(0, whole)])
        boxes = boxes[max(8, size) :]


def _tagged(text: str, flags: list[int]) -> str:
    """Return a text with SubRip's tags around each run of bold, italic or underlined text."""
    found = ""
    for style, run in itertools.groupby(zip(flags, text, strict=True), lambda pair: pair[0]):
        part = "".join(character for _, character in run)
        for flag, tag in _TAGS.items():
            part = f"<{tag}>{part}</{tag}>" if style & flag else part
        found += part
    return found


def note(stream: av.stream.Stream) -> str:
    """Return the line that tells the user of the conversion of a track."""
    return (
        f"the subtitles of track {stream.index} become SubRip, without fonts, colours and positions, because matroska "
        "cannot hold mov_text"
    )
