"""HEIF (HEIC) and AVIF: the same container, the first decoded by pillow-heif, the second by Pillow itself."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, features

from ...errors import PhotoError
from . import exif
from .image import Decoded, Metadata, check_size, from_pillow, luma_of, unpremultiplied

if TYPE_CHECKING:
    from types import ModuleType


def read_heif(data: bytes) -> Decoded:
    """Decode the one picture of a HEIF file; more than 8 bits come as uint16.

    Raises:
        PhotoError: several pictures, or pillow-heif is not installed.
        OSError, ValueError, SyntaxError, RuntimeError, EOFError: damaged.
    """
    opened = _pillow_heif().open_heif(data, convert_hdr_to_8bit=False)
    _check_one(len(opened))
    check_size(*opened.size)
    stored = np.asarray(opened)
    luma, alpha = _from_16(stored, opened.mode) if stored.dtype == np.uint16 else from_pillow(opened.to_pillow())
    return Decoded(luma, alpha, _metadata(opened.info), upright=True)


def read_avif(data: bytes) -> Decoded:
    """Decode the one picture of an AVIF file, at 8 bits: Pillow knows no more.

    Raises:
        PhotoError: several pictures, or this Pillow came without AVIF.
        OSError, ValueError, SyntaxError: damaged.
    """
    _check_avif()
    from PIL.AvifImagePlugin import AvifImageFile

    image = AvifImageFile(BytesIO(data))
    _check_one(image.n_frames)
    check_size(*image.size)
    luma, alpha = from_pillow(image)
    return Decoded(luma, alpha, _metadata(image.info))


def write_heif(stream: BinaryIO, image: Image.Image, metadata: Metadata, quality: int) -> None:
    """Encode an 8-bit RGB or RGBA picture as HEIC, 4:2:0.

    Raises:
        PhotoError: pillow-heif is not installed.
        OSError, ValueError, RuntimeError: the stream failed, or the encoder.
    """
    _pillow_heif().from_pillow(image).save(stream, quality=quality, **_blocks(metadata))


def write_avif(stream: BinaryIO, image: Image.Image, metadata: Metadata, quality: int) -> None:
    """Encode an 8-bit RGB or RGBA picture as AVIF, 4:2:0.

    Raises:
        PhotoError: this Pillow came without AVIF.
        OSError, ValueError: the stream failed, or the encoder.
    """
    _check_avif()
    blocks = _blocks(metadata)
    # Given a block with an orientation, Pillow would write all of it anew, and lose its maker notes.
    if "exif" in blocks:
        blocks["exif"] = exif.without(blocks["exif"], exif.ORIENTATION)
    image.save(stream, "AVIF", quality=quality, **blocks)


def _pillow_heif() -> ModuleType:
    try:
        import pillow_heif
    except ImportError as exc:
        raise PhotoError('HEIF needs pillow-heif: run pip install "photochrom[heif]"') from exc
    return pillow_heif


def _check_avif() -> None:
    if not features.check("avif"):
        raise PhotoError("AVIF needs a Pillow built with it: run pip install --upgrade --force-reinstall pillow")


def _check_one(count: int) -> None:
    if count > 1:
        raise PhotoError(f"holds {count} pictures: save the one you want as a file of its own")


def _from_16(stored: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray | None]:
    stored = stored.reshape(*stored.shape[:2], -1)
    luma = luma_of(stored[..., :3]) if stored.shape[2] >= 3 else np.ascontiguousarray(stored[..., 0])
    if stored.shape[2] in (1, 3):
        return luma, None
    alpha = np.ascontiguousarray(stored[..., -1])
    return (unpremultiplied(luma, alpha) if "a;" in mode else luma), alpha


def _metadata(info: Mapping[Any, Any]) -> Metadata:
    block = (info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    icc = info.get("icc_profile") or None
    return Metadata(exif=block, xmp=info.get("xmp") or None, icc=icc, density=exif.density(block))


def _blocks(metadata: Metadata) -> dict[str, bytes]:
    blocks = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.icc}
    return {name: block for name, block in blocks.items() if block}
