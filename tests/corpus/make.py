"""Makes the corpus: photographs of every readable kind, and each of them damaged at every structural place.

Nothing is stored: the files are made again each time. ``python -m tests.corpus.make FOLDER`` writes them out.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, features

SIDES = ((1, 1), (1, 9), (7, 8), (16, 16), (17, 31), (40, 33))  # height, width
MAX_DAMAGES = 12  # of one intact file


@dataclass(frozen=True)
class Entry:
    """One file of the corpus."""

    name: str
    data: bytes
    luma: np.ndarray | None = None
    """Luma of the intact, upright picture by arithmetic of the script's own; None for a damaged file."""
    tolerance: int = 0
    """Steps of luma, on the scale of ``luma``'s dtype, that the coding of the file may move it."""


def grey(height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    """Return a smooth picture with some texture, always the same."""
    rng = np.random.default_rng([height, width])
    ramp = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 160 + 40
    values = ramp + rng.integers(0, 8, (height, width))
    return (values * (257 if dtype == np.uint16 else 1)).astype(dtype)


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """Compute the BT.601 luma in floating point, independently of the package."""
    return np.rint(rgb.astype(np.float64) @ [0.299, 0.587, 0.114]).astype(rgb.dtype)


def toned(height: int, width: int, dtype: type = np.uint8) -> np.ndarray:
    """Return a toned grey picture, R'G'B'."""
    values = grey(height, width, dtype)
    unit = 257 if dtype == np.uint16 else 1
    return np.stack([values + 12 * unit, values, values - 14 * unit], axis=-1)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def upright(luma: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture upright by its EXIF orientation."""
    if orientation >= 5:
        luma = luma.T
    if orientation in (2, 3, 6, 7):
        luma = luma[:, ::-1]
    if orientation in (3, 4, 7, 8):
        luma = luma[::-1]
    return luma


def exif(orientation: int) -> bytes:
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes([0, orientation]) + b"\0\0\0\0\0\0"


def jpegs() -> Iterator[Entry]:
    options = {
        "plain": {},
        "progressive": {"progressive": True},
        "restarts": {"restart_marker_blocks": 1},
        "optimised": {"optimize": True},
        "dpi": {"dpi": (300, 300), "comment": b"a comment"},
    }
    for height, width in SIDES:
        values = grey(height, width)
        for kind, extra in options.items():
            data = saved(Image.fromarray(values), "JPEG", quality=95, **extra)
            yield Entry(f"grey-{kind}-{height}x{width}.jpg", data, _y_of(data))
        rgb = Image.fromarray(toned(height, width))
        for sampling, name in ((0, "444"), (1, "422"), (2, "420")):
            data = saved(rgb, "JPEG", quality=95, subsampling=sampling)
            yield Entry(f"color-{name}-{height}x{width}.jpg", data, _y_of(data))
    for orientation in range(1, 9):
        data = saved(Image.fromarray(grey(17, 31)), "JPEG", quality=95, exif=exif(orientation))
        yield Entry(f"orientation-{orientation}.jpg", data, upright(_y_of(data), orientation))
    bare = saved(Image.fromarray(grey(17, 31)), "JPEG", quality=95)
    yield Entry("stray-bytes.jpg", bare[:2] + b"\0" + bare[2:20] + b"stray\xff\0\xff\xd3" + bare[20:], _y_of(bare))
    yield Entry("jfif-cut-short.jpg", bare[:2] + b"\xff\xe0\0\x07JFIF\0" + bare[20:], _y_of(bare))
    cmyk = saved(Image.fromarray(toned(16, 16)).convert("CMYK"), "JPEG", quality=95)
    yield Entry("cmyk.jpg", cmyk, luma_of(toned(16, 16)), 8)


def _y_of(data: bytes) -> np.ndarray:
    """Return the Y plane of a JPEG as libjpeg decodes it."""
    image = Image.open(io.BytesIO(data))
    image.draft("L", image.size)
    return np.asarray(image.convert("L"))


def pngs() -> Iterator[Entry]:
    for height, width in SIDES:
        values = grey(height, width)
        yield Entry(f"grey-{height}x{width}.png", saved(Image.fromarray(values), "PNG"), values)
        deep = grey(height, width, np.uint16)
        yield Entry(f"grey16-{height}x{width}.png", png(deep, 16, 0), deep)
        rgb = toned(height, width)
        yield Entry(f"rgb-{height}x{width}.png", saved(Image.fromarray(rgb), "PNG"), luma_of(rgb), 1)
        wide = toned(height, width, np.uint16)
        yield Entry(f"rgb16-{height}x{width}.png", png(wide, 16, 2), luma_of(wide), 1)
        alpha = np.full((height, width, 1), 255, np.uint8)
        yield Entry(f"rgba-{height}x{width}.png", png(np.dstack([rgb, alpha]), 8, 6), luma_of(rgb), 1)
        yield Entry(f"interlaced-{height}x{width}.png", png(values, 8, 0, interlaced=True), values)
    for bits in (1, 2, 4):
        levels = grey(16, 19) >> (8 - bits)
        shown = (levels.astype(int) * 255 // (2**bits - 1)).astype(np.uint8)
        yield Entry(f"grey{bits}.png", png(levels, bits, 0), shown)
    palette = Image.fromarray(grey(16, 19) // 4 * 4).convert("P")
    yield Entry("palette.png", saved(palette, "PNG"), grey(16, 19) // 4 * 4, 1)


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(values: np.ndarray, bits: int, color: int, *, interlaced: bool = False) -> bytes:
    """Build a PNG of any depth and interlacing."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b""
    for top, left, down, across in passes if interlaced else [(0, 0, 1, 1)]:
        part = values[top::down, left::across]
        if part.size:
            rows += b"".join(b"\0" + _packed(row, bits) for row in part)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _packed(row: np.ndarray, bits: int) -> bytes:
    if bits == 16:
        return row.astype(">u2").tobytes()
    if bits == 8:
        return row.astype(np.uint8).tobytes()
    unpacked = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(unpacked.ravel()).tobytes()


def tiffs() -> Iterator[Entry]:
    layouts: dict[str, dict[str, object]] = {
        "plain": {},
        "big-endian": {"byteorder": ">"},
        "bigtiff": {"bigtiff": True},
        "bigtiff-big-endian": {"bigtiff": True, "byteorder": ">"},
        "deflate": {"compression": "zlib", "predictor": True},
        "tiled": {"tile": (16, 16)},
        "strips": {"rowsperstrip": 3},
    }
    for name, options in layouts.items():
        for kind, values in (
            ("grey8", grey(40, 33)),
            ("grey16", grey(40, 33, np.uint16)),
            ("rgb8", toned(40, 33)),
            ("rgb16", toned(40, 33, np.uint16)),
        ):
            stream = io.BytesIO()
            photometric = "rgb" if values.ndim == 3 else "minisblack"
            tifffile.imwrite(stream, values, photometric=photometric, **options)  # type: ignore[arg-type]
            luma = luma_of(values) if values.ndim == 3 else values
            yield Entry(f"{kind}-{name}.tif", stream.getvalue(), luma, int(values.ndim == 3))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        data = saved(Image.fromarray(grey(40, 33)), "TIFF", compression=compression)
        yield Entry(f"grey8-{compression}.tif", data, grey(40, 33))
        data = saved(Image.fromarray(toned(40, 33)), "TIFF", compression=compression)
        yield Entry(f"rgb8-{compression}.tif", data, luma_of(toned(40, 33)), 1)
    for orientation in range(1, 9):
        stream = io.BytesIO()
        tifffile.imwrite(stream, grey(17, 31), photometric="minisblack", extratags=[(274, "H", 1, orientation, True)])
        yield Entry(f"orientation-{orientation}.tif", stream.getvalue(), upright(grey(17, 31), orientation))
    stream = io.BytesIO()
    tifffile.imwrite(stream, 255 - grey(17, 31), photometric="miniswhite")
    yield Entry("white-is-zero.tif", stream.getvalue(), grey(17, 31))


def others() -> Iterator[Entry]:
    values = toned(40, 33)
    image = Image.fromarray(values)
    yield Entry("lossless.webp", saved(image, "WEBP", lossless=True), luma_of(values), 1)
    lossy = saved(image, "WEBP", quality=90)
    yield Entry("lossy.webp", lossy, luma_of(np.asarray(Image.open(io.BytesIO(lossy)).convert("RGB"))), 1)
    if features.check("avif"):
        coded = saved(image, "AVIF", quality=90)
        luma = luma_of(np.asarray(Image.open(io.BytesIO(coded)).convert("RGB")))
        yield Entry("plain.avif", coded, luma, 2)
        yield Entry("cropped.avif", cropped(coded), luma[7:27, 15:27], 2)


def cropped(avif: bytes) -> bytes:
    """Return the same AVIF of 33 by 40 pixels with a clean aperture from column 15 and row 7, 12 wide and 20 high.

    The box that states its depths gives way to a clean aperture, and all that lies around it is moved.
    """
    data = bytearray(avif)
    pixi = data.index(b"pixi") - 4
    # Width, height, and the offset of the centre of what is shown, as fractions.
    clap = b"\0\0\0\x28clap" + struct.pack(">IIIIiIiI", 12, 1, 20, 1, 9, 2, -3, 1)
    grown = len(clap) - int.from_bytes(data[pixi : pixi + 4], "big")
    lengths = (data.index(name) - 4 for name in (b"meta", b"iprp", b"ipco"))
    for place in (*lengths, data.index(b"iloc") + 18):  # the place of the coded picture in the file
        number = int.from_bytes(data[place : place + 4], "big") + grown
        data[place : place + 4] = number.to_bytes(4, "big")
    data[data.index(b"ipma") + 16] |= 0x80  # a property that must be understood
    return bytes(data[:pixi] + clap + data[pixi + 16 :])


def intact() -> Iterator[Entry]:
    """All files that must be coloured."""
    for make in (jpegs, pngs, tiffs, others):
        yield from make()


# --- damage


def damaged() -> Iterator[Entry]:
    """Yield damaged files: each structural part of some intact file cut off, doubled, enlarged, emptied or changed."""
    for entry in intact():
        if "17x31" not in entry.name and "-" in entry.name and entry.name.endswith((".jpg", ".png")):
            continue  # one size of each kind is enough
        for number, (what, data) in enumerate(_damages(entry)):
            if number == MAX_DAMAGES:
                break
            stem, _, extension = entry.name.rpartition(".")
            yield Entry(f"{stem}.{what}.{extension}", data)


def _damages(entry: Entry) -> Iterator[tuple[str, bytes]]:
    data = entry.data
    seed = zlib.crc32(entry.name.encode())
    rng = np.random.default_rng(seed)
    parts = _parts(data)
    for index in rng.permutation(len(parts))[:3]:
        start, end, length_at, length_size, little = parts[index]
        yield f"cut-{start}", data[:start]
        yield f"doubled-{start}", data[:end] + data[start:end] + data[end:]
        if length_size:
            for name, value in (("zero", 0), ("huge", 256**length_size - 1), ("past", (end - start) + 1000)):
                coded = (value % 256**length_size).to_bytes(length_size, "little" if little else "big")
                yield f"{name}-{start}", data[:length_at] + coded + data[length_at + length_size :]
    yield "half", data[: len(data) // 2]
    yield "last-byte", data[:-1]
    for place in rng.integers(0, len(data), 4):
        yield f"flip-{place}", data[:place] + bytes([data[place] ^ (1 << rng.integers(0, 8))]) + data[place + 1 :]


def _parts(data: bytes) -> list[tuple[int, int, int, int, bool]]:
    """Return start and end of each structural part, and how its length is stored: (at, bytes, little endian)."""
    if data.startswith(b"\xff\xd8"):
        return list(_jpeg_parts(data))
    if data.startswith(b"\x89PNG"):
        return list(_chunks(data, 8, ">I", extra=8, header=4, little=False))
    if data[:4] == b"RIFF":
        return [(0, len(data), 4, 4, True), *_chunks(data, 12, "<I", extra=0, header=8, little=True)]
    if data[4:8] == b"ftyp":
        return list(_boxes(data))
    return list(_tiff_entries(data))


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, int, int, int, bool]]:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xD9:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield position, end, position + 2, 2, False
        if data[position + 1] == 0xDA:
            return
        position = end


def _chunks(
    data: bytes, position: int, form: str, *, extra: int, header: int, little: bool
) -> Iterator[tuple[int, int, int, int, bool]]:
    """PNG's chunks (length, kind, data, checksum), or RIFF's (kind, length, data)."""
    while position + 8 <= len(data):
        at = position if not little else position + 4
        length = struct.unpack_from(form, data, at)[0]
        end = position + 8 + length + (4 if not little else length % 2)
        yield position, min(end, len(data)), at, 4, little
        position = end


def _boxes(data: bytes) -> Iterator[tuple[int, int, int, int, bool]]:
    position = 0
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big") or len(data) - position
        yield position, min(position + length, len(data)), position, 4, False
        position += max(8, length)


def _tiff_entries(data: bytes) -> Iterator[tuple[int, int, int, int, bool]]:
    """The first directory's entries: kind, type, count (whose "length" is damaged), value."""
    little = data[:2] == b"II"
    order = "<" if little else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    start = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    count = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
    size, first, width = (20, start + 8, 8) if big else (12, start + 2, 4)
    for number in range(min(count, 40)):
        at = first + number * size
        yield at, at + size, at + 4, width, little


def corpus() -> list[Entry]:
    """All files, the intact ones first."""
    return [*intact(), *damaged()]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for made in corpus():
        (folder / made.name).write_bytes(made.data)
