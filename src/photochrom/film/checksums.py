"""Checksums of FFV1 pictures: FFmpeg's decoder fills damaged slices from the picture before, and does not tell.

A packet of FFV1 version 3 (RFC 9043) is a row of slices. Each ends with its length (3 bytes), an error status (1 byte)
and a CRC-32 over all of the slice (4 bytes), with which the checksum of the whole comes to 0.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import pairwise

_FOOTER = 8  # bytes of length, status and checksum
# zlib takes the bits of a byte from the other end, and inverts its register before and after.
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_INVERTED = 0xFFFFFFFF


class SliceChecksums:
    """Checks the packets of one stream. Streams whose encoder wrote no checksums are never called damaged."""

    def __init__(self) -> None:
        self._has_checksums = False

    def is_damaged(self, packet: bytes) -> bool:
        """Return whether a packet, in the order of the stream, is damaged for certain."""
        whole = is_whole(packet)
        self._has_checksums |= whole
        return self._has_checksums and not whole


def is_whole(packet: bytes) -> bool:
    """Return whether a packet consists of slices with correct checksums."""
    ends = list(_ends(packet))
    if ends[-1] or len(ends) < 2:
        return False
    return all(
        zlib.crc32(packet[start:end].translate(_REVERSED), _INVERTED) == _INVERTED for end, start in pairwise(ends)
    )


def _ends(packet: bytes) -> Iterator[int]:
    """Yield where slices end, the last slice first, as far as their lengths make sense; 0 once all are found."""
    end = len(packet)
    yield end
    while end >= _FOOTER:
        end -= int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big") + _FOOTER
        if end < 0:
            return
        yield end
