"""Reads PNG of every colour type and depth, and writes RGB or RGBA at 8 or 16 bits.

Chunks that Photochrom does not interpret are copied unchanged.

The writer does not use Pillow, which has no 16-bit RGB and needs the whole picture as RGB in memory.
Structure: PNG specification, third edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from mmap import mmap
from typing import BinaryIO, Final

import numpy as np

from ...color.bands import bands, in_parallel
from ...errors import WHOLE_COPY, PhotoError
from . import exif, photoshop
from .deflate import LEVEL
from .image import (
    C2PA_LOST,
    HDR_REFUSED,
    HDR_TRANSFERS,
    NO_UNIT,
    PER_CM,
    PER_INCH,
    TO_SDR,
    Decoded,
    Density,
    Metadata,
    Planes,
    by_opencv,
    check_one,
    check_size,
    color_rows,
    decoded_text,
    luma_of,
)

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_RGB, _GREY_ALPHA, _RGBA = 2, 4, 6
_PIXEL_CHUNKS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# Chunks that are also true of the coloured picture.
_COLOR_CHUNKS: Final = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
_OF_SRGB: Final = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
}
"""Content of the chunks that state gamma and primaries, for a picture in sRGB."""
_EXIF: Final = b"Exif\0\0"  # some programs write it before the block
_XMP_KEYWORD: Final = b"XML:com.adobe.xmp"
_RAW_PROFILE: Final = b"Raw profile type "
_UP: Final = 2  # filter: subtract the byte above; choosing a filter per row would save a few per cent
_MAX_TEXT: Final = 64 << 20  # largest inflated size of a chunk, in bytes
_ADLER: Final = 65521
_FFMPEG_IDAT: Final = 4096  # largest size of the chunks into which FFmpeg divides the pixels, in bytes


def read(data: bytes) -> Decoded:
    """Decode a PNG file.

    Chunks that describe the old pixels are not kept: modification time, background, palette hints, and private chunks
    marked as unsafe to copy.

    Raises:
        PhotoError, OSError, ValueError, struct.error, zlib.error: The file is damaged or too large, or is an animation
            or HDR.
    """
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR":
        raise PhotoError("is a damaged PNG", remedy=WHOLE_COPY)
    width, height, depth, kind = struct.unpack_from(">IIBB", chunks[0][1])
    check_size(width, height)
    found = {name: bytes(payload) for name, payload in chunks if name in (b"acTL", b"tRNS", b"cICP")}
    if (code := found.get(b"cICP", b"\0\0")[1]) in HDR_TRANSFERS:
        raise PhotoError(HDR_REFUSED.format(HDR_TRANSFERS[code]), remedy=TO_SDR)
    frames = int.from_bytes(found.get(b"acTL", b"\0\0\0\1")[:4], "big")
    check_one(frames, f"is an animation of {frames} pictures")
    # The decoder gets only the chunks it needs, so that a damaged text chunk cannot make it refuse the picture.
    pixels = b"".join([SIGNATURE, *(_chunk(name, payload) for name, payload in chunks if name in _PIXEL_CHUNKS)])
    transparent = found.get(b"tRNS")
    luma, alpha = _decoded(pixels, kind, depth, transparent)
    metadata, warnings = _metadata((name, bytes(payload)) for name, payload in chunks if name != b"IDAT")
    if _is_by_ffmpeg(chunks) and (density := metadata.density):
        metadata = replace(metadata, density=replace(density, x=density.y, y=density.x))
    return Decoded(luma, alpha, metadata, warnings=warnings)


def orientation(data: memoryview | mmap, *, whole: bool = True) -> int | None:
    """Return the EXIF orientation of a PNG file, 1 to 8; None if it has no EXIF.

    Args:
        data: The file.
        whole: Whether to look behind the pixels as well, for which the whole file is read.

    Raises:
        PhotoError: A text is too large.
    """
    block = _metadata(_texts(data, whole=whole))[0].exif
    return exif.orientation(block) if block else None


def _texts(data: memoryview | mmap, *, whole: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and payload of each chunk that may have metadata; the arguments are those of ``orientation``."""
    position, name = len(SIGNATURE), b""
    while position + 8 <= len(data) and (whole or name != b"IDAT"):
        size, name = struct.unpack_from(">I4s", data, position)
        if name in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
            yield name, bytes(data[position + 8 : position + 8 + size])
        position += 12 + size


def coding_chunks(metadata: Metadata) -> list[str]:
    """Return the names of chunks that state another gamma or other primaries than sRGB's, and that decide the display.

    They do not decide it if the file has an ICC profile, or a chunk that overrides them.
    """
    chunks = dict(metadata.native)
    if metadata.icc or b"sRGB" in chunks or b"cICP" in chunks:
        return []
    return [name.decode() for name, usual in _OF_SRGB.items() if chunks.get(name, usual) != usual]


def write(stream: BinaryIO, planes: Planes, metadata: Metadata) -> None:
    """Encode planes, uint8 or uint16 ``[H, W]``, as an RGB or RGBA PNG of the same depth.

    Raises:
        OSError: The stream cannot be written.
    """
    height, width = planes.luma.shape
    bits, samples, kind = planes.luma.dtype.itemsize * 8, *((3, _RGB) if planes.alpha is None else (4, _RGBA))
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    stream.write(SIGNATURE + _chunk(b"IHDR", header))
    for name, payload in _headers(metadata):
        stream.write(_chunk(name, payload))
    parts = bands(height, width * samples * bits // 8)

    def deflated(rows: range) -> tuple[bytes, int, int]:
        return _deflated(_filtered(planes, rows), last=rows.stop == height)

    stream.write(_chunk(b"IDAT", b"\x78\x9c"))  # zlib's header
    checksum = 1
    for coded, own, size in in_parallel(deflated, parts):
        checksum = _combined_adler(checksum, own, size)
        stream.write(_chunk(b"IDAT", coded))
    stream.write(_chunk(b"IDAT", struct.pack(">I", checksum)) + _chunk(b"IEND", b""))


def _decoded(pixels: bytes, kind: int, depth: int, transparent: bytes | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode luma and alpha, uint8 or uint16 ``[H, W]``, and raise ``PhotoError`` if the stream is truncated."""
    stored = by_opencv(pixels)
    if stored is None:
        raise PhotoError("is a damaged PNG", remedy=WHOLE_COPY)
    top = np.iinfo(stored.dtype).max
    if stored.ndim == 2:
        if transparent is None:
            return stored, None
        # At depths below 8 bits, the transparent value is scaled like the pixels.
        grey = int.from_bytes(transparent[:2], "big") * top // (2**depth - 1)
        return stored, np.where(stored == grey, 0, top).astype(stored.dtype)
    # OpenCV's order is B, G, R, A; grey with alpha is decoded as three equal channels and alpha.
    alpha = np.ascontiguousarray(stored[..., 3]) if stored.shape[2] == 4 else None
    if kind == _GREY_ALPHA:
        return np.ascontiguousarray(stored[..., 0]), alpha
    return luma_of(stored[..., 2::-1]), alpha


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name and payload of each chunk, without copies.

    Raises:
        PhotoError: A checksum is wrong, or the last chunk is missing.
    """
    view = memoryview(data)
    position, name = len(SIGNATURE), b""
    while name != b"IEND":
        size, name = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        end = position + 12 + size
        if end > len(data) or zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise PhotoError("is cut short or damaged", remedy=WHOLE_COPY)
        yield name, view[position + 8 : end - 4]
        position = end


def _metadata(chunks: Iterable[tuple[bytes, bytes]]) -> tuple[Metadata, tuple[str, ...]]:
    """Return the metadata, including chunks to copy unchanged, and warnings about damaged or dropped chunks."""
    found = _Found()
    for name, payload in chunks:
        found.add(name, payload)
    return found.metadata(), tuple(found.warnings)


def _is_ancillary(name: bytes) -> bool:
    return name[:1].islower()


@dataclass
class _Found:
    """Metadata found so far; blocks of many chunks are joined at the end, so that the time is linear in their number.

    The fields are those of ``Metadata``.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    density: Density | None = None
    iptc: list[bytes] = field(default_factory=list)
    photoshop: list[bytes] = field(default_factory=list)
    native: list[tuple[bytes, bytes]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def metadata(self) -> Metadata:
        """Return the metadata of all chunks."""
        return Metadata(
            exif=self.exif,
            xmp=self.xmp,
            iptc=photoshop.merged(self.iptc),
            photoshop=b"".join(self.photoshop) or None,
            icc=self.icc,
            density=self.density or exif.density(self.exif),
            native=tuple(self.native),
            texts=tuple(self.texts),
        )

    def add(self, name: bytes, payload: bytes) -> None:
        """Add a chunk; one that is damaged or cannot be kept adds a warning."""
        if name == b"eXIf":
            self.exif = payload.removeprefix(_EXIF)
        elif name == b"iCCP":
            try:
                self.icc = _inflated(payload.partition(b"\0")[2][1:])
            except zlib.error:
                self.warnings.append("its damaged ICC profile is not kept")
        elif name == b"pHYs":
            self.density = _density(payload)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            try:
                self._add_text(name, payload)
            except zlib.error:
                keyword = payload.partition(b"\0")[0].decode("latin-1")
                self.warnings.append(f"its damaged text {keyword!r} is not kept")
        elif name == b"caBX":
            self.warnings.append(C2PA_LOST)
        elif name in _COLOR_CHUNKS or (_is_ancillary(name) and name[3:4].islower() and name != b"tIME"):
            self.native.append((name, payload))

    def _add_text(self, name: bytes, payload: bytes) -> None:
        """Add a text chunk: EXIF, XMP and IPTC to their fields, and other text as an unchanged chunk."""
        keyword, text = _keyword_and_text(name, payload)
        if keyword == _XMP_KEYWORD:
            self.xmp = text
        elif not (keyword.startswith(_RAW_PROFILE) and self._add_profile(keyword, _raw_profile(text))):
            self.native.append((name, payload))
            self.texts.append(f"{keyword.decode('latin-1')}: {decoded_text(text)}")

    def _add_profile(self, keyword: bytes, block: bytes) -> bool:
        """Add a block that ImageMagick stored as text; return whether it is of a known kind."""
        kind = keyword.removeprefix(_RAW_PROFILE)
        if kind in (b"exif", b"APP1") and block.startswith(_EXIF):
            self.exif = self.exif or block.removeprefix(_EXIF)
        elif kind == b"xmp" and block:
            self.xmp = self.xmp or block
        elif kind in (b"iptc", b"8bim") and block:
            # Some programs write IIM within Photoshop resources, others without them, and some write both.
            iptc, others = (block, None) if block.startswith(photoshop.IIM) else photoshop.split(block)
            self.iptc.extend(filter(None, [iptc]))
            self.photoshop.extend(filter(None, [others]))
        else:
            return False
        return True


def _keyword_and_text(name: bytes, payload: bytes) -> tuple[bytes, bytes]:
    keyword, _, rest = payload.partition(b"\0")
    if name == b"tEXt":
        return keyword, rest
    if name == b"zTXt":
        return keyword, _inflated(rest[1:])
    is_compressed = rest[:1] == b"\1"
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # after the language and the translated keyword
    return keyword, _inflated(text) if is_compressed else text


def _raw_profile(text: bytes) -> bytes:
    """Decode a block that ImageMagick stored as text: name, length and hexadecimal digits on separate lines."""
    try:
        return bytes.fromhex(b"".join(text.strip().split(b"\n")[2:]).decode("ascii"))
    except ValueError:
        return b""  # some other text, whose chunk is copied unchanged


def _inflated(data: bytes) -> bytes:
    """Inflate a text or a profile.

    Raises:
        zlib.error: The data is damaged or cut short.
        PhotoError: The result is larger than any genuine text or profile.
    """
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _MAX_TEXT)
    if inflater.unconsumed_tail or len(text) == _MAX_TEXT:
        raise PhotoError("has an oversized text chunk", remedy="save it again in a picture editor")
    if not inflater.eof:
        raise zlib.error("incomplete stream")
    return text


def _density(payload: bytes) -> Density:
    x, y, unit = struct.unpack_from(">IIB", payload)
    if not (x and y):
        return Density(Fraction(1), Fraction(1), NO_UNIT)
    return Density(Fraction(x, 100), Fraction(y, 100), PER_CM) if unit else Density(Fraction(x), Fraction(y), NO_UNIT)


def _is_by_ffmpeg(chunks: list[tuple[bytes, memoryview]]) -> bool:
    """Return whether FFmpeg wrote the chunk pHYs, whose two numbers it exchanges.

    It writes them without a unit, right after the header.
    """
    name, payload = chunks[1]
    is_first = name == b"pHYs" and bytes(payload[8:]) == b"\0"
    return is_first and all(len(payload) <= _FFMPEG_IDAT for name, payload in chunks if name == b"IDAT")


def _headers(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and payload of the metadata chunks, all of which are written before the pixels."""
    native = metadata.native
    yield from ((name, payload) for name, payload in native if name in _COLOR_CHUNKS)
    if metadata.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    if metadata.density:
        yield b"pHYs", _density_bytes(metadata.density)
    if metadata.exif:
        yield b"eXIf", metadata.exif
    if metadata.xmp:
        yield b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + metadata.xmp
    resources = photoshop.join(metadata.iptc, metadata.photoshop)
    if resources:
        lines = f"\niptc\n{len(resources):8d}\n{resources.hex()}\n".encode()
        yield b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(lines)
    yield from ((name, payload) for name, payload in native if name not in _COLOR_CHUNKS)


def _density_bytes(density: Density) -> bytes:
    per_metre = {NO_UNIT: Fraction(1), PER_INCH: Fraction(10000, 254), PER_CM: Fraction(100)}[density.unit]
    x, y = (min(round(value * per_metre), 2**31 - 1) for value in (density.x, density.y))
    return struct.pack(">IIB", x, y, density.unit != NO_UNIT)


def _filtered(planes: Planes, rows: range) -> np.ndarray:
    """Return rows with the filter applied, uint8 ``[len(rows), 1 + bytes per row]``, each after its filter type."""
    above = range(max(rows.start - 1, 0), rows.stop)  # the filter of the first row needs the row above
    samples = color_rows(planes, above)
    raw = samples.astype(samples.dtype.newbyteorder(">")).reshape(len(above), -1).view(np.uint8)
    coded = np.empty((len(rows), 1 + raw.shape[1]), np.uint8)
    coded[:, 0] = _UP
    if rows.start == 0:
        coded[0, 1:] = raw[0]
    np.subtract(raw[1:], raw[:-1], out=coded[len(coded) - len(raw) + 1 :, 1:])
    return coded


def _deflated(rows: np.ndarray, *, last: bool) -> tuple[bytes, int, int]:
    """Compress rows to a piece of a deflate stream; also return the Adler-32 checksum and size of their bytes."""
    deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    coded = deflater.compress(rows.data) + deflater.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
    return coded, zlib.adler32(rows.data), rows.nbytes


def _combined_adler(first: int, second: int, second_size: int) -> int:
    """Combine the Adler-32 checksums of two consecutive pieces of data."""
    low = ((first & 0xFFFF) + (second & 0xFFFF) - 1) % _ADLER
    high = ((first >> 16) + (second >> 16) + second_size * ((first & 0xFFFF) - 1)) % _ADLER
    return high << 16 | low


def _chunk(name: bytes, payload: bytes | memoryview) -> bytes:
    checksum = zlib.crc32(payload, zlib.crc32(name))
    return b"".join([struct.pack(">I4s", len(payload), name), payload, struct.pack(">I", checksum)])
