"""Distinguishes photographs from films by their first bytes and their names, without loading a decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["photo", "film"]

_PHOTOS = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_FILMS = (
    b"\x1aE\xdf\xa3", b"OggS", b"FLV\x01", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"0&\xb2u\x8ef\xcf\x11", b"nut/",
    b"\x06\x0e+4\x02\x05\x01\x01",  # MXF
    b"SDPX", b"XPDS", b"v/1\x01",  # DPX and OpenEXR, frames of a sequence
    b"\0\0\0\x01", b"YUV4MPEG2", b"DKIF", b".RMF",  # raw H.264 and H.265, Y4M, IVF, RealMedia
)  # fmt: skip
_FILMS_OF_PHOTOS = (".mjpeg", ".mjpg", ".apng")
"""Suffixes of films whose first bytes are those of a photograph."""
_HEAD = 1024  # bytes to read: a GIF states behind a palette of at most 768 bytes that it is animated
_PHOTO_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc")


def kind_of(path: Path) -> Kind | None:
    """Return ``photo`` or ``film`` for a file; None for folders, unreadable files and unknown formats."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except (OSError, ValueError):
        return None
    if head.startswith(_PHOTOS):
        return "film" if path.suffix.lower() in _FILMS_OF_PHOTOS else "photo"
    if head.startswith(_FILMS):
        return "film"
    if head[:4] == b"RIFF":
        return {b"WEBP": "photo", b"AVI ": "film"}.get(head[8:12])  # type: ignore[return-value]
    if head[4:8] == b"ftyp":
        return "photo" if head[8:12] in _PHOTO_BRANDS else "film"
    if head.startswith(b"GIF8"):
        return "film" if b"NETSCAPE2.0" in head else None
    # An MPEG transport stream, whose packets may follow a time each, as those of camcorders (.m2ts) do.
    if any(head[at::size][:3] == b"GGG" for at, size in ((0, 188), (4, 192))):
        return "film"
    return "film" if head[4:8] in (b"moov", b"mdat", b"wide", b"free") else None
