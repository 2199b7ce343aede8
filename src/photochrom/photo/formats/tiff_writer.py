"""Writes TIFF of one or several pages; values of EXIF tags keep their offsets in the file.

No library is used, because values in the EXIF block of the first page must keep their offsets, on which maker notes
depend. The block is a TIFF structure itself, so the new file begins with it. Only the blocks of later pages are
relocated. After the pixels of each page, a new directory lists the tags of its block and of its pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final

import numpy as np
from PIL.ExifTags import Base as Tag

from ...color.bands import bands, in_parallel
from ...errors import PhotoError, needed_for
from . import exif, photoshop
from .deflate import LEVEL
from .exif import BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Order, Tiff
from .image import Density, Metadata, Planes, color_rows
from .tiff_cut import shifted

_NONE, _LZW, _DEFLATE, _ZSTD = 1, 5, 8, 50000
_RGB, _HORIZONTAL = 2, 2
_UNSTATED, _ALPHA = 0, 2  # ExtraSamples
_FIRST: Final = 8  # offset of the first strip or tile in a file of one page
_MAX_FILE: Final = 2**32 - 2**20  # bytes, since offsets have 32 bits; MAX_PIXELS in 16-bit RGBA fit
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
    """Write a file of one page and its masks; see ``TiffWriter``.

    Raises:
        PhotoError: The EXIF is damaged, the file would exceed 4 GB, or a library for the compression is missing.
        OSError: The stream cannot be written.
        ValueError: The EXIF and a mask have different byte orders.
    """
    writer = TiffWriter(stream, compression, ">" if any(mask.startswith(b"MM") for mask in masks) else "<")
    writer.add(planes, metadata)
    for mask in masks:
        writer.copy_page(mask)


class TiffWriter:
    """Writes a TIFF file page by page, with only one page in memory.

    Args:
        stream: A seekable stream, at position 0.
        compression: A key of ``NUMBERS``.
        order: Byte order of the file, unless the first page has an EXIF block, which then determines the byte order.
    """

    def __init__(self, stream: BinaryIO, compression: str = "deflate", order: Order = "<") -> None:
        self._stream, self._compression, self._order = stream, compression, order
        self._link = 0  # where the offset of the next directory must be stored; 0 before the first page

    def add(self, planes: Planes, metadata: Metadata) -> None:
        """Append a page: Y'CbCr planes converted to RGB of the same bit depth, with alpha and further channels.

        Raises:
            PhotoError: The EXIF block is damaged, the file would exceed 4 GB, or the library for the compression is not
                installed.
            OSError: The stream cannot be written.
        """
        copied = self._begin(metadata.exif) if not self._link else self._relocated_block(metadata.exif)
        tags = self._write_strips(planes)
        if metadata.density and Tag.XResolution not in copied:
            tags |= _density_tags(metadata.density)
        self._write_directory(copied | self._number_rows(tags) | self._block_rows(metadata))

    def copy_page(self, page: bytes) -> None:
        """Append a page of another file unchanged.

        Args:
            page: A file with only that page (see ``tiff_cut.page_file``), in the byte order of this file.

        Raises:
            PhotoError: The page is damaged, or the file would exceed 4 GB.
            OSError: The stream cannot be written.
            ValueError: The page has another byte order.
        """
        tiff = _opened(page)
        if tiff.order != self._order:
            raise ValueError(f"the page is in byte order {tiff.order}, and the file in {self._order}")
        entries = shifted(tiff, tiff.directory(tiff.first)[0], self._stream.tell() - _FIRST)
        self._stream.write(page[_FIRST : tiff.first])
        self._check_size()
        start = self._stream.tell()
        directory = exif.packed(tiff, entries, start)
        self._stream.write(directory + bytes(len(directory) % 2))
        (count,) = struct.unpack_from(self._order + "H", directory)
        self._link_to(start, start + 2 + 12 * count)

    def _begin(self, block: bytes | None) -> dict[int, bytes]:
        """Begin the file with the first page's EXIF block, or with a header only; return the block's entries by tag."""
        tiff = _opened(block or _HEADER[self._order])
        self._order, self._link = tiff.order, 4
        self._stream.write(bytes(tiff.data) + b"\0" * (len(tiff.data) % 2))
        return {} if block is None else _rows(tiff)

    def _relocated_block(self, block: bytes | None) -> dict[int, bytes]:
        """Write the EXIF block of a later page with new offsets, if its byte order fits; return its entries by tag."""
        if block is None:
            return {}
        tiff, offset = _opened(block), self._stream.tell()
        if tiff.order != self._order:  # its numbers would be misread
            return {}
        relocated = exif.packed(tiff, tiff.directory(tiff.first)[0], offset)
        self._stream.write(relocated + b"\0" * (len(relocated) % 2))
        (count,) = struct.unpack_from(self._order + "H", relocated)
        rows = [relocated[2 + 12 * i : 14 + 12 * i] for i in range(count)]
        return {struct.unpack_from(self._order + "H", row)[0]: row for row in rows}

    def _write_strips(self, planes: Planes) -> dict[int, tuple[int, list[int]]]:
        """Write the pixels, and return the tags that describe them, each with its type and values."""
        height, width = planes.luma.shape
        further = 0 if planes.extra is None else planes.extra.shape[2]
        others = [_ALPHA] * (planes.alpha is not None) + [_UNSTATED] * further
        bits, samples = planes.luma.dtype.itemsize * 8, 3 + len(others)
        parts = bands(height, width * samples * bits // 8)
        code, is_uncompressed = _ENCODERS[self._compression], self._compression == "none"

        def coded(rows: range) -> bytes:
            pixels = color_rows(planes, rows)
            return code(_in_order(pixels if is_uncompressed else _differences(pixels), self._order), pixels.itemsize)

        offsets, sizes = [], []
        for strip in in_parallel(coded, parts):
            offsets.append(self._stream.tell())
            sizes.append(len(strip))
            self._stream.write(strip + b"\0" * (len(strip) % 2))
            self._check_size()
        tags: dict[int, tuple[int, list[int]]] = {
            Tag.ImageWidth: (LONG, [width]),
            Tag.ImageLength: (LONG, [height]),
            Tag.BitsPerSample: (SHORT, [bits] * samples),
            Tag.Compression: (SHORT, [NUMBERS[self._compression]]),
            Tag.PhotometricInterpretation: (SHORT, [_RGB]),
            Tag.StripOffsets: (LONG, offsets),
            Tag.SamplesPerPixel: (SHORT, [samples]),
            Tag.RowsPerStrip: (LONG, [len(parts[0])]),
            Tag.StripByteCounts: (LONG, sizes),
            Tag.PlanarConfiguration: (SHORT, [1]),
        }
        if not is_uncompressed:
            tags[Tag.Predictor] = SHORT, [_HORIZONTAL]
        if others:
            tags[Tag.ExtraSamples] = SHORT, others
        return tags

    def _check_size(self) -> None:
        if self._stream.tell() > _MAX_FILE:
            raise PhotoError("would be more than 4 GB as a TIFF", remedy="scale it down or cut it into parts")

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
            (Tag.XMLPacket, BYTE, metadata.xmp),
            (Tag.IPTCNAA, UNDEFINED, metadata.iptc),
            (Tag.ImageResources, BYTE, resources),
            (Tag.InterColorProfile, UNDEFINED, metadata.icc),
        ]
        return {tag: self._row(tag, kind, len(value), value) for tag, kind, value in blocks if value}

    def _row(self, tag: int, kind: int, count: int, value: bytes) -> bytes:
        """Return the bytes of a directory entry; a value of more than 4 bytes is first written to the stream."""
        if len(value) > 4:
            offset = self._stream.tell()
            self._stream.write(value + b"\0" * (len(value) % 2))
            value = struct.pack(self._order + "I", offset)
        return struct.pack(self._order + "HHI", tag, kind, count) + value.ljust(4, b"\0")

    def _write_directory(self, rows: dict[int, bytes]) -> None:
        """Append the directory of a page, and link it to the header or to the preceding directory."""
        start = self._stream.tell()
        table: Sequence[bytes] = [rows[tag] for tag in sorted(rows)]
        self._stream.write(struct.pack(self._order + "H", len(table)) + b"".join(table))
        end = self._stream.tell()
        self._stream.write(bytes(4))
        self._link_to(start, end)

    def _link_to(self, start: int, end: int) -> None:
        """Link the directory at ``start`` to the header or the preceding directory; its own link will be at ``end``."""
        self._stream.seek(self._link)
        self._stream.write(struct.pack(self._order + "I", start))
        self._stream.seek(0, 2)
        self._link = end


def _opened(block: bytes) -> Tiff:
    try:
        tiff = exif.open_tiff(block)
        if tiff.first:
            tiff.directory(tiff.first)
    except (ValueError, struct.error) as exc:
        raise PhotoError("has damaged EXIF, which a TIFF cannot hold", remedy="write it as JPEG or PNG") from exc
    return tiff


def _rows(tiff: Tiff) -> dict[int, bytes]:
    """Return the raw entries of the first directory, by tag."""
    entries, _ = tiff.directory(tiff.first)
    return {entry.tag: bytes(tiff.data[entry.position : entry.position + 12]) for entry in entries}


def _density_tags(density: Density) -> dict[int, tuple[int, list[int]]]:
    x, y = (value.limit_denominator(10**4).as_integer_ratio() for value in (density.x, density.y))
    return {
        Tag.XResolution: (RATIONAL, list(x)),
        Tag.YResolution: (RATIONAL, list(y)),
        Tag.ResolutionUnit: (SHORT, [density.unit]),
    }


def _differences(samples: np.ndarray) -> np.ndarray:
    """Apply the horizontal predictor to ``[rows, W, samples]``: subtract the sample to the left."""
    coded = np.empty_like(samples)
    coded[:, 0] = samples[:, 0]
    np.subtract(samples[:, 1:], samples[:, :-1], out=coded[:, 1:])
    return coded


def _in_order(samples: np.ndarray, order: Order) -> np.ndarray:
    """Convert samples ``[rows, W, samples]`` to bytes in a byte order: uint8 ``[rows, bytes]``."""
    stored = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(order), copy=False))
    return stored.view(np.uint8).reshape(len(stored), -1)


def _deflated(stored: np.ndarray, itemsize: int) -> bytes:
    """Compress samples with deflate; if they have 16 bits, with Huffman codes and run lengths only."""
    if itemsize == 1:
        return zlib.compress(stored.data, LEVEL)
    # The low bytes of 16-bit differences are noise, which hardly ever repeats. Searching them for repetitions would
    # take four times as long, and save 3 % of the file.
    compressor = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return compressor.compress(stored.data) + compressor.flush()


def _lzw(stored: np.ndarray, _: int) -> bytes:
    import cv2

    flags = [
        cv2.IMWRITE_TIFF_COMPRESSION, _LZW, cv2.IMWRITE_TIFF_PREDICTOR, 1, cv2.IMWRITE_TIFF_ROWSPERSTRIP, len(stored)
    ]  # fmt: skip
    done, data = cv2.imencode(".tif", stored, flags)
    if not done:
        raise PhotoError("cannot be compressed with LZW here", remedy="choose another compression")
    return _only_strip(data.tobytes())


def _zstd(stored: np.ndarray, _: int) -> bytes:
    with needed_for("compression with Zstandard", "zstd", PhotoError):
        import zstandard
    compressed: bytes = zstandard.ZstdCompressor(level=3).compress(stored.tobytes())
    return compressed


def _only_strip(data: bytes) -> bytes:
    """Return the compressed bytes of a grey TIFF that has one strip."""
    tiff = exif.open_tiff(data)
    entries, _ = tiff.directory(tiff.first)
    (start,), (size,) = tiff.all_integers(entries, Tag.StripOffsets), tiff.all_integers(entries, Tag.StripByteCounts)
    return data[start : start + size]


_ENCODERS: Final[dict[str, Callable[[np.ndarray, int], bytes]]] = {
    "none": lambda stored, _: stored.tobytes(),
    "lzw": _lzw,
    "deflate": _deflated,
    "zstd": _zstd,
}
