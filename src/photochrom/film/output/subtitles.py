"""Converts the subtitles of MP4 and MOV (3GPP timed text, TS 26.245) to SubRip, since Matroska cannot hold them."""

from __future__ import annotations

import codecs

import av

SUBRIP = "subrip"


def becomes_subrip(stream: av.stream.Stream, container: str) -> bool:
    """Return whether a track must be converted to SubRip to be stored in a container format of FFmpeg's name."""
    context = stream.codec_context
    return container == "matroska" and context is not None and context.name == "mov_text"


def as_subrip(packet: av.Packet) -> av.Packet:
    """Return a packet of timed text as a packet of SubRip, without its styles.

    Timed text begins with its length in bytes, and is UTF-16 if it has a byte order mark, otherwise UTF-8.
    """
    data = bytes(packet)
    text = data[2 : 2 + int.from_bytes(data[:2], "big")]
    if text.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        text = text.decode("utf-16", "replace").encode()
    found = av.Packet(text)
    found.pts, found.dts, found.duration = packet.pts, packet.dts, packet.duration
    found.time_base, found.stream, found.is_keyframe = packet.time_base, packet.stream, True
    return found


def note(stream: av.stream.Stream) -> str:
    """Return the line that tells the user of the conversion of a track."""
    return f"the subtitles of track {stream.index} become SubRip, without styles, because matroska cannot hold mov_text"
