"""Hears what decoders say of damaged pixel data, which they paint over before they go on as if nothing had happened.

libjpeg warns, and libtiff's fax decoders report an error and yet succeed. Pillow passes neither on. Of what is wrong in
faxes of Group 3, libtiff only warns, and Pillow switches its warnings off: there a second decoder has to agree.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import numpy as np
from PIL import _imaging
from simplejpeg import decode_jpeg, decode_jpeg_header

DAMAGED: Final = "is damaged, and parts of the picture may be wrong: get a whole copy of the file"
LEFT_OVER: Final = "holds more coded data than pixels, as damaged files and some webcams' do: look whether it is right"
WARNINGS: Final = (DAMAGED, LEFT_OVER)
_LOST: Final = re.compile(r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression")
_EXTRA: Final = re.compile(r"(\d+) extraneous bytes before marker 0x(..)")

_heard = threading.local()


def in_jpeg(data: bytes, colors: str = "GRAY") -> tuple[str, ...]:
    """Return one of ``WARNINGS`` if libjpeg misses coded data of a JPEG, or cannot understand it, or has some left.

    Flaws of headers, which every viewer reads around, are no damage. Nor are zeros that fill up a scan.

    Args:
        data: The file.
        colors: What to decode to, one of simplejpeg's colour spaces: "CMYK" for CMYK files.
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
    """Return the warning of the first damaged strip or tile of a TIFF that holds JPEG, or nothing.

    Args:
        tables: A JPEG of the tables that the parts share, if they do.
        parts: A JPEG each, without those tables.
    """
    shared = (tables or b"")[:-2] or b"\xff\xd8"  # without its end marker
    return next(filter(None, (in_jpeg(shared + part[2:]) for part in parts)), ())


def _warning(data: bytes, message: str) -> tuple[str, ...]:
    """Return our warning for one of libjpeg's; it gives the first of several."""
    if extra := _EXTRA.search(message):
        is_padding = bytes(int(extra[1])) + b"\xff" + bytes.fromhex(extra[2]) in data
        return () if is_padding else (LEFT_OVER,)
    return (DAMAGED,) if _LOST.search(message) else ()


def in_group3(data: bytes, luma: np.ndarray) -> tuple[str, ...]:
    """Return a warning if FFmpeg decodes a fax otherwise than libtiff did: ``DAMAGED``, or nothing.

    The two mend damaged lines in different ways.

    Args:
        data: A TIFF whose first page is one of 1 bit, in Group 3 or Modified Huffman codes.
        luma: The page as libtiff decoded it, uint8 ``[H, W]``.
    """
    import av

    try:
        (frame,) = av.CodecContext.create("tiff", "r").decode(av.Packet(data))
        other = frame.reformat(format="gray").to_ndarray()
    except (av.FFmpegError, ValueError):  # a kind that only libtiff knows
        return ()
    return (DAMAGED,) if other.shape == luma.shape and not np.array_equal(other, luma) else ()


@contextmanager
def heard_of_fax() -> Iterator[list[str]]:
    """Listen to libtiff's fax decoders in this thread.

    Yields:
        A list that holds ``DAMAGED`` once libtiff could not understand a code word. It stays empty where Pillow hides
        its libtiff, as on Windows.
    """
    _listen()
    heard: list[str] = []
    _heard.damage = heard
    try:
        yield heard
    finally:
        _heard.damage = None


@cache
def _listen() -> Any:
    """Have libtiff report its errors to ``_hear`` as well, for the rest of the process."""
    try:
        libtiff = ctypes.CDLL(_imaging.__file__)  # a lookup in Pillow's extension covers the libraries it uses
        install = libtiff.TIFFSetErrorHandlerExt
    except (AttributeError, OSError):
        return None
    install.restype = ctypes.c_void_p
    listener = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)(_hear)
    install(listener)
    return listener  # kept for ever, since libtiff may call it at any time


def _hear(_: int | None, source: bytes | None, __: bytes | None, ___: int | None) -> None:
    """Note an error of a function of libtiff, such as ``Fax4Decode``. The third argument is a format of ``printf``."""
    heard: list[str] | None = getattr(_heard, "damage", None)
    if heard is not None and not heard and (source or b"").startswith(b"Fax"):
        heard.append(DAMAGED)
