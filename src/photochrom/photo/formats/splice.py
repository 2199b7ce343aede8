"""Keeps a grey JPEG's coded luma byte for byte: copies its scans and appends those of two chroma components.

The scans of a grey JPEG are valid luma scans of a 4:2:0 JPEG, because a scan of one component is coded block by block,
whatever the sampling factors (ITU-T T.81, A.2.2): blocks and restart intervals are the same in both files. Only headers
change: the frame header is rewritten for three components, and each scan header gets the new component number. T.81
allows scans of single components in baseline and in progressive frames.
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
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # neither stuffed byte, restart marker nor fill byte
_FRAMES: Final = {_SOF0: "baseline", _SOF1: "extended", _SOF2: "progressive"}
_NOT_FRAMES: Final = (_DHT, 0xC8, 0xCC)  # markers of tables and extensions within the range of frame headers
_COPIED: Final = (_DHT, _DRI)  # segments between scans that are copied; others are for components that do not exist
_TABLE: Final = 1  # number of the quantisation and Huffman tables of chroma; those of luma get the number 0
_LUMA, _CB, _CR = 1, 2, 3  # component numbers that JFIF requires
_CHROMINANCE: Final = np.full((8, 8), 99)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]  # T.81, table K.2
_ZIGZAG: Final = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i % 8 if (i // 8 + i % 8) % 2 == 0 else i // 8)))

Part = bytes | memoryview


class CannotSplice(Exception):  # noqa: N818
    """The coded luma of a file cannot be kept. The message completes the sentence "its luma is re-encoded: "."""


@dataclass(frozen=True)
class LumaScans:
    """The coded luma of a grey JPEG."""

    frame: int
    """Marker of the frame header: SOF0, SOF1 or SOF2."""
    height: int
    """Rows of the picture."""
    width: int
    """Columns of the picture."""
    quantization: bytes
    """Quantisation table of the luma, as the payload of a DQT segment with the number 0."""
    parts: tuple[tuple[int, bytes, memoryview], ...]
    """Marker, payload and entropy-coded data (empty except for scans) of each segment after the frame header."""
    trailer: memoryview
    """Bytes of the file after the picture."""

    @property
    def is_progressive(self) -> bool:
        """Whether the frame is progressive, so that chroma must be progressive, too."""
        return self.frame == _SOF2

    @property
    def subsampling(self) -> tuple[int, int]:
        """Rows and columns of luma that should share one chroma sample: 1 and 1 with restart intervals, else 2 and 2.

        In a separate scan of a component with 2 by 2 sampling, Go's image/jpeg counts restart intervals in groups of
        four blocks instead of blocks, and refuses the file. Without subsampling, both counts are the same.
        """
        return (1, 1) if self.restarts else (2, 2)

    @property
    def restarts(self) -> bool:
        """Whether any restart interval is set."""
        return any(any(payload) for marker, payload, _ in self.parts if marker == _DRI)

    def top(self, rows: int) -> bytes:
        """Return a grey JPEG file with the first ``rows`` rows (a multiple of 8) of a baseline picture.

        The coded data may continue beyond these rows.
        """
        height = min(rows, self.height)
        most = 8 * height * self.width  # bytes: a coefficient has at most 26 bits, which byte stuffing may double
        parts = tuple((marker, payload, coded[:most]) for marker, payload, coded in self.parts)
        return replace(self, height=height, parts=parts).as_grey_file()

    def as_grey_file(self) -> bytes:
        """Return a grey JPEG file with these scans, without metadata."""
        header = struct.pack(">BHHB", 8, self.height, self.width, 1) + bytes((_LUMA, 0x11, 0))
        out: list[Part] = [b"\xff\xd8", segment(_DQT, self.quantization), segment(self.frame, header)]
        for marker, payload, coded in self.parts:
            out += [segment(marker, payload), coded]
        return b"".join([*out, _END])


def luma_scans(data: bytes) -> LumaScans:
    """Find the coded luma of a grey JPEG file.

    Args:
        data: The whole file, whose entropy-coded data is not checked.

    Raises:
        CannotSplice: The file is not a grey JPEG of 8 bits with Huffman coding, or its structure is damaged.
    """
    frame: tuple[int, bytes] | None = None
    tables: dict[int, bytes] = {}
    parts: list[tuple[int, bytes, memoryview]] = []
    trailer = memoryview(b"")
    has_scan = False
    for marker, payload, coded in _segments(data):
        has_scan |= marker == _SOS
        if marker == _DQT and not has_scan:  # a later table does not apply to the first scan
            tables |= _quantization_tables(payload)
        elif 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            if frame is not None:
                raise CannotSplice("it holds several frames")
            frame = marker, payload
        elif marker == _DNL:
            raise CannotSplice("its height is stated after the first scan (DNL)")
        elif marker == _SOS or marker in _COPIED:
            parts.append((marker, payload, coded))
        elif marker == _EOI:
            trailer = coded
    if frame is None or not has_scan:
        raise CannotSplice("its structure is damaged")
    height, width, table = _grey_frame(*frame)
    if table not in tables:
        raise CannotSplice("its quantisation table is missing")
    quantization = bytes([tables[table][0] & 0xF0]) + tables[table][1:]
    kept = tuple((m, _renumbered_scan(payload) if m == _SOS else payload, coded) for m, payload, coded in parts)
    return LumaScans(frame[0], height, width, quantization, kept, trailer)


def splice(luma: LumaScans, cb: np.ndarray, cr: np.ndarray, quality: int) -> list[Part]:
    """Encode the chroma, and append it to the coded luma.

    Args:
        luma: The coded luma to keep.
        cb: Cb, uint8 ``[H, W]`` or ``[ceil(H / 2), ceil(W / 2)]``, neutral at 128. Some decoders refuse the file if the
            shape contradicts ``luma.subsampling``.
        cr: Cr, of the same shape and dtype.
        quality: Quality of the chroma, 1 to 100, on libjpeg's scale.

    Returns:
        The parts of the file in order, from the quantisation tables to the end. Before them, the caller must write the
        start-of-image marker and the metadata.
    """
    table = _scaled(_CHROMINANCE, quality)
    chroma_table = bytes([_TABLE]) + bytes(table.ravel()[_ZIGZAG])
    out: list[Part] = [segment(_DQT, luma.quantization), segment(_DQT, chroma_table)]
    ratio = 0x11 if cb.shape == (luma.height, luma.width) else 0x22
    components = ((_LUMA, ratio, 0), (_CB, 0x11, _TABLE), (_CR, 0x11, _TABLE))
    header = struct.pack(">BHHB", 8, luma.height, luma.width, len(components))
    out.append(segment(luma.frame, header + b"".join(bytes(component) for component in components)))
    for marker, payload, scan in luma.parts:
        out += [segment(marker, payload), scan]
    if luma.restarts:
        out.append(segment(_DRI, b"\0\0"))

    def encoded(number: int, plane: np.ndarray) -> bytes:
        return _coded_chroma(plane, number, table, progressive=luma.is_progressive)

    with ThreadPoolExecutor(min(2, threads())) as pool:
        out += pool.map(encoded, (_CB, _CR), (cb, cr))
    return [*out, _END]


def without_application_segments(data: bytes) -> bytes:
    """Return a JPEG file without its start-of-image marker, application segments, comments and bytes after its end.

    Raises:
        CannotSplice: The structure of the file is damaged.
    """
    kept: list[Part] = []
    for marker, payload, coded in _segments(data):
        if not (_APP0 <= marker <= _APP15 or marker in (_COMMENT, _EOI)):
            kept += [segment(marker, payload), coded]
    return b"".join([*kept, _END])


def _segments(data: bytes) -> Iterator[tuple[int, bytes, memoryview]]:
    """Yield marker, payload and entropy-coded data (empty except for scans) of each segment of a JPEG file.

    The last segment is the end of image, for which all following bytes are yielded as data.

    Raises:
        CannotSplice: The structure of the file is damaged.
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
    """Return the position of the marker after a scan's entropy-coded data.

    Raises:
        CannotSplice: There is no marker.
    """
    if (found := _MARKER.search(data, start)) is None:
        raise CannotSplice("its last scan does not end")
    return found.start()


def _quantization_tables(payload: bytes) -> dict[int, bytes]:
    """Return the tables of a DQT segment by number; each begins with its byte for precision and number.

    Raises:
        CannotSplice: A table is cut short.
    """
    found: dict[int, bytes] = {}
    start = 0
    while start < len(payload):
        end = start + 1 + 64 * (2 if payload[start] >> 4 else 1)
        if end > len(payload):
            raise CannotSplice("a quantisation table is damaged")
        found[payload[start] & 0x0F], start = payload[start:end], end
    return found


def _grey_frame(marker: int, payload: bytes) -> tuple[int, int, int]:
    """Return height, width and number of the quantisation table, from the frame header of a grey JPEG.

    Raises:
        CannotSplice: The picture has several components or another depth than 8 bits, its height is stated elsewhere,
            it is not coded with Huffman tables, or the header is damaged.
    """
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


def _renumbered_scan(scan: bytes) -> bytes:
    """Return the scan header of a grey JPEG with the component number of luma.

    Raises:
        CannotSplice: The header is not that of a scan of one component.
    """
    if len(scan) != 6 or scan[0] != 1:
        raise CannotSplice("its structure is damaged")
    return bytes([1, _LUMA]) + scan[2:]


def _scaled(table: np.ndarray, quality: int) -> np.ndarray:
    """Scale a quantisation table as libjpeg does for a quality from 1 to 100."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table * percent + 50) // 100, 1, 255).astype(np.uint8)


def _coded_chroma(plane: np.ndarray, number: int, table: np.ndarray, *, progressive: bool) -> bytes:
    """Encode one chroma component as Huffman tables and scans, taken from a grey JPEG that libjpeg encodes."""
    out: list[Part] = []
    stream = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(plane))
    image.save(stream, "JPEG", qtables=[table.ravel().tolist()], progressive=progressive)
    for marker, payload, coded in _segments(stream.getvalue()):
        if marker == _DHT:
            out.append(segment(_DHT, _renumbered_tables(payload)))
        elif marker == _SOS:
            out += [segment(_SOS, bytes([1, number, _TABLE << 4 | _TABLE]) + payload[3:]), coded]
    return b"".join(out)


def _renumbered_tables(payload: bytes) -> bytes:
    """Return the payload of a DHT segment with its tables renumbered for chroma."""
    out = b""
    while payload:
        length = 17 + sum(payload[1:17])
        out += bytes([payload[0] & 0xF0 | _TABLE]) + payload[1:length]
        payload = payload[length:]
    return out


def segment(marker: int, payload: bytes) -> bytes:
    """Return a segment of a JPEG: marker, length and payload, which is at most 65,533 bytes long."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload
