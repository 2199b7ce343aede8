"""Photographs: read the luma and all that must be kept, write it back with chroma beside it.

Luma is Y' (BT.601, full range, as in JPEG), never altered. A JPEG's is its own Y plane; anything else is converted
once, rounded, and written so that converting the new file again gives the same within 1.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from ..atomic import new_file
from ..color.bands import at_8_bits, upright
from ..colorizer.options import DEFAULT_QUALITY
from ..errors import OptionError, PhotoError
from ..provenance import label
from .formats import exif, heif, icc, jpeg, photoshop, png, tiff, webp
from .formats.image import MAX_PIXELS, Decoded, Density, Metadata, Planes, at_most, colour_image
from .formats.xmp import Packet, make_true

EXTENSIONS: Final = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
}
_READERS: Final = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "TIFF": tiff.read,
    "WEBP": webp.read,
    "HEIF": heif.read_heif,
    "AVIF": heif.read_avif,
}
_DEEP: Final = ("PNG", "TIFF")  # hold 16 bits
_NO_IPTC: Final = ("WEBP", "HEIF", "AVIF")  # nor a resolution outside of EXIF
TOO_LARGE: Final = "does not fit in memory: scale it down or cut it into parts"
_CURES: Final = {
    errno.ENOENT: "does not exist: check the path",
    errno.ENOTDIR: "is not in a folder: check the path",
    errno.EISDIR: "is a folder: name a file in it",
    errno.EACCES: "permission denied: ask for it, or choose another folder",
    errno.EPERM: "permission denied: ask for it, or choose another folder",
    errno.EROFS: "is on a disk that cannot be written: choose another folder",
    errno.EEXIST: "exists already: choose another name, or --overwrite",
    errno.ENOSPC: "the disk is full: make room, or choose another disk",
    errno.EDQUOT: "your share of the disk is used up: make room, or choose another disk",
    errno.ENAMETOOLONG: "has too long a name: shorten it",
}


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph as Photochrom works on it.

    ``luma`` is (H, W) uint8 or uint16, upright. ``alpha`` is (H, W) of the same dtype, or None; not premultiplied.
    ``format`` is a key of ``EXTENSIONS``: what was read. ``metadata`` is already true of the upright picture in colour.
    """

    luma: np.ndarray
    alpha: np.ndarray | None
    format: str
    metadata: Metadata
    lossless: bool = False  # a WebP whose coding loses nothing
    name: str = "the picture"  # for messages


@dataclass(frozen=True)
class _Coding:
    format: str
    model: str
    quality: int


def read(source: str | os.PathLike[str] | bytes | BinaryIO, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photograph from a path, from the bytes of a file, or from an open binary file.

    Args:
        source: the photograph.
        max_pixels: refuse a larger one, from its header alone.

    Raises:
        PhotoError: it cannot be read whole and right; the message names the file and what to do.
    """
    name = source if isinstance(source, str) else "the picture"
    if isinstance(source, os.PathLike):
        name = os.fspath(source)
    with _blaming(name):
        if isinstance(source, bytes):
            data = source
        elif isinstance(source, str | os.PathLike):
            data = Path(source).read_bytes()
        else:
            data = source.read()
        kind = _kind(data)
        with _damage_told(), at_most(max_pixels):
            decoded = _READERS[kind](data)
        return _photo(decoded, kind, name)


def encode(
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    *,
    format: str,
    model: str,
    quality: int = DEFAULT_QUALITY,
) -> bytes:
    """The coloured photograph as the bytes of a file.

    Args:
        cb, cr: chroma in luma's dtype, centre 128 or 32768, in gamut; (ceil(H/s), ceil(W/s)) with
            s = ``chroma_subsampling(format)``.
        format: a key of ``EXTENSIONS``. PNG and TIFF keep 16 bits; the others round to 8.
        model: whose colours these are: name, version and hash of the model, for the label in the metadata.
        quality: 1 .. 100, of JPEG, HEIF, AVIF and lossy WebP. The default's loss cannot be seen.
            A WebP that was read as lossless is written so.

    Raises:
        PhotoError: the format cannot hold this photograph; the message says which can.
        OptionError: ``quality`` is out of range, or there is no such format.
        ValueError: ``cb`` or ``cr`` is of another shape or dtype.
    """
    stream = BytesIO()
    coding = _Coding(format, model, quality)
    _check(photo, cb, cr, coding)
    with _blaming(photo.name), _encoder_told():
        _encode(stream, photo, cb, cr, coding)
    return stream.getvalue()


def write(
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    destination: str | os.PathLike[str],
    *,
    model: str,
    quality: int = DEFAULT_QUALITY,
    overwrite: bool = False,
) -> None:
    """Write the coloured photograph to a file, whole or not at all, in the format that its extension names.

    Args: as for ``encode``.

    Raises:
        PhotoError: it cannot be written; ``destination`` exists and ``overwrite`` was not asked for, or it is a device
            or a pipe, which would not be written to but replaced.
        OptionError: ``quality`` is out of range.
        ValueError: ``cb`` or ``cr`` is of another shape or dtype.
    """
    path = Path(destination)
    check_place(path, overwrite=overwrite)
    coding = _Coding(format_of(path), model, quality)
    _check(photo, cb, cr, coding)
    with _blaming(str(path)), new_file(path, overwrite=overwrite) as stream, _encoder_told():
        _encode(stream, photo, cb, cr, coding)


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's extension names, a key of ``EXTENSIONS``.

    Raises:
        PhotoError: there is no extension, or it is none of them.
    """
    extension = Path(path).suffix.lower()
    for format, extensions in EXTENSIONS.items():
        if extension in extensions:
            return format
    known = [extensions[0] for extensions in EXTENSIONS.values()]
    if extension in ("", ".color"):  # what becomes of a source without one
        names = f"{', '.join(known[:-1])} or {known[-1]}"
        raise PhotoError(f"{path}: has no extension that says its format: name it {names}")
    raise PhotoError(f"{path}: unknown extension {extension!r}: choose one of {' '.join(known)}")


def chroma_subsampling(format: str) -> int:
    """How many pixels of luma, along x and along y, share one of chroma: 2 in JPEG (4:2:0), else 1."""
    return 2 if format == "JPEG" else 1


def check_source(source: Path) -> None:
    """Tell before anything else that a file is no photograph.

    Raises:
        PhotoError: there is none, it is a folder or a device, which never ends, or of a kind that is not read.
    """
    with _blaming(str(source)):
        if source.is_char_device() or source.is_block_device():
            raise PhotoError("is a device: name a file, or - for the standard input")
        if not source.is_fifo():  # of which every byte can be read but once
            with source.open("rb") as stream:
                _kind(stream.read(256))


def write_beside(data: bytes, destination: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a file of another kind that goes with a photograph, whole or not at all.

    Raises:
        PhotoError: as for ``write``.
    """
    path = Path(destination)
    check_place(path, overwrite=overwrite, photograph=False)
    with _blaming(str(path)), new_file(path, overwrite=overwrite) as stream:
        stream.write(data)


def check_place(destination: str | os.PathLike[str], *, overwrite: bool, photograph: bool = True) -> None:
    """Tell now, not after the work, that nothing can be written there; between now and then, ``write`` makes sure.

    Args:
        destination: the file.
        overwrite: whether an existing one may be replaced.
        photograph: whether its extension is to name a format.

    Raises:
        PhotoError: a folder, a device, a name that is taken, an unknown extension, no folder to write in.
    """
    path = Path(destination)
    with _blaming(str(path)):
        if path.is_dir():
            raise PhotoError(_CURES[errno.EISDIR])
        if path.exists() and not path.is_file():
            raise PhotoError("is no regular file but a device or a pipe: name a file, or - for the standard output")
        if path.exists() and not overwrite:
            raise PhotoError(_CURES[errno.EEXIST])
        if not path.parent.is_dir():
            raise PhotoError(f"there is no folder {path.parent}: create it first")
    if photograph:
        format_of(path)


def _kind(data: bytes) -> str:
    """The format, from the first bytes of a file."""
    if not data:
        raise PhotoError("is empty: get a whole copy of the file")
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(png.SIGNATURE):
        return "PNG"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = {data[i : i + 4] for i in range(8, min(int.from_bytes(data[:4], "big"), 256), 4)}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}:
            return "HEIF"
    raise PhotoError("is no JPEG, PNG, TIFF, WebP, HEIF or AVIF: convert it to one of these")


def _photo(decoded: Decoded, kind: str, name: str) -> Photo:
    stored = exif.orientation(decoded.metadata.exif)
    orientation = 1 if decoded.upright else stored
    luma = upright(decoded.luma, orientation)
    alpha = None if decoded.alpha is None else upright(decoded.alpha, orientation)
    height, width = luma.shape
    metadata = _made_true(decoded, width, height, turned=orientation >= 5, moved=stored != 1)
    return Photo(luma, alpha, kind, metadata, decoded.lossless, name)


def _made_true(decoded: Decoded, width: int, height: int, *, turned: bool, moved: bool) -> Metadata:
    """Metadata of the upright picture in colour: what told of the old file's pixels is corrected or gone.

    Args:
        turned: rows have become columns.
        moved: the picture was turned or mirrored, here or by its decoder.
    """
    metadata = decoded.metadata
    profile = None if decoded.srgb else icc.for_rgb(metadata.icc)
    block, xmp, density = metadata.exif, metadata.xmp, metadata.density
    if block is not None:
        block = exif.tidy(block, width, height, turned=turned, moved=moved, srgb=decoded.srgb)
    if xmp is not None:
        packet = Packet(xmp)
        make_true(packet, width, height, moved=moved, srgb=decoded.srgb, new_profile=profile != metadata.icc)
        xmp = packet.to_bytes()
    if density is not None and turned:
        density = Density(density.y, density.x, density.unit)
    return replace(metadata, exif=block, xmp=xmp, icc=profile, density=density)


def _check(photo: Photo, cb: np.ndarray, cr: np.ndarray, coding: _Coding) -> None:
    if coding.format not in EXTENSIONS:
        raise OptionError(f"format is {coding.format!r}: choose one of {', '.join(EXTENSIONS)}")
    if not 1 <= coding.quality <= 100:
        raise OptionError(f"quality is {coding.quality}: give a number from 1 to 100")
    step = chroma_subsampling(coding.format)
    expected = tuple(-(-side // step) for side in photo.luma.shape)
    for name, plane in (("cb", cb), ("cr", cr)):
        if plane.shape != expected or plane.dtype != photo.luma.dtype:
            wanted = f"{expected} {photo.luma.dtype}"
            raise ValueError(f"{name} is {plane.shape} {plane.dtype}: {coding.format} wants {wanted}")


def _encode(stream: BinaryIO, photo: Photo, cb: np.ndarray, cr: np.ndarray, coding: _Coding) -> None:
    format, quality = coding.format, coding.quality
    metadata = _metadata_for(photo, format, coding.model)
    planes = Planes(photo.luma, cb, cr, photo.alpha)
    if format not in _DEEP:
        alpha = None if photo.alpha is None else at_8_bits(photo.alpha)
        planes = Planes(at_8_bits(photo.luma), at_8_bits(cb), at_8_bits(cr), alpha)
    if format == "JPEG":
        if planes.alpha is not None and planes.alpha.min() < 255:
            raise PhotoError("has transparency, which JPEG cannot hold: write PNG, TIFF or WebP")
        jpeg.write(stream, planes, metadata, quality)
    elif format == "PNG":
        png.write(stream, planes, metadata)
    elif format == "TIFF":
        tiff.write(stream, planes, metadata)
    elif format == "WEBP":
        webp.write(stream, colour_image(planes), metadata, quality, lossless=photo.lossless)
    elif format == "HEIF":
        heif.write_heif(stream, colour_image(planes), metadata, quality)
    else:
        heif.write_avif(stream, colour_image(planes), metadata, quality)


def _metadata_for(photo: Photo, format: str, model: str) -> Metadata:
    """The photograph's metadata as this format can hold it, and the label."""
    metadata = photo.metadata
    packet = Packet(metadata.xmp)
    if format != photo.format:
        metadata = replace(metadata, native=())
        if metadata.texts:
            packet.set("photochrom:Remarks", metadata.texts, "Bag")
    if metadata.iptc and format in _NO_IPTC:
        photoshop.iptc_to_xmp(metadata.iptc, packet)
    elif metadata.iptc:  # readers ask XMP first: the label alone would hide the instructions that stand only here
        photoshop.iptc_to_xmp(metadata.iptc, packet, (photoshop.INSTRUCTIONS,))
    density = metadata.density if format in _NO_IPTC else None
    if density and not metadata.exif:
        metadata = replace(metadata, exif=exif.from_density(density))
    elif density and exif.density(metadata.exif) is None:  # a block cannot grow
        packet.set("tiff:XResolution", ["{}/{}".format(*density.x.as_integer_ratio())])
        packet.set("tiff:YResolution", ["{}/{}".format(*density.y.as_integer_ratio())])
        packet.set("tiff:ResolutionUnit", [str(density.unit)])
    label(packet, model)
    return replace(metadata, xmp=packet.to_bytes())


@contextmanager
def _damage_told() -> Iterator[None]:
    """Decoders fed with damaged files raise anything at all: SyntaxError, KeyError, cv2.error."""
    try:
        yield
    except (PhotoError, MemoryError):
        raise
    except Exception as exc:
        raise PhotoError(f"is damaged or of an unknown kind ({_one_line(exc)}): get a whole copy of the file") from exc


@contextmanager
def _encoder_told() -> Iterator[None]:
    """Encoders say ValueError (libwebp, libavif), RuntimeError (libheif) or SyntaxError (Pillow, of EXIF in AVIF)."""
    try:
        yield
    except (ValueError, RuntimeError, SyntaxError) as exc:
        raise PhotoError(f"cannot be encoded ({_one_line(exc)}): write another format") from exc


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Put the file's name before every message, and turn what the system says into what to do."""
    try:
        yield
    except PhotoError as exc:
        raise PhotoError(f"{name}: {exc}") from exc.__cause__
    except MemoryError as exc:
        raise PhotoError(f"{name}: {TOO_LARGE}") from exc
    except OSError as exc:
        cure = _CURES.get(exc.errno or 0, f"cannot be read or written ({_one_line(exc)})")
        raise PhotoError(f"{name}: {cure}") from exc


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__
