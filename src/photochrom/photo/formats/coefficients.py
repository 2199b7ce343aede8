"""Keeps a JPEG's luma as quantised coefficients where its coded bytes cannot be copied.

The luma of most JPEGs is interleaved with chroma, and turning a picture upright reorders its blocks. In both cases
every quantised coefficient is kept: jpeglib reads and writes coefficients without decoding them to pixels. Rotating or
mirroring moves blocks, transposes them and changes signs within them (as jpegtran does), which is exact if the mirrored
sides are multiples of 8 pixels.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from simplejpeg import encode_jpeg_yuv_planes

from .splice import CannotSplice, LumaScans, without_application_segments

INSTALL: Final = "pip install 'photochrom[jpeg]'"
_ENGINE: Final = "turbo210"  # the one that most programs use, among the libjpegs in jpeglib
_BLOCK: Final = 8  # pixels
_SAMPLINGS: Final = {"444": (1, 1), "422": (1, 2), "420": (2, 2), "440": (2, 1)}
_TRANSPOSED: Final = (5, 6, 7, 8)  # EXIF orientations, in the order of ``bands.upright``
_MIRRORED: Final = (2, 3, 6, 7)
_UPSIDE_DOWN: Final = (3, 4, 7, 8)
_lock = threading.Lock()  # jpeglib selects its engine for the whole process


@dataclass(frozen=True)
class LumaCoefficients:
    """A JPEG whose quantised luma coefficients are to be kept."""

    data: bytes
    """The undamaged file, without its metadata."""
    height: int
    """Rows of the upright picture."""
    width: int
    """Columns of the upright picture."""
    sampling: tuple[int, int]
    """Rows and columns of upright luma that share one chroma sample, 1 or 2 each."""
    orientation: int = 1
    """EXIF orientation, 1 to 8, that turns the file's pixels upright."""


CodedLuma = LumaScans | LumaCoefficients
"""The coded luma of a JPEG, which can be copied into a JPEG output."""


def has_jpeglib() -> bool:
    """Return whether jpeglib, which reads and writes coefficients, is installed."""
    return importlib.util.find_spec("jpeglib") is not None


def luma_coefficients(data: bytes, height: int, width: int, subsampling: str) -> LumaCoefficients:
    """Prepare to keep the luma coefficients of a JPEG.

    Args:
        data: The undamaged file, without metadata.
        height: Rows of the picture as stored.
        width: Columns of the picture as stored.
        subsampling: The subsampling of its chroma in TurboJPEG's notation, "420" for example.

    Raises:
        CannotSplice: jpeglib is not installed, or the subsampling is unusual.
    """
    if subsampling not in _SAMPLINGS:
        raise CannotSplice(f"its chroma subsampling is {subsampling}")
    if not has_jpeglib():
        raise CannotSplice(f"it is interleaved with chroma ({INSTALL} keeps it)")
    return LumaCoefficients(data, height, width, _SAMPLINGS[subsampling])


def as_coefficients(luma: CodedLuma) -> LumaCoefficients:
    """Convert a grey JPEG's scans to coefficients, with a sampling of 2 by 2; coefficients are returned unchanged."""
    if isinstance(luma, LumaCoefficients):
        return luma
    return LumaCoefficients(luma.as_grey_file(), luma.height, luma.width, (2, 2))


def turned(luma: CodedLuma, orientation: int) -> CodedLuma:
    """Return the coded luma of the upright picture.

    Args:
        luma: Coded luma of the picture as stored.
        orientation: Its EXIF orientation, 1 to 8.

    Raises:
        CannotSplice: jpeglib is not installed, or a mirrored side is not a multiple of 8 pixels.
    """
    if orientation == 1:
        return luma
    if not has_jpeglib():
        raise CannotSplice(f"it is turned upright ({INSTALL} keeps it)")
    luma = as_coefficients(luma)
    height, width, sampling = luma.height, luma.width, luma.sampling
    if orientation in _TRANSPOSED:
        height, width, sampling = width, height, sampling[::-1]
    if (orientation in _MIRRORED and width % _BLOCK) or (orientation in _UPSIDE_DOWN and height % _BLOCK):
        raise CannotSplice("it is turned upright, and its sides are not multiples of 8 pixels")
    return replace(luma, height=height, width=width, sampling=sampling, orientation=orientation)


def with_chroma(luma: LumaCoefficients, cb: np.ndarray, cr: np.ndarray, quality: int) -> bytes:
    """Return a JPEG with the luma's quantised coefficients and new chroma.

    Args:
        luma: The picture whose luma is kept.
        cb: Blue chroma, uint8, subsampled as ``luma.sampling`` says.
        cr: Red chroma, likewise.
        quality: Quality of the chroma, 1 to 100, on libjpeg's scale.

    Returns:
        A baseline file without its start-of-image marker and without application segments.

    Raises:
        OSError: The temporary folder cannot be written, or jpeglib failed.
    """
    import jpeglib

    # The chroma is encoded together with a black luma, whose coefficients are then replaced.
    height, width = (side + side % step for side, step in zip((luma.height, luma.width), luma.sampling, strict=True))
    black = np.zeros((height, width), np.uint8)[: luma.height, : luma.width]  # TurboJPEG reads whole units
    planes = [np.ascontiguousarray(plane) for plane in (cb, cr)]
    colored = encode_jpeg_yuv_planes(black, *planes, quality, False)
    with _lock, TemporaryDirectory() as folder, jpeglib.version(_ENGINE):
        source, target = (_read(Path(folder, name), data) for name, data in (("s", luma.data), ("t", colored)))
        blocks, table = _upright(source.Y, source.qt[source.quant_tbl_no[0]], luma)
        target.Y = _fitted(blocks, target.Y)
        target.qt = np.stack([table, target.qt[target.quant_tbl_no[1]]])
        target.quant_tbl_no = np.array([0, 1, 1])
        path = Path(folder, "colored.jpg")
        target.write_dct(str(path))
        return without_application_segments(path.read_bytes())


def _read(path: Path, data: bytes) -> Any:
    import jpeglib

    path.write_bytes(data)
    found = jpeglib.read_dct(str(path))
    found.load()
    return found


def _upright(blocks: np.ndarray, table: np.ndarray, luma: LumaCoefficients) -> tuple[np.ndarray, np.ndarray]:
    """Turn quantised blocks ``[rows, columns, 8, 8]`` and their table ``[8, 8]`` upright."""
    transposed = luma.orientation in _TRANSPOSED
    rows, columns = (-(-side // _BLOCK) for side in (luma.height, luma.width))
    if transposed:
        blocks, table = blocks.transpose(1, 0, 3, 2), table.T
    blocks = blocks[:rows, :columns]  # a file may have more, as padding of its last units
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
