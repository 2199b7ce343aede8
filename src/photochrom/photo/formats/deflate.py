"""Deflate compression: the level used for pixels, and a completeness check that the decoders lack."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

LEVEL: Final = 3  # takes a third of the time of level 6; files of grainy photographs are 1 % larger
_IN: Final = 1 << 16  # small pieces, because zlib copies the unconsumed rest of each
_OUT: Final = 1 << 20


def inflated_size(parts: Iterable[bytes | memoryview], limit: int) -> tuple[int, bool]:
    """Inflate a zlib stream given in parts, and return its size.

    Args:
        parts: Parts of the stream, in order.
        limit: Size in bytes beyond which inflating stops.

    Returns:
        The number of inflated bytes, and whether the stream ended with the right checksum.

    Raises:
        zlib.error: The stream is damaged.
    """
    inflater, size = zlib.decompressobj(), 0
    for part in parts:
        for start in range(0, len(part), _IN):
            rest, got = bytes(part[start : start + _IN]), _OUT
            while rest or got == _OUT:  # the buffer was full, so zlib may hold more
                got = len(inflater.decompress(rest, _OUT))
                rest = inflater.unconsumed_tail
                size += got
                if size > limit:
                    return size, False
    return size, inflater.eof
