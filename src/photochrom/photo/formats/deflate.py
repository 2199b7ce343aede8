"""Deflated pixels, inflated only to see whether they are whole: no decoder here looks that closely by itself."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Final

_IN: Final = 1 << 16  # in small pieces, for what zlib has not yet taken of one is copied
_OUT: Final = 1 << 20


def inflated_size(parts: Iterable[bytes | memoryview], limit: int) -> tuple[int, bool]:
    """How many bytes a zlib stream cut into parts inflates to, and whether it came to its end and right checksum.

    Beyond ``limit`` it is given up.

    Raises:
        zlib.error: it is damaged.
    """
    inflater, size = zlib.decompressobj(), 0
    for part in parts:
        for start in range(0, len(part), _IN):
            rest, got = bytes(part[start : start + _IN]), _OUT
            while rest or got == _OUT:  # a full buffer: zlib may hold back more
                got = len(inflater.decompress(rest, _OUT))
                rest = inflater.unconsumed_tail
                size += got
                if size > limit:
                    return size, False
    return size, inflater.eof
