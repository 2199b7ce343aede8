"""PNG: 8 and 16 bits, every colour type; chunks byte for byte.

Written here rather than by Pillow, which has no 16-bit RGB and would need the whole picture as RGB in memory.
Structure: PNG specification, third edition (W3C, 2025).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import BinaryIO, Final

import numpy as np

from ...color.bands import bands, in_parallel
from ...errors import PhotoError
from . import exif, photoshop
from .image import (
    C2PA_LOST,
    HDR_REFUSED,
    HDR_TRANSFERS,
    NO_UNIT,
    PER_CM,
    PER_INCH,
    Decoded,
    Density,
    Metadata,
    Planes,
    by_opencv,
    check_size,
    colour_rows,
    luma_of,
)

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_RGB, _GREY_ALPHA, _RGBA = 2, 4, 6
_DECODERS_CHUNKS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_COLOUR_CHUNKS: Final = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")  # true of the new picture as of the old
_OWN_PLACE: Final = (b"eXIf", b"iCCP", b"pHYs")  # read into Metadata, and written from it
_XMP_KEYWORD: Final = b"XML:com.adobe.xmp"
_UP: Final = 2  # filter: each byte less the one above. On photographs within a few per cent of choosing for each row
_LEVEL: Final = 6
_MAX_TEXT: Final = 64 << 20  # of one compressed chunk, once inflated
_ADLER: Final = 65521


def read(data: bytes) -> Decoded:
    """Decode a PNG file.

    Not carried: the time of the last change, background and palette hints, and private chunks that say of themselves
    that they are bound to the old pixels ("unsafe to copy").

    Raises:
        PhotoError, OSError, ValueError, struct.error, zlib.error: damaged.
    """
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR":
        raise PhotoError("is a damaged PNG: get a whole copy of the file")
    width, height, depth, kind = struct.unpack_from(">IIBB", chunks[0][1])
    check_size(width, height)
    found = {name: bytes(payload) for name, payload in chunks if name in (b"acTL", b"tRNS", b"cICP")}
    if (code := found.get(b"cICP", b"\0\0")[1]) in HDR_TRANSFERS:
        raise PhotoError(HDR_REFUSED.format(HDR_TRANSFERS[code]))
    frames = int.from_bytes(found.get(b"acTL", b"\0\0\0\1")[:4], "big")
    if frames > 1:
        raise PhotoError(f"is an animation of {frames} pictures: save the one you want as a file of its own")
    # The decoders get pixels only: what they think of a text chunk is no reason to refuse a picture.
    pixels = b"".join([SIGNATURE, *(_chunk(name, payload) for name, payload in chunks if name in _DECODERS_CHUNKS)])
    transparent = found.get(b"tRNS")
    luma, alpha = _decoded(pixels, kind, depth, transparent)
    metadata, lost = _metadata((name, bytes(payload)) for name, payload in chunks if name != b"IDAT")
    return Decoded(luma, alpha, metadata, losses=lost)


def write(stream: BinaryIO, planes: Planes, metadata: Metadata) -> None:
    """Encode planes (H, W) as RGB or RGBA of their depth.

    Raises:
        OSError: the stream failed.
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
        checksum = _joined_adler(checksum, own, size)
        stream.write(_chunk(b"IDAT", coded))
    stream.write(_chunk(b"IDAT", struct.pack(">I", checksum)) + _chunk(b"IEND", b""))


def _decoded(pixels: bytes, kind: int, depth: int, transparent: bytes | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode luma and alpha, both ``[H, W]``, uint8 or uint16. OpenCV refuses every stream that ends too soon."""
    stored = by_opencv(pixels)
    if stored is None:
        raise PhotoError("is a damaged PNG: get a whole copy of the file")
    top = np.iinfo(stored.dtype).max
    if stored.ndim == 2:
        if transparent is None:
            return stored, None
        grey = int.from_bytes(transparent[:2], "big") * top // (2**depth - 1)  # of less than 8 bits, as it is widened
        return stored, np.where(stored == grey, 0, top).astype(stored.dtype)
    # OpenCV's order is B, G, R, A; grey with alpha comes as three equal channels and alpha.
    alpha = np.ascontiguousarray(stored[..., 3]) if stored.shape[2] == 4 else None
    if kind == _GREY_ALPHA:
        return np.ascontiguousarray(stored[..., 0]), alpha
    return luma_of(stored[..., 2::-1]), alpha


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and payload of each chunk up to the last, nothing copied.

    Raises:
        PhotoError: a checksum is wrong, or the last chunk is missing.
    """
    view = memoryview(data)
    position, name = len(SIGNATURE), b""
    while name != b"IEND":
        size, name = struct.unpack(">I4s", data[position : position + 8].ljust(8, b"\0"))
        end = position + 12 + size
        if end > len(data) or zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise PhotoError("is cut short or damaged: get a whole copy of the file")
        yield name, view[position + 8 : end - 4]
        position = end


def _metadata(chunks: Iterable[tuple[bytes, bytes]]) -> tuple[Metadata, tuple[str, ...]]:
    """Sort the chunks into those with a meaning of their own and those to be handed on, and name what gets lost."""
    metadata, lost = Metadata(), []
    for name, payload in chunks:
        if name == b"eXIf":
            metadata = replace(metadata, exif=payload.removeprefix(b"Exif\0\0"))
        elif name == b"iCCP":
            try:
                metadata = replace(metadata, icc=_inflated(payload.partition(b"\0")[2][1:]))
            except zlib.error:
                lost.append("its damaged ICC profile is not kept")
        elif name == b"pHYs":
            metadata = replace(metadata, density=_density(payload))
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            try:
                metadata = _with_text(metadata, name, payload)
            except zlib.error:
                keyword = payload.partition(b"\0")[0].decode("latin-1")
                lost.append(f"its damaged text {keyword!r} is not kept")
        elif name == b"caBX":
            lost.append(C2PA_LOST)
        elif name in _COLOUR_CHUNKS or (_is_ancillary(name) and name[3:4].islower() and name != b"tIME"):
            metadata = replace(metadata, native=(*metadata.native, (name, payload)))
    density = metadata.density or exif.density(metadata.exif)
    return replace(metadata, density=density), tuple(lost)


def _is_ancillary(name: bytes) -> bool:
    return name[:1].islower()


def _with_text(metadata: Metadata, name: bytes, payload: bytes) -> Metadata:
    """Texts are handed on, but for those that programs put EXIF, XMP and IPTC into."""
    keyword, text = _keyword_and_text(name, payload)
    if keyword == _XMP_KEYWORD:
        return replace(metadata, xmp=text)
    if keyword.startswith(b"Raw profile type "):
        block = _raw_profile(text)
        kind = keyword.removeprefix(b"Raw profile type ")
        if kind in (b"exif", b"APP1") and block.startswith(b"Exif\0\0"):
            return metadata if metadata.exif else replace(metadata, exif=block.removeprefix(b"Exif\0\0"))
        if kind == b"xmp" and block:
            return metadata if metadata.xmp else replace(metadata, xmp=block)
        if kind in (b"iptc", b"8bim") and block:
            # Programs write IIM within Photoshop's resources, bare, or both.
            iptc, others = (block, None) if block.startswith(photoshop.IIM) else photoshop.split(block)
            resources = (metadata.photoshop or b"") + (others or b"")
            return replace(
                metadata, iptc=photoshop.merged(metadata.iptc, iptc), photoshop=resources or metadata.photoshop
            )
    line = f"{keyword.decode('latin-1')}: {text.decode('utf-8' if name == b'iTXt' else 'latin-1', 'replace')}"
    return replace(metadata, native=(*metadata.native, (name, payload)), texts=(*metadata.texts, line))


def _keyword_and_text(name: bytes, payload: bytes) -> tuple[bytes, bytes]:
    keyword, _, rest = payload.partition(b"\0")
    if name == b"tEXt":
        return keyword, rest
    if name == b"zTXt":
        return keyword, _inflated(rest[1:])
    compressed, text = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]  # behind the language
    return keyword, _inflated(text) if compressed else text


def _raw_profile(text: bytes) -> bytes:
    """ImageMagick's way to put a block into a text: name, length, hexadecimal digits, on lines of their own."""
    try:
        return bytes.fromhex(b"".join(text.strip().split(b"\n")[2:]).decode("ascii"))
    except ValueError:
        return b""  # no such block: the chunk is handed on like any text


def _inflated(data: bytes) -> bytes:
    """Inflate a text or a profile.

    Raises:
        zlib.error: It is damaged or cut short.
        PhotoError: It is larger than any honest text or profile.
    """
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _MAX_TEXT)
    if inflater.unconsumed_tail or len(text) == _MAX_TEXT:
        raise PhotoError("has an oversized text chunk: save it anew in a picture editor")
    if not inflater.eof:
        raise zlib.error("incomplete stream")
    return text


def _density(payload: bytes) -> Density:
    x, y, unit = struct.unpack_from(">IIB", payload)
    if not (x and y):
        return Density(Fraction(1), Fraction(1), NO_UNIT)
    return Density(Fraction(x, 100), Fraction(y, 100), PER_CM) if unit else Density(Fraction(x), Fraction(y), NO_UNIT)


def _headers(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """The chunks before the pixels, where all of them may stand."""
    native = metadata.native
    yield from ((name, payload) for name, payload in native if name in _COLOUR_CHUNKS)
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
    yield from ((name, payload) for name, payload in native if name not in _COLOUR_CHUNKS)


def _density_bytes(density: Density) -> bytes:
    per_metre = {NO_UNIT: Fraction(1), PER_INCH: Fraction(10000, 254), PER_CM: Fraction(100)}[density.unit]
    x, y = (min(round(value * per_metre), 2**31 - 1) for value in (density.x, density.y))
    return struct.pack(">IIB", x, y, density.unit != NO_UNIT)


def _filtered(planes: Planes, rows: range) -> np.ndarray:
    """Rows as PNG codes them: (len(rows), 1 + bytes of a row) uint8, the first byte naming the filter."""
    above = range(max(rows.start - 1, 0), rows.stop)  # the row before is needed to filter the first
    samples = colour_rows(planes, above)
    raw = samples.astype(samples.dtype.newbyteorder(">")).reshape(len(above), -1).view(np.uint8)
    coded = np.empty((len(rows), 1 + raw.shape[1]), np.uint8)
    coded[:, 0] = _UP
    if rows.start == 0:
        coded[0, 1:] = raw[0]
    np.subtract(raw[1:], raw[:-1], out=coded[len(coded) - len(raw) + 1 :, 1:])
    return coded


def _deflated(rows: np.ndarray, *, last: bool) -> tuple[bytes, int, int]:
    """A piece of a deflate stream, to be joined to others; then Adler-32 and number of the bytes that are in it."""
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    coded = deflater.compress(rows.data) + deflater.flush(zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH)
    return coded, zlib.adler32(rows.data), rows.nbytes


def _joined_adler(first: int, second: int, second_size: int) -> int:
    """Adler-32 of two pieces on end, from that of each."""
    low = ((first & 0xFFFF) + (second & 0xFFFF) - 1) % _ADLER
    high = ((first >> 16) + (second >> 16) + second_size * ((first & 0xFFFF) - 1)) % _ADLER
    return high << 16 | low


def _chunk(name: bytes, payload: bytes | memoryview) -> bytes:
    checksum = zlib.crc32(payload, zlib.crc32(name))
    return b"".join([struct.pack(">I4s", len(payload), name), payload, struct.pack(">I", checksum)])
