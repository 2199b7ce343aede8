"""Detects damaged pixel data that decoders conceal and Pillow does not report.

libjpeg and libtiff's fax decoders report damage, but return a picture, and Pillow suppresses their messages. The pixels
of faxes are therefore compared with those from a second decoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
from simplejpeg import decode_jpeg, decode_jpeg_header

DAMAGED: Final = "is damaged, and parts of the picture may be wrong: get a whole copy of the file"
LEFT_OVER: Final = "holds more coded data than pixels, as damaged files and some webcams' do: check the result"
WARNINGS: Final = (DAMAGED, LEFT_OVER)
_LOST: Final = re.compile(r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression")
_EXTRA: Final = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")


def in_jpeg(data: bytes, colors: str = "GRAY") -> tuple[str, ...]:
    """Return a warning if the coded data of a JPEG is incomplete, invalid, or longer than its pixels need.

    Neither errors in headers, which every viewer tolerates, nor zeros after a scan count as damage.

    Args:
        data: The file.
        colors: simplejpeg's name of the colour space to decode to: "CMYK" for CMYK files.

    Returns:
        ``(DAMAGED,)``, ``(LEFT_OVER,)`` or an empty tuple.
    """
    try:
        decode_jpeg_header(data)
    except ValueError:
        return ()
    try:
        decode_jpeg(data, colors)
    except ValueError as exc:
        return _warning(data, str(exc))
    return ()


def in_jpegs(tables: bytes | None, parts: Iterable[bytes]) -> tuple[str, ...]:
    """Return the warning about the first damaged strip or tile of a JPEG-compressed TIFF; empty if there is none.

    Args:
        tables: JPEG stream with the tables that the parts share; None if there is none.
        parts: JPEG stream of each strip or tile, without the shared tables.
    """
    shared = (tables or b"")[:-2] or b"\xff\xd8"  # without its end marker
    return next(filter(None, (in_jpeg(shared + part[2:]) for part in parts)), ())


def _warning(data: bytes, message: str) -> tuple[str, ...]:
    """Translate the first warning of libjpeg to one of ``WARNINGS``; empty if it is harmless."""
    if extra := _EXTRA.search(message):
        is_padding = bytes(int(extra[1])) + b"\xff" + bytes.fromhex(extra[2]) in data
        return () if is_padding else (LEFT_OVER,)
    return (DAMAGED,) if _LOST.search(message) else ()


def in_fax(data: bytes, luma: np.ndarray) -> tuple[str, ...]:
    """Return ``DAMAGED`` if FFmpeg and libtiff decode a fax to different pixels; empty otherwise.

    Args:
        data: A TIFF whose first page has 1 bit per pixel, in Group 3, Group 4 or Modified Huffman compression.
        luma: The page as libtiff decoded it, uint8 ``[H, W]``.
    """
    import av

    try:  # both repair damaged lines, in different ways, so that their pixels differ only if there is damage
        (frame,) = av.CodecContext.create("tiff", "r").decode(av.Packet(data))
        other = frame.reformat(format="gray").to_ndarray()
    except (av.FFmpegError, ValueError):  # a variant that only libtiff supports
        return ()
    return (DAMAGED,) if other.shape == luma.shape and not np.array_equal(other, luma) else ()
