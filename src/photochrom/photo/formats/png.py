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
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from ...color.bands import bands, in_parallel
from ...errors import PhotoError
from . import exif, photoshop
from .deflate import inflated_size
from .image import (
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
    from_pillow,
    luma_of,
)

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _GREY_ALPHA, _RGBA = 0, 2, 4, 6
_SAMPLES: Final = {_GREY: 1, _RGB: 3, 3: 1, _GREY_ALPHA: 2, _RGBA: 4}  # 3 is a palette
_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_GROUND: Final = (165, 90, 60, 15)  # a colour that whole rows of photographs seldom have
_DECODERS_CHUNKS: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_COLOUR_CHUNKS: Final = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")  # true of the new picture as of the old
_OWN_PLACE: Final = (b"eXIf", b"iCCP", b"pHYs")  # read into Metadata, and written from it
_XMP_KEYWORD: Final = b"XML:com.adobe.xmp"
_UP: Final = 2  # filter: each byte less the one above. On photographs within a few per cent of choosing for each row
_LEVEL: Final = 6
_MAX_TEXT: Final = 64 << 20  # of one compressed chunk, once inflated
_ADLER: Final = 65521


class _OnGround(PngImageFile):
    """Pillow's decoder on a ground of known colour, which shows where no row came: that is no error to Pillow."""

    def load_prepare(self) -> None:
        """Make room for the pixels."""
        if self._im is None:
            self.im = _ground(self.mode, *self.size).im
        super().load_prepare()


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
    found = {name: bytes(payload) for name, payload in chunks if name in (b"acTL", b"tRNS")}
    frames = int.from_bytes(found.get(b"acTL", b"\0\0\0\1")[:4], "big")
    if frames > 1:
        raise PhotoError(f"is an animation of {frames} pictures: save the one you want as a file of its own")
    # The decoders get pixels only: what they think of a text chunk is no reason to refuse a picture.
    pixels = b"".join([SIGNATURE, *(_chunk(name, payload) for name, payload in chunks if name in _DECODERS_CHUNKS)])
    transparent = found.get(b"tRNS")
    luma, alpha = _read_16(pixels, kind, transparent) if depth == 16 else _read_8(pixels, kind, depth, transparent)
    return Decoded(luma, alpha, _metadata((name, bytes(payload)) for name, payload in chunks if name != b"IDAT"))


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


def _read_8(pixels: bytes, kind: int, depth: int, transparent: bytes | None) -> tuple[np.ndarray, np.ndarray | None]:
    image = _OnGround(BytesIO(pixels))
    image.load()
    _check_rows(image, pixels, _SAMPLES[kind] * depth)
    if kind == _GREY and transparent:
        # Pillow widens the pixels to 8 bits, but not always the value that stands for transparency.
        image.info["transparency"] = int.from_bytes(transparent[:2], "big") * 255 // (2**depth - 1)
    return from_pillow(image)


def _ground(mode: str, width: int, height: int) -> Image.Image:
    return Image.new(mode, (width, height), _GROUND[: Image.getmodebands(mode)])


def _check_rows(image: Image.Image, pixels: bytes, pixel_bits: int) -> None:
    """Refuse a picture whose stream ends well but too soon.

    Rows are decoded in order, so that nothing is missing where the last has come. If that looks as if it had not, its
    bytes are counted, at the price of inflating them again.

    Raises:
        PhotoError: rows are missing.
    """
    interlaced = bool(image.info.get("interlace"))
    width, height = image.size
    last = height // 2 * 2 - 1 if interlaced else height - 1  # interlacing ends with the odd rows
    ground = _ground(image.mode, width, 1).tobytes()
    if last >= 0 and image.crop((0, last, width, last + 1)).tobytes() != ground:
        return
    expected = _coded_size(width, height, pixel_bits, interlaced=interlaced)
    size, _ = inflated_size((payload for name, payload in _chunks(pixels) if name == b"IDAT"), expected)
    if size < expected:
        raise PhotoError("lacks part of its rows: get a whole copy of the file")


def _coded_size(width: int, height: int, pixel_bits: int, *, interlaced: bool) -> int:
    """Bytes of all rows, each with the one that names its filter."""
    size = 0
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // across), -((top - height) // down)
        size += rows * (1 + (columns * pixel_bits + 7) // 8) if columns else 0
    return size


def _read_16(pixels: bytes, kind: int, transparent: bytes | None) -> tuple[np.ndarray, np.ndarray | None]:
    stored = by_opencv(pixels)
    if stored is None:
        raise PhotoError("is a damaged PNG: get a whole copy of the file")
    if stored.ndim == 2:
        if transparent is None:
            return stored, None
        return stored, np.where(stored == int.from_bytes(transparent[:2], "big"), 0, 65535).astype(np.uint16)
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


def _metadata(chunks: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """Sort the chunks: those with a meaning of their own, and those to be handed on as they are."""
    metadata = Metadata()
    for name, payload in chunks:
        if name == b"eXIf":
            metadata = replace(metadata, exif=payload.removeprefix(b"Exif\0\0"))
        elif name == b"iCCP":
            metadata = replace(metadata, icc=_inflated(payload.partition(b"\0")[2][1:]))
        elif name == b"pHYs":
            metadata = replace(metadata, density=_density(payload))
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            metadata = _with_text(metadata, name, payload)
        elif name in _COLOUR_CHUNKS or (_is_ancillary(name) and name[3:4].islower() and name != b"tIME"):
            metadata = replace(metadata, native=(*metadata.native, (name, payload)))
    return metadata if metadata.density else replace(metadata, density=exif.density(metadata.exif))


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
            iptc, others = photoshop.split(block)
            return replace(metadata, iptc=iptc, photoshop=others)
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
    """Raises: PhotoError: it inflates to more than any honest text or profile."""
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _MAX_TEXT)
    if not inflater.eof:
        raise PhotoError("has a damaged or oversized text chunk: save it anew in a picture editor")
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
