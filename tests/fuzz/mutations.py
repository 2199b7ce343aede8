"""Mutations of whole files: several at once, and more often at structural places than elsewhere.

A mutated file is known by its target, its seed and its number, so that any find can be made again.
"""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from tests.corpus import films, make

Random = np.random.Generator
_EDGES = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_FOUR_LETTERS = re.compile(rb"[A-Za-z][A-Za-z0-9]{3}")
_MOST = 200_000  # bytes of a mutated file
PHOTOS = ("jpg", "png", "tif", "webp", "avif", "heic")
_FILMS = ("mp4", "mov", "mkv", "webm", "avi", "mpg", "ts", "flv", "wmv", "mxf", "gif", "nut", "h264", "m2v", "ivf")
TARGETS = (*PHOTOS, *_FILMS)
"""One for each reader, named by the ending of its files."""


@dataclass(frozen=True)
class Mutant:
    """One mutated file."""

    name: str
    """Target, seed and number: ``jpg-0-17.jpg``."""
    data: bytes


@dataclass(frozen=True)
class Key:
    """Everything that determines a mutated file."""

    target: str
    seed: int
    number: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.target}-{self.seed}-{self.number}.{self.target}"


def mutant(key: Key) -> Mutant:
    """Make a mutated file, the same for the same key."""
    sources = seeds(key.target)
    random = np.random.default_rng([key.seed, key.number, *key.target.encode()])
    data = sources[random.integers(len(sources))]
    for _ in range(random.integers(1, 5)):
        data = _OPERATIONS[random.integers(len(_OPERATIONS))](random, data, sources)[:_MOST]
    return Mutant(key.name, data)


_known: dict[str, tuple[bytes, ...]] = {}  # seeds that another process has made


def save_seeds(path: Path, targets: Iterable[str]) -> None:
    """Make the intact files of targets, and write them to a file, since films take seconds to make."""
    path.write_bytes(pickle.dumps({target: seeds(target) for target in targets}))


def load_seeds(path: Path) -> None:
    """Read what ``save_seeds`` wrote."""
    _known.update(pickle.loads(path.read_bytes()))


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """Return the intact files of a target, those with much metadata first."""
    if target in _known:
        return _known[target]
    if target in _FILMS:
        return tuple(film.data for film in _films() if film.name.endswith("." + target) and film.data)
    return tuple(_rich(target)) + tuple(
        entry.data for entry in _photos() if entry.name.endswith("." + target) and len(entry.data) > 100
    )


@cache
def _films() -> tuple[films.Film, ...]:
    return tuple(films.intact())


@cache
def _photos() -> tuple[make.Entry, ...]:
    return tuple(make.intact())


def _rich(target: str) -> Iterator[bytes]:
    """Return small pictures with every kind of metadata that Pillow can write."""
    picture = Image.fromarray(make.toned(17, 31))
    exif = picture.getexif()
    exif.update({0x010E: "a caption", 0x0112: 6, 0x011A: 300.0, 0x8298: "rights", 0x9C9B: b"t\0i\0t\0l\0e\0"})
    exif.get_ifd(0x8769).update({0x9003: "1926:05:01 12:00:00", 0x927C: b"maker's notes" * 9, 0xA002: 31})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 1.0)})
    xmp = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt>
    <rdf:li xml:lang="x-default">t</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    formats = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP", "avif": "AVIF"}
    blocks = {"exif": exif.tobytes(), "xmp": xmp, "icc_profile": icc}
    if target == "heic":
        yield from _heic(picture, blocks)
    elif target in formats:
        if target == "tif":
            blocks = {"exif": exif, "icc_profile": icc, "tiffinfo": {700: xmp, 33723: b"\x1c\x02\x78\0\1x"}}
        yield make.saved(picture, formats[target], **blocks)
        yield make.saved(picture.convert("L"), formats[target], exif=exif.tobytes())


def _heic(picture: Image.Image, blocks: dict[str, bytes]) -> Iterator[bytes]:
    try:
        import pillow_heif
    except ImportError:
        return
    import io

    for options in (blocks, {}):
        stream = io.BytesIO()
        pillow_heif.from_pillow(picture).save(stream, quality=80, **options)
        yield stream.getvalue()


# --- one mutation each: the random generator, the file, and files to take parts of


def _places(data: bytes) -> list[tuple[int, int, int, int, bool]]:
    """Return the structural parts, or the stretches between bytes that look like names of boxes and chunks."""
    try:
        parts = [part for part in make._parts(data) if part[1] <= len(data)]
    except Exception:  # the parser of the corpus knows whole files only
        parts = []
    if not parts or len(parts) == 1:
        starts = [found.start() - 4 for found in _FOUR_LETTERS.finditer(data[:20_000]) if found.start() >= 4][:400]
        parts = [(a, b, a, 4, False) for a, b in itertools.pairwise([*starts, len(data)]) if b > a]
    return parts or [(0, len(data), 0, 1, False)]


def _part(random: Random, data: bytes) -> tuple[int, int, int, int, bool]:
    parts = _places(data)
    return parts[random.integers(len(parts))]


def _cut(random: Random, data: bytes, _: object) -> bytes:
    return data[: _part(random, data)[int(random.integers(2))]]


def _remove(random: Random, data: bytes, _: object) -> bytes:
    start, end, *_rest = _part(random, data)
    return data[:start] + data[end:]


def _double(random: Random, data: bytes, _: object) -> bytes:
    start, end, *_rest = _part(random, data)
    return data[:end] + data[start:end] * int(random.integers(1, 4)) + data[end:]


def _swap(random: Random, data: bytes, _: object) -> bytes:
    first, second = sorted((_part(random, data)[:2], _part(random, data)[:2]))
    if first[1] > second[0]:
        return data
    one, other = data[slice(*first)], data[slice(*second)]
    return data[: first[0]] + other + data[first[1] : second[0]] + one + data[second[1] :]


def _length(random: Random, data: bytes, _: object) -> bytes:
    *_rest, at, size, little = _part(random, data)
    if not size:
        return data
    value = int(random.choice(_EDGES)) % 256**size
    return data[:at] + value.to_bytes(size, "little" if little else "big") + data[at + size :]


def _transplant(random: Random, data: bytes, sources: tuple[bytes, ...]) -> bytes:
    other = sources[random.integers(len(sources))]
    start, end, *_rest = _part(random, other)
    at = _part(random, data)[int(random.integers(2))]
    return data[:at] + other[start:end] + data[at:]


def _number(random: Random, data: bytes, _: object) -> bytes:
    """Overwrite a number near the beginning of a part with a value at the limit of its bytes."""
    start, end, *_rest = _part(random, data)
    size = int(random.choice((1, 2, 4)))
    at = start + int(random.integers(0, max(1, min(64, end - start))))
    value = int(random.choice(_EDGES)) % 256**size
    return data[:at] + value.to_bytes(size, str(random.choice(("little", "big")))) + data[at + size :]


def _flip(random: Random, data: bytes, _: object) -> bytes:
    changed = bytearray(data)
    for at in random.integers(0, max(1, len(data)), random.integers(1, 9)):
        if at < len(changed):
            changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _noise(random: Random, data: bytes, _: object) -> bytes:
    at, count = int(random.integers(0, len(data) + 1)), int(random.integers(1, 40))
    keep = int(random.integers(2)) * count  # insert, or overwrite
    return data[:at] + random.bytes(count) + data[at + keep :]


_OPERATIONS: tuple[Callable[[Random, bytes, tuple[bytes, ...]], bytes], ...] = (
    _cut, _remove, _double, _swap, _length, _length, _transplant, _number, _number, _number, _flip, _noise,
)  # fmt: skip
