"""Keeps a JPEG's luma as quantised coefficients where its coded bytes cannot be copied.

The bytes cannot be copied if luma is interleaved with chroma, as in most JPEGs, or if the picture must be turned
upright. But all quantised coefficients can be kept: jpeglib reads and writes them without decoding them to pixels. To
rotate or mirror a picture, blocks are moved and transposed, and signs within them are changed, as jpegtran does. This
is exact if the mirrored sides are multiples of 8 pixels.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from simplejpeg import encode_jpeg_yuv_planes

from ...atomic import temporary_folder
from .splice import CannotSplice, LumaScans, without_application_segments

INSTALL: Final = "pip install 'photochrom[jpeg]'"
_ENGINE: Final = "turbo210"  # the libjpeg that most programs use, among those in jpeglib
_BLOCK: Final = 8  # side of a block in pixels
_SUBSAMPLINGS: Final = {"444": (1, 1), "422": (1, 2), "420": (2, 2), "440": (2, 1)}
_TRANSPOSED: Final = (5, 6, 7, 8)  # EXIF orientations, in the order of ``bands.upright``
_MIRRORED: Final = (2, 3, 6, 7)
_UPSIDE_DOWN: Final = (3, 4, 7, 8)
_lock = threading.Lock()  # jpeglib selects its engine for the whole process


@dataclass(frozen=True)
class LumaCoefficients:
    """A JPEG whose quantised luma coefficients will be kept."""

    data: bytes
    """The undamaged file, without its metadata."""
    height: int
    """Rows of the upright picture."""
    width: int
    """Columns of the upright picture."""
    subsampling: tuple[int, int]
    """Rows and columns of luma, in the upright picture, that share one chroma sample, 1 or 2 each."""
    orientation: int = 1
    """EXIF orientation of the picture as stored, 1 to 8."""


CodedLuma = LumaScans | LumaCoefficients
"""The coded luma of a JPEG, which can be copied into a JPEG output."""


def has_jpeglib() -> bool:
    """Return whether jpeglib, which reads and writes coefficients, is installed."""
    return importlib.util.find_spec("jpeglib") is not None


def luma_coefficients(data: bytes, height: int, width: int, notation: str) -> LumaCoefficients:
    """Return the luma of a JPEG, to be kept as coefficients.

    Args:
        data: The undamaged file, without metadata.
        height: Rows of the picture as stored.
        width: Columns of the picture as stored.
        notation: Chroma subsampling of the file in TurboJPEG's notation, such as "420".

    Raises:
        CannotSplice: jpeglib is not installed, or the subsampling is unusual.
    """
    if notation not in _SUBSAMPLINGS:
        raise CannotSplice(f"its chroma subsampling is {notation}")
    if not has_jpeglib():
        raise CannotSplice(f"it is interleaved with chroma ({INSTALL} keeps it)")
    return LumaCoefficients(data, height, width, _SUBSAMPLINGS[notation])


def as_coefficients(luma: CodedLuma) -> LumaCoefficients:
    """Convert coded luma to coefficients; scans of a grey JPEG get 2 by 2 chroma subsampling."""
    if isinstance(luma, LumaCoefficients):
        return luma
    return LumaCoefficients(luma.as_grey_file(), luma.height, luma.width, (2, 2))


def upright_luma(luma: CodedLuma, orientation: int) -> LumaCoefficients:
    """Return coded luma as coefficients that ``with_chroma`` turns upright when it encodes them.

    Args:
        luma: Coded luma of the picture as stored.
        orientation: EXIF orientation of the picture as stored, 2 to 8.

    Raises:
        CannotSplice: jpeglib is not installed, or a mirrored side is not a multiple of 8 pixels.
    """
    if not has_jpeglib():
        raise CannotSplice(f"it is turned upright ({INSTALL} keeps it)")
    luma = as_coefficients(luma)
    height, width, subsampling = luma.height, luma.width, luma.subsampling
    if orientation in _TRANSPOSED:
        height, width, subsampling = width, height, subsampling[::-1]
    if (orientation in _MIRRORED and width % _BLOCK) or (orientation in _UPSIDE_DOWN and height % _BLOCK):
        raise CannotSplice("it is turned upright, and its sides are not multiples of 8 pixels")
    return replace(luma, height=height, width=width, subsampling=subsampling, orientation=orientation)


def with_chroma(luma: LumaCoefficients, cb: np.ndarray, cr: np.ndarray, quality: int) -> bytes:
    """Encode a JPEG that has the quantised coefficients of ``luma``, and new chroma.

    Args:
        luma: The picture whose luma is kept.
        cb: Cb, uint8, subsampled by ``luma.subsampling``.
        cr: Cr, of the same shape and dtype.
        quality: Quality of the chroma, 1 to 100, on libjpeg's scale.

    Returns:
        A baseline JPEG without the start-of-image marker and without application segments.

    Raises:
        OSError: The temporary folder cannot be written, or jpeglib failed.
    """
    import jpeglib

    # The chroma is encoded together with a black luma, whose coefficients are then replaced. Its array is padded, since
    # TurboJPEG reads whole units.
    height, width = (side + side % step for side, step in zip((luma.height, luma.width), luma.subsampling, strict=True))
    black = np.zeros((height, width), np.uint8)[: luma.height, : luma.width]
    planes = [np.ascontiguousarray(plane) for plane in (cb, cr)]
    colored = encode_jpeg_yuv_planes(black, *planes, quality, False)
    with _lock, temporary_folder("photochrom-jpeg") as folder, jpeglib.version(_ENGINE):
        source, target = (_read(Path(folder, name), data) for name, data in (("s", luma.data), ("t", colored)))
        blocks, table = _upright_blocks(source.Y, source.qt[source.quant_tbl_no[0]], luma)
        target.Y = _fitted(blocks, target.Y)
        target.qt = np.stack([table, target.qt[target.quant_tbl_no[1]]])
        target.quant_tbl_no = np.array([0, 1, 1])
        path = Path(folder, "colored.jpg")
        target.write_dct(str(path))
        return without_application_segments(path.read_bytes())


def _read(path: Path, data: bytes) -> Any:
    import jpeglib

    path.write_bytes(data)
    image = jpeglib.read_dct(str(path))
    image.load()
    return image


def _upright_blocks(blocks: np.ndarray, table: np.ndarray, luma: LumaCoefficients) -> tuple[np.ndarray, np.ndarray]:
    """Turn quantised blocks ``[rows, columns, 8, 8]`` and their quantisation table ``[8, 8]`` upright."""
    transposed = luma.orientation in _TRANSPOSED
    rows, columns = (-(-side // _BLOCK) for side in (luma.height, luma.width))
    if transposed:
        blocks, table = blocks.transpose(1, 0, 3, 2), table.T
    blocks = blocks[:rows, :columns]  # a file may have more blocks, as padding of its last units
    odd = 1 - 2 * (np.arange(_BLOCK, dtype=blocks.dtype) % 2)  # mirroring changes the sign of odd frequencies
    if luma.orientation in _MIRRORED:
        blocks = blocks[:, ::-1] * odd
    if luma.orientation in _UPSIDE_DOWN:
        blocks = blocks[::-1] * odd[:, None]
    return blocks, table


def _fitted(blocks: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Pad blocks ``[rows, columns, 8, 8]`` to the shape of ``like`` by repeating the edge."""
    rows, columns = (np.minimum(np.arange(like.shape[i]), blocks.shape[i] - 1) for i in (0, 1))
    return np.ascontiguousarray(blocks[np.ix_(rows, columns)])
