"""Reads and writes WebP with Pillow: lossy with 4:2:0 chroma, or lossless, both at 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, Final

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from ...color.pillow import from_pillow
from ...errors import WHOLE_COPY, PhotoError
from .heif import metadata_of
from .image import C2PA_LOST, TO_ANOTHER, WEBP_LIMIT, Decoded, Metadata, check_one, check_size

_EFFORT: Final = 50  # ``quality`` of a lossless file means effort; more takes much longer and saves about 1 %


def read(data: bytes) -> Decoded:
    """Decode a WebP file.

    Raises:
        PhotoError, OSError, ValueError, SyntaxError, EOFError: The file is damaged, too large, or an animation.
    """
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise PhotoError("is cut short", remedy=WHOLE_COPY)
    try:
        image = WebPImageFile(BytesIO(data))
    except Image.DecompressionBombError as exc:  # of Pillow's plugins, only that for WebP checks the size
        raise PhotoError(WEBP_LIMIT, remedy=TO_ANOTHER) from exc
    check_one(image.n_frames, f"is an animation of {image.n_frames} pictures")
    check_size(*image.size)
    luma, alpha = from_pillow(image)
    names = set(_chunk_names(data))
    warnings = (C2PA_LOST,) if b"C2PA" in names else ()
    return Decoded(luma, alpha, metadata_of(image.info), lossless=b"VP8L" in names, warnings=warnings)


def write(stream: BinaryIO, image: Image.Image, metadata: Metadata, quality: int, *, lossless: bool) -> None:
    """Encode an 8-bit RGB or RGBA picture as WebP.

    Raises:
        OSError, ValueError: The stream cannot be written, or libwebp failed.
    """
    image.save(
        stream,
        "WEBP",
        lossless=lossless,
        exact=True,  # otherwise libwebp changes fully transparent pixels
        quality=_EFFORT if lossless else quality,
        exif=metadata.exif or b"",
        xmp=metadata.xmp or b"",
        icc_profile=metadata.icc or b"",
    )


def _chunk_names(data: bytes) -> Iterator[bytes]:
    position = 12
    while position + 8 <= len(data):
        yield data[position : position + 4]
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + size % 2
