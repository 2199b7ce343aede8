"""Detects damaged packets that FFmpeg's decoders conceal: FFV1 by its checksums, Motion JPEG by decoding it.

A packet of FFV1 version 3 (RFC 9043) is a sequence of slices. Each slice ends with its length (3 bytes), an error
status (1 byte) and four bytes that make the CRC-32 of the whole slice 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise

import av

_FOOTER = 8  # bytes for length, status and checksum
# zlib's CRC-32 processes the bits of a byte in reverse order, and inverts its register before and after.
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_INVERTED = 0xFFFFFFFF


class PacketCheck:
    """Checks the packets of one stream, in order.

    No packet counts as damaged before the first valid one, because a stream may have no checksums.

    Args:
        codec: FFmpeg's name of the decoder; only packets of ``ffv1`` and ``mjpeg`` are checked.
    """

    def __init__(self, codec: str) -> None:
        self._is_whole = {"ffv1": is_whole, "mjpeg": is_whole_jpeg}.get(codec)
        self._was_whole = False

    def is_damaged(self, packet: av.Packet) -> bool:
        """Return whether a packet is certainly damaged; packets must be passed in the order of the stream."""
        if self._is_whole is None or not packet.size:
            return False
        whole = self._is_whole(bytes(packet))
        self._was_whole |= whole
        return self._was_whole and not whole


def is_whole_jpeg(packet: bytes) -> bool:
    """Return whether the first field or frame of a Motion JPEG packet decodes without a warning."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(packet, "gray", fastdct=True, min_height=1, min_width=1, min_factor=8)
    except ValueError:
        return False
    return True


def is_whole(packet: bytes) -> bool:
    """Return whether a packet of FFV1 consists of slices with correct checksums."""
    ends = list(_ends(packet))
    if ends[-1] or len(ends) < 2:
        return False
    return all(
        zlib.crc32(packet[start:end].translate(_REVERSED), _INVERTED) == _INVERTED for end, start in pairwise(ends)
    )


def _ends(packet: bytes) -> Iterator[int]:
    """Yield the offsets at which slices end, the last slice first; the final one is 0 if all lengths are plausible."""
    end = len(packet)
    yield end
    while end >= _FOOTER:
        end -= int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big") + _FOOTER
        if end < 0:
            return
        yield end
