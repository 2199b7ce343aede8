"""Names the metadata of frames that an output cannot hold, and reads their orientation and pixel aspect ratio."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from ...errors import PhotoError
from ...photo.formats import exif, png, tiff
from ...photo.formats.image import Metadata
from ...photo.library_errors import decoding
from . import dpx, exr

PHOTOS = {"png": "PNG", "tiff": "TIFF"}
"""Names in ``photo/`` of the formats of frames that are read and written like photographs, by their names here."""
_LARGEST_TERM = 1000  # of pixel aspect ratios, so that 2834 beside 2835 pixels per metre are square
_JP2_HEAD = 1 << 16  # bytes of a JPEG 2000 file in which its boxes of metadata are looked for
_JP2_BOXES = {
    b"colr\2": "colour profile (ICC)",
    b"colr\3": "colour profile (ICC)",
    b"uuid\xbe\x7a\xcf\xcb": "XMP",
}


def lost(path: Path, format: str, codec: str) -> list[str]:
    """Return notes on what frames of a sequence state and its output will lack or store differently.

    Args:
        path: The file of the first frame.
        format: Format of the frames, a value of ``SUFFIXES``.
        codec: Codec of the output, a key of ``CODECS``.
    """
    if format == codec == "exr":
        return exr.compression_notes(path)
    is_kept = format == codec != "jp2" or (format in PHOTOS and codec in PHOTOS)
    found = [] if is_kept else _READERS[format](path, format)
    if format == "png" != codec:
        found = [*found, *png.coding_chunks(_metadata(path, format))]
    return [f"not kept: metadata of the frames ({', '.join(dict.fromkeys(found))})"] if found else []


def orientation(path: Path, format: str) -> int:
    """Return the EXIF orientation of a frame, 1 to 8; 1 if it states none."""
    return exif.orientation(_metadata(path, format).exif) if format in PHOTOS else 1


def aspect(path: Path, format: str) -> Fraction | None:
    """Return the width of a frame's pixels divided by their height; None if no PNG or TIFF states their resolution.

    FFmpeg inverts the ratio of PNG files.
    """
    density = _metadata(path, format).density if format in PHOTOS else None
    return (density.y / density.x).limit_denominator(_LARGEST_TERM) if density else None


def _metadata(path: Path, format: str) -> Metadata:
    """Return the metadata of a PNG or TIFF; none if it is damaged, which is reported when the frame is decoded."""
    try:
        with decoding():
            return (png if format == "png" else tiff).read(path.read_bytes()).metadata
    except (PhotoError, OSError):
        return Metadata()


def _of_photo(path: Path, format: str) -> list[str]:
    found = _metadata(path, format)
    blocks = {
        "colour profile (ICC)": found.icc,
        "EXIF": found.exif,
        "XMP": found.xmp,
        "IPTC": found.iptc,
        "Photoshop resources": found.photoshop,
        "remarks": found.texts,
    }
    return [name for name, block in blocks.items() if block]


def _of_jp2(path: Path, _: str) -> list[str]:
    with path.open("rb") as stream:
        head = stream.read(_JP2_HEAD)
    return [name for mark, name in _JP2_BOXES.items() if mark in head]


_READERS: dict[str, Callable[[Path, str], list[str]]] = {
    "dpx": lambda path, _: dpx.read_header(path).described(),
    "exr": lambda path, _: exr.described(path),
    "jp2": _of_jp2,
    "png": _of_photo,
    "tiff": _of_photo,
}
