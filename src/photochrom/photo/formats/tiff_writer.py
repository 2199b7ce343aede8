"""Writes TIFF of one or several pages, and keeps metadata tags byte for byte.

It uses no library, because an EXIF block is itself the beginning of a TIFF file. The new file begins with the first
page's block, so that everything it refers to (EXIF, GPS, maker notes) keeps its offset; the blocks of later pages are
relocated. After each page's pixels, a new directory lists the tags of the block and of the pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final

import numpy as np

from ...color.bands import bands, in_parallel
from ...errors import PhotoError
from . import exif, photoshop
from .deflate import LEVEL
from .exif import BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Order, Tiff
from .image import Density, Metadata, Planes, color_rows
from .tiff_cut import shifted

_NONE, _LZW, _DEFLATE, _ZSTD = 1, 5, 8, 50000
_RGB, _HORIZONTAL = 2, 2
_UNSTATED, _ALPHA = 0, 2  # ExtraSamples
_FIRST: Final = 8  # offset of the first strip or tile in a file of one page
_MAX_FILE: Final = 2**32 - 2**20  # offsets have 32 bits; MAX_PIXELS in 16-bit RGBA still fit
_HEADER: Final[dict[Order, bytes]] = {"<": b"II*\0\0\0\0\0", ">": b"MM\0*\0\0\0\0"}

NUMBERS: Final = {"none": _NONE, "lzw": _LZW, "deflate": _DEFLATE, "zstd": _ZSTD}
"""TIFF's numbers of the compressions in ``OutputOptions.compression``."""


def write(
    stream: BinaryIO,
    planes: Planes,
    metadata: Metadata,
    compression: str = "deflate",
    masks: Sequence[bytes] = (),
) -> None:
    """Write a file of one page and its masks; see ``TiffWriter``."""
    writer = TiffWriter(stream, compression, ">" if any(mask.startswith(b"MM") for mask in masks) else "<")
    writer.add(planes, metadata)
    for mask in masks:
        writer.carry(mask)


class TiffWriter:
    """Writes a TIFF file page by page, with only one page in memory.

    Args:
        stream: A seekable stream, at position 0.
        compression: A key of ``NUMBERS``.
        order: Byte order of a file whose first page has no EXIF block; if it has one, the file takes the block's.
    """

    def __init__(self, stream: BinaryIO, compression: str = "deflate", order: Order = "<") -> None:
        self._stream, self._compression, self._order = stream, compression, order
        self._link = 0  # position at which to store the offset of the next directory; 0 before the first page

    def add(self, planes: Planes, metadata: Metadata) -> None:
        """Append a page: convert Y'CbCr planes to RGB of the same bit depth, and add alpha and extra channels.

        Raises:
            PhotoError: The EXIF block is not a TIFF structure, the file would exceed 4 GB, or the compression is not
                available here.
            OSError: The stream cannot be written.
        """
        carried = self._begin(metadata.exif) if not self._link else self._block_elsewhere(metadata.exif)
        tags = self._write_strips(planes)
        if metadata.density and exif.X_RESOLUTION not in carried:
            tags |= _density_tags(metadata.density)
        self._write_directory(carried | self._number_rows(tags) | self._block_rows(metadata))

    def carry(self, page: bytes) -> None:
        """Append a page of another file unchanged.

        Args:
            page: A file of that page alone (see ``tiff_cut.page_file``), in this file's byte order.

        Raises:
            OSError: The stream cannot be written.
        """
        tiff = _opened(page)
        if tiff.order != self._order:
            raise ValueError(f"the page is in byte order {tiff.order}, and the file in {self._order}")
        entries = shifted(tiff, tiff.directory(tiff.first)[0], self._stream.tell() - _FIRST)
        self._stream.write(page[_FIRST : tiff.first])
        start = self._stream.tell()
        directory = exif.packed(tiff, entries, start, (exif.EXIF_POINTER, exif.GPS_POINTER))
        self._stream.write(directory + bytes(len(directory) % 2))
        (count,) = struct.unpack_from(self._order + "H", directory)
        self._link_to(start, start + 2 + 12 * count)

    def _begin(self, block: bytes | None) -> dict[int, bytes]:
        """Write the first page's EXIF block, or a bare header; return the block's entries by tag."""
        tiff = _opened(block or _HEADER[self._order])
        self._order, self._link = tiff.order, 4
        self._stream.write(bytes(tiff.data) + b"\0" * (len(tiff.data) % 2))
        return {} if block is None else _rows(tiff)

    def _block_elsewhere(self, block: bytes | None) -> dict[int, bytes]:
        """Write the EXIF block of a later page, relocated and in this file's byte order; return its entries by tag."""
        if block is None:
            return {}
        tiff, place = _opened(block), self._stream.tell()
        if tiff.order != self._order:  # its numbers would be read in the wrong byte order
            return {}
        moved = exif.moved(tiff, place)
        self._stream.write(moved + b"\0" * (len(moved) % 2))
        (count,) = struct.unpack_from(self._order + "H", moved)
        rows = [moved[2 + 12 * i : 14 + 12 * i] for i in range(count)]
        return {struct.unpack_from(self._order + "H", row)[0]: row for row in rows}

    def _write_strips(self, planes: Planes) -> dict[int, tuple[int, list[int]]]:
        """Write the pixels, and return the tags that describe them, each with its type and values."""
        height, width = planes.luma.shape
        others = [_ALPHA] * (planes.alpha is not None) + [_UNSTATED] * _count(planes.extra)
        bits, samples = planes.luma.dtype.itemsize * 8, 3 + len(others)
        parts = bands(height, width * samples * bits // 8)
        code, plain = _ENCODERS[self._compression], self._compression == "none"

        def coded(rows: range) -> bytes:
            pixels = color_rows(planes, rows)
            return code(_in_order(pixels if plain else _differences(pixels), self._order), pixels.itemsize)

        offsets, sizes = [], []
        for strip in in_parallel(coded, parts):
            offsets.append(self._stream.tell())
            sizes.append(len(strip))
            self._stream.write(strip + b"\0" * (len(strip) % 2))
            if self._stream.tell() > _MAX_FILE:
                raise PhotoError("would be more than 4 GB as a TIFF: scale it down or cut it into parts")
        tags: dict[int, tuple[int, list[int]]] = {
            256: (LONG, [width]),
            257: (LONG, [height]),
            258: (SHORT, [bits] * samples),
            259: (SHORT, [NUMBERS[self._compression]]),
            262: (SHORT, [_RGB]),
            273: (LONG, offsets),
            277: (SHORT, [samples]),
            278: (LONG, [len(parts[0])]),
            279: (LONG, sizes),
            284: (SHORT, [1]),
        }
        if not plain:
            tags[317] = SHORT, [_HORIZONTAL]
        if others:
            tags[338] = SHORT, others
        return tags

    def _number_rows(self, tags: dict[int, tuple[int, list[int]]]) -> dict[int, bytes]:
        letters = {SHORT: "H", LONG: "I", RATIONAL: "I"}
        rows = {}
        for tag, (kind, values) in tags.items():
            value = struct.pack(f"{self._order}{len(values)}{letters[kind]}", *values)
            rows[tag] = self._row(tag, kind, len(values) // (2 if kind == RATIONAL else 1), value)
        return rows

    def _block_rows(self, metadata: Metadata) -> dict[int, bytes]:
        resources = photoshop.join(metadata.iptc, metadata.photoshop)
        blocks = [
            (exif.XMP, BYTE, metadata.xmp),
            (exif.IPTC, UNDEFINED, metadata.iptc),
            (exif.PHOTOSHOP, BYTE, resources),
            (exif.ICC, UNDEFINED, metadata.icc),
        ]
        return {tag: self._row(tag, kind, len(value), value) for tag, kind, value in blocks if value}

    def _row(self, tag: int, kind: int, count: int, value: bytes) -> bytes:
        """Return a directory entry. A value of more than 4 bytes is written to the stream first."""
        if len(value) > 4:
            place = self._stream.tell()
            self._stream.write(value + b"\0" * (len(value) % 2))
            value = struct.pack(self._order + "I", place)
        return struct.pack(self._order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    def _write_directory(self, rows: dict[int, bytes]) -> None:
        """Append the page's directory, and store its offset in the header or in the preceding directory."""
        start = self._stream.tell()
        table: Sequence[bytes] = [rows[tag] for tag in sorted(rows)]
        self._stream.write(struct.pack(self._order + "H", len(table)) + b"".join(table))
        end = self._stream.tell()
        self._stream.write(bytes(4))
        self._link_to(start, end)

    def _link_to(self, start: int, end: int) -> None:
        """Store the offset of a directory in the header or in the preceding directory; its own link is at ``end``."""
        self._stream.seek(self._link)
        self._stream.write(struct.pack(self._order + "I", start))
        self._stream.seek(0, 2)
        self._link = end


def _count(extra: np.ndarray | None) -> int:
    return 0 if extra is None else extra.shape[2]


def _opened(block: bytes) -> Tiff:
    try:
        tiff = exif.open_tiff(block)
        if tiff.first:
            tiff.directory(tiff.first)
    except (ValueError, struct.error) as exc:
        raise PhotoError("has damaged EXIF, which a TIFF cannot hold: write it as JPEG or PNG") from exc
    return tiff


def _rows(tiff: Tiff) -> dict[int, bytes]:
    """Return the raw entries of the first directory, by tag."""
    entries, _ = tiff.directory(tiff.first)
    return {entry.tag: bytes(tiff.data[entry.position : entry.position + 12]) for entry in entries}


def _density_tags(density: Density) -> dict[int, tuple[int, list[int]]]:
    x, y = (value.limit_denominator(10**4).as_integer_ratio() for value in (density.x, density.y))
    return {
        exif.X_RESOLUTION: (RATIONAL, list(x)),
        exif.Y_RESOLUTION: (RATIONAL, list(y)),
        exif.RESOLUTION_UNIT: (SHORT, [density.unit]),
    }


def _differences(samples: np.ndarray) -> np.ndarray:
    """Apply predictor 2 to ``[rows, W, samples]``: subtract the sample to the left."""
    coded = np.empty_like(samples)
    coded[:, 0] = samples[:, 0]
    np.subtract(samples[:, 1:], samples[:, :-1], out=coded[:, 1:])
    return coded


def _in_order(samples: np.ndarray, order: Order) -> np.ndarray:
    """Convert ``[rows, W, samples]`` to the bytes of the file: uint8 ``[rows, bytes]``."""
    stored = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(order), copy=False))
    return stored.view(np.uint8).reshape(len(stored), -1)


def _deflated(stored: np.ndarray, itemsize: int) -> bytes:
    """Compress samples with deflate; if they have 16 bits, with Huffman codes and run lengths only.

    The low bytes of 16-bit differences are noise, in which longer patterns hardly ever repeat: searching for them takes
    four times as long, and saves 3 % of the file.
    """
    if itemsize == 1:
        return zlib.compress(stored.data, LEVEL)
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return packer.compress(stored.data) + packer.flush()


def _lzw(stored: np.ndarray, _: int) -> bytes:
    import cv2

    flags = [
        cv2.IMWRITE_TIFF_COMPRESSION, _LZW, cv2.IMWRITE_TIFF_PREDICTOR, 1, cv2.IMWRITE_TIFF_ROWSPERSTRIP, len(stored)
    ]  # fmt: skip
    done, data = cv2.imencode(".tif", stored, flags)
    if not done:
        raise PhotoError("cannot be compressed with LZW here: choose another compression")
    return _only_strip(data.tobytes())


def _zstd(stored: np.ndarray, _: int) -> bytes:
    try:
        import zstandard
    except ImportError as exc:
        raise PhotoError(
            "cannot be compressed with Zstandard without zstandard: pip install 'photochrom[zstd]'"
        ) from exc
    packed: bytes = zstandard.ZstdCompressor(level=3).compress(stored.tobytes())
    return packed


def _only_strip(data: bytes) -> bytes:
    """Extract the compressed bytes of a grey TIFF of one strip."""
    tiff = exif.open_tiff(data)
    entries, _ = tiff.directory(tiff.first)
    (start,), (size,) = tiff.all_integers(entries, 273), tiff.all_integers(entries, 279)
    return data[start : start + size]


_ENCODERS: Final[dict[str, Callable[[np.ndarray, int], bytes]]] = {
    "none": lambda stored, _: stored.tobytes(),
    "lzw": _lzw,
    "deflate": _deflated,
    "zstd": _zstd,
}
