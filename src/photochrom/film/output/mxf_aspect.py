"""Writes the pixel aspect ratio into the header of a finished MXF file, where FFmpeg states square pixels for DNxHR."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

_RATIO = b"\x32\x0e\x00\x08"  # local tag and size of the aspect ratio of a picture (SMPTE ST 377-1, F.4.1)
_HEADER = 1 << 16  # bytes read from a file, which contain the description of its picture


def write_mxf_aspect(path: Path, width: int, height: int, aspect: Fraction) -> bool:
    """Set the aspect ratio of the picture in an MXF file that FFmpeg wrote.

    Args:
        path: The file.
        width: Columns of pixels.
        height: Rows of pixels.
        aspect: Width of a pixel divided by its height.

    Returns:
        Whether the header now states the ratio; False if its layout is not as expected.

    Raises:
        OSError: The file cannot be read or written.
    """
    stated, wanted = (_field(Fraction(width, height) * each) for each in (Fraction(1), aspect))
    with path.open("rb+") as stream:
        header = stream.read(_HEADER)
        if wanted in header:
            return True
        if (at := header.find(stated)) < 0:
            return False
        stream.seek(at)
        stream.write(wanted)
    return True


def _field(ratio: Fraction) -> bytes:
    return _RATIO + struct.pack(">II", ratio.numerator, ratio.denominator)
