"""Reads and writes HEIF (HEIC) with pillow-heif, and AVIF, which has the same container, with Pillow."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from PIL import Image, features
from PIL.ExifTags import Base as Tag

from ...color.pillow import from_pillow
from ...errors import PhotoError, needed_for
from . import exif
from .image import (
    C2PA_LOST,
    GAIN_MAP_LOST,
    HDR_REFUSED,
    HDR_TRANSFERS,
    TO_SDR,
    Decoded,
    Metadata,
    check_one,
    check_size,
    luma_of,
    unpremultiplied,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


# With the encoders' default effort, HEIC takes eight times as long, and AVIF three times, for files that are hardly
# smaller (benchmarks/heif.py).
_HEIF_EFFORT: Final = {"preset": "ultrafast"}
_AVIF_SPEED: Final = 8
_TILE: Final = 1024  # side in pixels; large HEICs are stored in tiles because x265 needs 18 bytes of memory per pixel
_LARGE: Final = 2048  # longest side, in pixels, of a picture that is stored without tiles
_BOXES: Final = 1 << 20  # bytes at the beginning of a file, among which are the boxes that describe the picture
_C2PA: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")  # UUID of the box for content credentials


def read_heif(data: bytes) -> Decoded:
    """Decode a HEIF file of one picture, to uint16 if it has more than 8 bits per sample.

    Raises:
        PhotoError: The file is too large, contains several pictures or an HDR picture, or pillow-heif is not installed.
        OSError, ValueError, SyntaxError, IndexError, RuntimeError, EOFError: The file is damaged.
    """
    _refuse_hdr(data)
    opened = _pillow_heif().open_heif(data, convert_hdr_to_8bit=False)
    check_one(len(opened), f"holds {len(opened)} pictures")
    check_size(*opened.size)
    stored = np.asarray(opened)
    luma, alpha = _from_16_bits(stored, opened.mode) if stored.dtype == np.uint16 else from_pillow(opened.to_pillow())
    warnings = [*_warnings(data), *(["its depth map is not kept"] if opened.info.get("depth_images") else [])]
    return Decoded(luma, alpha, metadata_of(opened.info), upright=True, warnings=tuple(warnings))


def opened(source: Path | bytes) -> Image.Image:
    """Decode the first picture of a HEIF file, given as a path or bytes, upright and to 8 bits.

    Raises:
        PhotoError: The picture is too large, or pillow-heif is not installed.
        OSError, ValueError, SyntaxError, IndexError, RuntimeError, EOFError: The file is damaged.
    """
    stored = _pillow_heif().open_heif(source)
    check_size(*stored.size)
    image: Image.Image = stored.to_pillow()
    return image


def read_avif(data: bytes) -> Decoded:
    """Decode an AVIF file of one picture to 8 bits, the only depth that Pillow supports.

    Raises:
        PhotoError: The file is too large, contains several pictures or an HDR picture, or this Pillow was built without
            AVIF.
        OSError, ValueError, SyntaxError, RuntimeError: The file is damaged.
    """
    _check_avif()
    _refuse_hdr(data)
    from PIL.AvifImagePlugin import AvifImageFile

    image = AvifImageFile(BytesIO(data))
    check_one(image.n_frames, f"holds {image.n_frames} pictures")
    check_size(*image.size)
    luma, alpha = from_pillow(image)
    crop = clean_aperture(data, *image.size)
    luma, alpha = luma[crop], None if alpha is None else alpha[crop]
    return Decoded(luma, alpha, metadata_of(image.info), warnings=(*_warnings(data), *_depth_warnings(data)))


def write_heif(stream: BinaryIO, pixels: np.ndarray, metadata: Metadata, quality: int, *, tiled: bool = True) -> None:
    """Encode RGB or RGBA, uint8 ``[H, W, 3]`` or ``[H, W, 4]``, as HEIC with 4:2:0 chroma.

    A large picture is stored in tiles, but only if it is opaque and ``tiled`` is set.

    Raises:
        PhotoError: pillow-heif is not installed.
        OSError, ValueError, RuntimeError: The stream cannot be written, or the encoder failed.
    """
    height, width, samples = pixels.shape
    data = np.ascontiguousarray(pixels).data.cast("B")  # a Pillow image would be copied twice
    tile_size = _TILE if tiled and max(height, width) > _LARGE else 0
    _pillow_heif().encode(
        "RGB" if samples == 3 else "RGBA", (width, height), data, stream,
        quality=quality, enc_params=_HEIF_EFFORT, tile_size=tile_size, **_blocks(metadata),
    )  # fmt: skip


def write_avif(stream: BinaryIO, image: Image.Image, metadata: Metadata, quality: int) -> None:
    """Encode an 8-bit RGB or RGBA picture as AVIF with 4:2:0 chroma.

    Raises:
        PhotoError: This Pillow was built without AVIF.
        OSError, ValueError, RuntimeError: The stream cannot be written, or the encoder failed.
        SyntaxError, struct.error: The EXIF is damaged.
    """
    _check_avif()
    blocks = _blocks(metadata)
    # Pillow would rewrite an EXIF block that has an orientation, and thereby lose its maker notes.
    if "exif" in blocks:
        blocks["exif"] = exif.without(blocks["exif"], Tag.Orientation)
    image.save(stream, "AVIF", quality=quality, speed=_AVIF_SPEED, **blocks)


def _refuse_hdr(data: bytes) -> None:
    """Raise ``PhotoError`` if the colour box (nclx, ISO 14496-12, 12.1.5) names an HDR transfer function."""
    for found in re.finditer(rb"colrnclx..(..)", data[:_BOXES], re.S):
        if (code := int.from_bytes(found[1], "big")) in HDR_TRANSFERS:
            raise PhotoError(HDR_REFUSED.format(HDR_TRANSFERS[code]), remedy=TO_SDR)


def _warnings(data: bytes) -> Iterator[str]:
    """Yield warnings about content that no output keeps."""
    boxes = data[:_BOXES]
    if b"tmap" in boxes or b"hdrgainmap" in boxes:
        yield GAIN_MAP_LOST
    if b"mpvd" in boxes or re.search(rb"mpvd....ftyp", data, re.S):
        yield "its film (motion photo) is not kept"
    if _C2PA in data:
        yield C2PA_LOST


def clean_aperture(data: bytes, width: int, height: int) -> tuple[slice, slice]:
    """Return the rows and columns to which an AVIF is cropped by its clean aperture, which Pillow ignores.

    Args:
        data: The file.
        width: Width of the stored picture.
        height: Height of the stored picture.

    Returns:
        Slices of the rows and columns in the box ``clap`` (ISO 14496-12, 12.1.4). They are those of the whole picture
        if there is no such box, or if an edge of the crop lies outside the picture or between two pixels.
    """
    everything = slice(0, height), slice(0, width)
    if (found := data[:_BOXES].find(b"\0\0\0\x28clap")) < 0:
        return everything
    fractions = struct.unpack_from(">IIIIiIiI", data, found + 8) if len(data) >= found + 40 else (0,) * 8
    if not all(fractions[1::2]):
        return everything
    across, down, right, below = (Fraction(a, b) for a, b in zip(fractions[::2], fractions[1::2], strict=True))
    left, top = right + (width - across) / 2, below + (height - down) / 2
    edges = top, top + down, left, left + across
    inside = 0 <= top < top + down <= height and 0 <= left < left + across <= width
    if not inside or any(edge.denominator != 1 for edge in edges):
        return everything
    first, last, start, end = (int(edge) for edge in edges)
    return slice(first, last), slice(start, end)


def _depth_warnings(data: bytes) -> Iterator[str]:
    """Yield a warning if the picture has more than 8 bits per sample (pixi box, ISO 23008-12, 6.5.6)."""
    depths = [found[1][0] for found in re.finditer(rb"pixi\0{4}[\1-\4](.)", data[:_BOXES], re.S)]
    if depths and max(depths) > 8:
        yield f"its {max(depths)} bits per sample are rounded to 8"


def _pillow_heif() -> ModuleType:
    with needed_for("HEIF", "heif", PhotoError):
        import pillow_heif
    return pillow_heif


def _check_avif() -> None:
    if not features.check("avif"):
        raise PhotoError(
            "AVIF needs a Pillow that was built with AVIF support",
            remedy="run pip install --upgrade --force-reinstall pillow",
        )


def _from_16_bits(stored: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray | None]:
    stored = stored.reshape(*stored.shape[:2], -1)
    luma = luma_of(stored[..., :3]) if stored.shape[2] >= 3 else np.ascontiguousarray(stored[..., 0])
    if stored.shape[2] in (1, 3):
        return luma, None
    alpha = np.ascontiguousarray(stored[..., -1])
    return (unpremultiplied(luma, alpha) if "a;" in mode else luma), alpha


def metadata_of(info: Mapping[Any, Any]) -> Metadata:
    """Return the metadata that Pillow or pillow-heif found in a file."""
    block = (info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    icc = info.get("icc_profile") or None
    return Metadata(exif=block, xmp=info.get("xmp") or None, icc=icc, density=exif.density(block))


def _blocks(metadata: Metadata) -> dict[str, bytes]:
    blocks = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.icc}
    return {name: block for name, block in blocks.items() if block}
