"""Reads the metadata of frames, such as their pixel aspect ratio, and names what an output cannot hold."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from ...errors import PhotoError
from ...photo.formats import jpeg, png, tiff
from ...photo.formats.image import Density, Metadata
from ...photo.library_errors import decoding
from ...photo.read import read_photo
from . import dpx, exr

PHOTOS = {"png": "PNG", "tiff": "TIFF", "jpeg": "JPEG"}
"""Names in ``photo/`` of the formats of frames that are read and written like photographs, by their names here."""
_LARGEST_TERM = 1000  # of pixel aspect ratios, so that 2834 beside 2835 pixels per metre are square
_JP2_HEAD = 1 << 16  # bytes of a JPEG 2000 file in which its boxes of metadata are looked for
_JP2_BOXES = {
    b"colr\2": "colour profile (ICC)",
    b"colr\3": "colour profile (ICC)",
    b"uuid\xbe\x7a\xcf\xcb": "XMP",
}


def lost(path: Path, format: str, metadata: Metadata, codec: str) -> list[str]:
    """Return notes on what frames of a sequence state and its output will lack or store differently.

    Args:
        path: The file of the first frame.
        format: Format of the frames, a value of ``SUFFIXES``.
        metadata: The metadata of the first frame.
        codec: Codec of the output, a key of ``CODECS``.
    """
    if format == codec == "exr":
        return exr.compression_notes(path)
    if format == codec == "jpeg" and (reason := _recoded(path)):
        return [f"the luma is re-encoded: {reason}"]
    is_kept = format == codec != "jp2" or (format in PHOTOS and codec in PHOTOS)
    found = [] if is_kept else _READERS[format](path) if format in _READERS else _of_photo(metadata)
    if format == "png" != codec:
        found = [*found, *png.coding_chunks(metadata)]
    return [f"not kept: metadata of the frames ({', '.join(dict.fromkeys(found))})"] if found else []


def _recoded(path: Path) -> str:
    """Return why the coded luma of a JPEG cannot be kept; empty if it can, or if the file is damaged."""
    try:
        return read_photo(path).recoded
    except PhotoError:
        return ""  # the damage is reported when the frame is decoded


def read_metadata(path: Path, format: str) -> Metadata:
    """Return the metadata of a PNG, TIFF or JPEG frame.

    It is empty if the frame has another format, or is damaged, which is reported when it is decoded.
    """
    if format not in PHOTOS:
        return Metadata()
    try:
        with decoding():
            return {"png": png, "tiff": tiff, "jpeg": jpeg}[format].read(path.read_bytes()).metadata
    except (PhotoError, OSError):
        return Metadata()


def aspect(density: Density | None) -> Fraction | None:
    """Return the width of a frame's pixels divided by their height, by its resolution; None if that is unknown.

    FFmpeg inverts the ratio of PNG files.
    """
    return (density.y / density.x).limit_denominator(_LARGEST_TERM) if density else None


def _of_photo(metadata: Metadata) -> list[str]:
    blocks = {
        "colour profile (ICC)": metadata.icc,
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "IPTC": metadata.iptc,
        "Photoshop resources": metadata.photoshop,
        "remarks": metadata.texts,
    }
    return [name for name, block in blocks.items() if block]


def _of_jp2(path: Path) -> list[str]:
    with path.open("rb") as stream:
        head = stream.read(_JP2_HEAD)
    return [name for mark, name in _JP2_BOXES.items() if mark in head]


_READERS: dict[str, Callable[[Path], list[str]]] = {
    "dpx": lambda path: dpx.read_header(path).described(),
    "exr": exr.described,
    "jp2": _of_jp2,
}
