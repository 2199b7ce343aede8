"""Keeps a grey JPEG's coded luma byte for byte: copies its scans and appends two scans of chroma.

A JPEG of one component *is* the luma of a 4:2:0 frame. A scan of one component is coded block by block, whatever its
sampling factors (ITU-T T.81, A.2.2), so the number of blocks and of restart intervals is the same in both. Only headers
change: the frame header is rewritten for three components, and each scan header gets the new component number. T.81
allows scans of single components in both baseline and progressive frames.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from ...color.bands import threads

_SOF0, _SOF1, _SOF2, _DHT, _DNL, _DRI, _SOS, _DQT, _EOI = 0xC0, 0xC1, 0xC2, 0xC4, 0xDC, 0xDD, 0xDA, 0xDB, 0xD9
_APP0, _APP15, _COMMENT = 0xE0, 0xEF, 0xFE
_END: Final = bytes([0xFF, _EOI])
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # not a stuffed byte, a restart marker or a fill byte
_FRAMES: Final = {_SOF0: "baseline", _SOF1: "extended", _SOF2: "progressive"}
_NOT_FRAMES: Final = (_DHT, 0xC8, 0xCC)  # markers of tables and extensions within the range of frame headers
_KEPT: Final = (_DHT, _DRI)  # segments kept between scans; others concern components that do not exist
_TABLE: Final = 1  # number of the chroma's quantisation and Huffman tables; the luma's become 0
_LUMA, _CB, _CR = 1, 2, 3  # component numbers, as JFIF wants them
_CHROMINANCE: Final = np.full((8, 8), 99)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]  # T.81, table K.2
_ZIGZAG: Final = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8)))

Coded = bytes | memoryview


class CannotSplice(Exception):  # noqa: N818
    """The scans of this file cannot be kept. The message completes "its luma is re-encoded: "."""


@dataclass(frozen=True)
class LumaScans:
    """The coded luma of a grey JPEG."""

    frame: int
    """Marker of the frame's header: SOF0, SOF1 or SOF2."""
    height: int
    width: int
    quantization: bytes
    """The luma's quantisation table in the form of a DQT segment, numbered 0."""
    parts: tuple[tuple[int, bytes, memoryview], ...]
    """The segments after the frame header, in order: marker, payload, and the entropy-coded data of a scan."""
    trailer: memoryview
    """Bytes of the file after the picture."""

    @property
    def is_progressive(self) -> bool:
        """Whether the frame is progressive, so that chroma must be progressive, too."""
        return self.frame == _SOF2

    @property
    def subsampling(self) -> int:
        """Number of luma pixels along each axis that should share one chroma sample.

        It is 1 with restart intervals: for the separate scan of a 2x2-sampled component, Go's image/jpeg counts them in
        groups of four blocks, not in blocks, and refuses the file. Without subsampling both counts agree.
        """
        return 1 if self.restarts else 2

    @property
    def restarts(self) -> bool:
        """Whether any restart interval is set."""
        return any(any(payload) for marker, payload, _ in self.parts if marker == _DRI)

    def top(self, rows: int) -> bytes:
        """Return a file of the first ``rows`` rows (a multiple of 8) of a baseline picture.

        Some of its coded data at the end belongs to later rows.
        """
        height = min(rows, self.height)
        most = 8 * height * self.width  # bytes: a coefficient takes at most 26 bits, and stuffed bytes twice as much
        parts = tuple((marker, payload, coded[:most]) for marker, payload, coded in self.parts)
        return replace(self, height=height, parts=parts).as_grey_file()

    def as_grey_file(self) -> bytes:
        """Return a grey JPEG file of these scans, without metadata."""
        header = struct.pack(">BHHB", 8, self.height, self.width, 1) + bytes((_LUMA, 0x11, 0))
        out: list[Coded] = [b"\xff\xd8", _segment(_DQT, self.quantization), _segment(self.frame, header)]
        for marker, payload, coded in self.parts:
            out += [_segment(marker, payload), coded]
        return b"".join([*out, _END])


def luma_scans(data: bytes) -> LumaScans:
    """Find the coded luma in a grey JPEG file.

    Args:
        data: The whole file. Its entropy-coded data is not checked.

    Raises:
        CannotSplice: The file is not a grey JPEG of 8 bits in Huffman codes, or its structure is damaged.
    """
    frame: tuple[int, bytes] | None = None
    tables: dict[int, bytes] = {}
    parts: list[tuple[int, bytes, memoryview]] = []
    trailer = memoryview(b"")
    for marker, payload, coded in _segments(data):
        if marker == _DQT and not _has_scan(parts):  # a later table does not apply to the first scan
            tables |= _quantization_tables(payload)
        elif 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            if frame is not None:
                raise CannotSplice("it holds several frames")
            frame = marker, payload
        elif marker == _DNL:
            raise CannotSplice("its height is stated after the first scan (DNL)")
        elif marker == _SOS or marker in _KEPT:
            parts.append((marker, payload, coded))
        elif marker == _EOI:
            trailer = coded
    if frame is None or not _has_scan(parts):
        raise CannotSplice("its structure is damaged")
    height, width, table = _grey_frame(*frame)
    if table not in tables:
        raise CannotSplice("its quantisation table is missing")
    quantization = bytes([tables[table][0] & 0xF0]) + tables[table][1:]
    kept = tuple((m, _of_luma(payload) if m == _SOS else payload, coded) for m, payload, coded in parts)
    return LumaScans(frame[0], height, width, quantization, kept, trailer)


def splice(luma: LumaScans, cb: np.ndarray, cr: np.ndarray, quality: int) -> list[Coded]:
    """Encode the chroma, and append it to the luma.

    Args:
        luma: The scans to keep.
        cb: Blue chroma, uint8 ``[H, W]`` or ``[ceil(H / 2), ceil(W / 2)]``, neutral at 128; ``luma.subsampling`` tells
            which of the two shapes all readers accept.
        cr: Red chroma, likewise.
        quality: Quality of the chroma, 1 to 100, on libjpeg's scale.

    Returns:
        The parts of the file in order, from the quantisation tables to the end. The caller writes the start-of-image
        marker and the metadata before them.
    """
    table = _scaled(_CHROMINANCE, quality)
    chroma_table = bytes([_TABLE]) + bytes(table.ravel()[_ZIGZAG])
    out: list[Coded] = [_segment(_DQT, luma.quantization), _segment(_DQT, chroma_table)]
    ratio = 0x11 if cb.shape == (luma.height, luma.width) else 0x22
    sampling = ((_LUMA, ratio, 0), (_CB, 0x11, _TABLE), (_CR, 0x11, _TABLE))
    header = struct.pack(">BHHB", 8, luma.height, luma.width, len(sampling))
    out.append(_segment(luma.frame, header + b"".join(bytes(component) for component in sampling)))
    for marker, payload, scan in luma.parts:
        out += [_segment(marker, payload), scan]
    if luma.restarts:
        out.append(_segment(_DRI, b"\0\0"))

    def coded(number: int, plane: np.ndarray) -> bytes:
        return _coded_chroma(plane, number, table, progressive=luma.is_progressive)

    with ThreadPoolExecutor(min(2, threads())) as pool:
        out += pool.map(coded, (_CB, _CR), (cb, cr))
    return [*out, _END]


def without_application_segments(data: bytes) -> bytes:
    """Return a JPEG file without its start-of-image marker, application segments and comments."""
    kept: list[Coded] = []
    for marker, payload, coded in _segments(data):
        if not (_APP0 <= marker <= _APP15 or marker in (_COMMENT, _EOI)):
            kept += [_segment(marker, payload), coded]
    return b"".join([*kept, _END])


def _segments(data: bytes) -> Iterator[tuple[int, bytes, memoryview]]:
    """Yield marker, payload and entropy-coded data (empty except for scans) of each segment, up to the end of image.

    The end of image comes last, with the bytes after it.
    """
    position, whole = 2, memoryview(data)
    while True:
        while data[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        if data[position : position + 2] == _END:
            yield _EOI, b"", whole[position + 2 :]
            return
        if position + 4 > len(data) or data[position] != 0xFF:
            raise CannotSplice("its structure is damaged")
        marker = data[position + 1]
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if end > len(data):
            raise CannotSplice("its structure is damaged")
        payload, position = data[position + 4 : end], end
        if marker == _SOS:
            position = _end_of_scan(data, end)
        yield marker, payload, whole[end:position]


def _end_of_scan(data: bytes, start: int) -> int:
    """Return the position of the marker that ends a scan."""
    if (found := _MARKER.search(data, start)) is None:
        raise CannotSplice("its last scan does not end")
    return found.start()


def _has_scan(parts: list[tuple[int, bytes, memoryview]]) -> bool:
    return any(marker == _SOS for marker, _, _ in parts)


def _quantization_tables(payload: bytes) -> dict[int, bytes]:
    """Return the tables of a DQT segment by number; each includes its first byte (precision and number)."""
    found: dict[int, bytes] = {}
    while payload:
        length = 1 + 64 * (2 if payload[0] >> 4 else 1)
        if len(payload) < length:
            raise CannotSplice("a quantisation table is damaged")
        found[payload[0] & 0x0F], payload = payload[:length], payload[length:]
    return found


def _grey_frame(marker: int, payload: bytes) -> tuple[int, int, int]:
    """Return height, width and number of the quantisation table from the header of a frame of one component."""
    if marker not in _FRAMES:
        raise CannotSplice("it is lossless, hierarchical or coded arithmetically")
    if len(payload) < 9 or len(payload) != 6 + 3 * payload[5]:
        raise CannotSplice("its structure is damaged")
    precision, height, width, components = struct.unpack_from(">BHHB", payload)
    if components != 1:
        raise CannotSplice("it is interleaved with chroma")
    if precision != 8:
        raise CannotSplice(f"it has {precision} bits")
    if not height:
        raise CannotSplice("its height is stated after the first scan (DNL)")
    return height, width, payload[8]


def _of_luma(scan: bytes) -> bytes:
    """Return the scan header of a grey JPEG with its component ID changed to the luma's."""
    if len(scan) != 6 or scan[0] != 1:
        raise CannotSplice("its structure is damaged")
    return bytes([1, _LUMA]) + scan[2:]


def _scaled(table: np.ndarray, quality: int) -> np.ndarray:
    """Scale a quantisation table as libjpeg does for a quality from 1 to 100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255).astype(np.uint8)


def _coded_chroma(plane: np.ndarray, number: int, table: np.ndarray, *, progressive: bool) -> bytes:
    """Return the Huffman tables and scans of one chroma component, coded by libjpeg as a grey picture."""
    out: list[Coded] = []
    stream = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(plane))
    image.save(stream, "JPEG", qtables=[table.ravel().tolist()], progressive=progressive)
    for marker, payload, coded in _segments(stream.getvalue()):
        if marker == _DHT:
            out.append(_segment(_DHT, _renumbered(payload)))
        elif marker == _SOS:
            out += [_segment(_SOS, bytes([1, number, _TABLE << 4 | _TABLE]) + payload[3:]), coded]
    return b"".join(out)


def _renumbered(payload: bytes) -> bytes:
    """Return a DHT segment with its tables renumbered for the chroma."""
    out = b""
    while payload:
        length = 17 + sum(payload[1:17])
        out += bytes([payload[0] & 0xF0 | _TABLE]) + payload[1:length]
        payload = payload[length:]
    return out


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
