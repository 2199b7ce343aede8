"""Writes coloured photographs: encodes luma, chroma and metadata, and writes the file atomically.

The luma is never altered: the luma recomputed from a lossless output equals the source's (docs/photographs.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..atomic import new_file
from ..color.bands import at_8_bits
from ..colorizer.options import DEFAULT_QUALITY
from ..errors import OptionError, PhotoError
from .formats import heif, jpeg, png, tiff_writer, webp
from .formats.image import Metadata, Planes, color_pixels, obstacle
from .library_errors import encoding, naming
from .metadata import metadata_for
from .names import EXTENSIONS, check_destination, sidecar_path
from .options import JpegLayout, OutputOptions
from .read import Photo
from .signing import signed


def chroma_sampling(photo: Photo, format: str, layout: JpegLayout = "scan") -> tuple[int, int]:
    """Return how many rows and columns of luma share one sample of the chroma that ``encode_photo`` takes.

    They are 1 and 1 for HEIF and AVIF, whose encoders may then subsample.

    Args:
        photo: The photograph.
        format: Format of the output, a key of ``EXTENSIONS``.
        layout: Layout of a JPEG whose luma is kept; see ``OutputOptions.jpeg_layout``.
    """
    if format == "JPEG":
        return jpeg.subsampling(photo.coded_luma, layout)
    if format == "WEBP" and not photo.lossless:
        return 2, 2  # subsampling in the file, although the encoder's input is RGB
    return 1, 1


def check_picture(photo: Photo, format: str) -> None:
    """Check that a format can hold a photograph.

    Args:
        photo: The photograph.
        format: Format of the output, a key of ``EXTENSIONS``.

    Raises:
        PhotoError: It cannot; the message names formats that can.
    """
    if format in ("PNG", "TIFF"):  # which hold every picture
        return
    transparent = photo.alpha is not None and at_8_bits(photo.alpha).min() < 255
    if problem := obstacle(format, photo.shape, transparent=transparent):
        usual = ("JPEG", "PNG", "TIFF", "WebP")
        names = [name for name in usual if not obstacle(name.upper(), photo.shape, transparent=transparent)]
        raise PhotoError(problem, remedy=f"write {', '.join(names[:-1])} or {names[-1]}")


def encode_photo(
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    *,
    format: str,
    credit: str | None,
    quality: int = DEFAULT_QUALITY,
    layout: JpegLayout = "scan",
    compression: str = "deflate",
) -> bytes:
    """Encode a coloured photograph as the bytes of a file.

    Args:
        photo: The photograph.
        cb: Cb ``[ceil(H / rows), ceil(W / columns)]`` of luma's dtype, in gamut, neutral at 128 or 32768.
            ``chroma_sampling(photo, format, layout)`` returns rows and columns.
        cr: Cr, of the same shape and dtype.
        format: A key of ``EXTENSIONS``. PNG and TIFF keep 16 bits; for other formats, samples are rounded to 8 bits.
        credit: Sources of the colours, for the label in the metadata (see ``colorizer.hints.credit``); None to write
            no label.
        quality: 1 to 100, for JPEG, HEIF, AVIF and lossy WebP. A photograph read from a lossless WebP is written to
            WebP losslessly.
        layout: Layout of a JPEG whose luma is kept; see ``OutputOptions.jpeg_layout``.
        compression: Lossless compression of TIFF files: ``none``, ``lzw``, ``deflate`` or ``zstd``.

    Raises:
        PhotoError: The format cannot store this photograph; the message suggests another format.
        OptionError: ``quality`` is out of range; ``format``, ``layout`` or ``compression`` is unknown; or ``layout``
            needs a library that is not installed.
        ValueError: ``cb`` or ``cr`` has another shape or dtype, or ``photo`` is reduced and ``format`` is not JPEG.
    """
    output = OutputOptions(quality, compression=compression, jpeg_layout=layout)
    stream = BytesIO()
    _Colored(photo, cb, cr, format, credit, output).write(stream, photo.name)
    return stream.getvalue()


def write_output(
    photo: Photo,
    cb: np.ndarray,
    cr: np.ndarray,
    destination: Path | BinaryIO,
    format: str,
    credit: str,
    output: OutputOptions,
) -> tuple[Path, ...]:
    """Write a coloured photograph, signed if requested, and its sidecar; return the paths of these files.

    Args:
        photo: The photograph.
        cb: As for ``encode_photo``.
        cr: As for ``encode_photo``.
        destination: The file to write; or an open binary file, which gets no sidecar.
        format: Format of the output, a key of ``EXTENSIONS``.
        credit: Sources of the colours, for the label; it is in the sidecar if there is one.
        output: How to write.

    Raises:
        PhotoError: The format cannot store this photograph, or a file cannot be written.
        PhotochromError: The output cannot be signed.
        OSError: The open file cannot be written.
    """
    colored = _Colored(photo, cb, cr, format, credit if has_no_sidecar(destination, output) else None, output)
    is_direct = isinstance(destination, Path) and output.c2pa is None
    name = str(destination) if is_direct else photo.name

    def write(stream: BinaryIO) -> tuple[Photo, str]:
        colored.write(stream, name)
        return photo, credit

    return publish(write, destination, format, output)


def has_no_sidecar(destination: Path | BinaryIO, output: OutputOptions) -> bool:
    """Return whether an output has no sidecar, so that its label is in the file itself."""
    return not (output.sidecar and isinstance(destination, Path))


def publish(
    write: Callable[[BinaryIO], tuple[Photo, str]], destination: Path | BinaryIO, format: str, output: OutputOptions
) -> tuple[Path, ...]:
    """Write an output, signed if requested, and its sidecar; return the paths of these files.

    Nothing is left at either path if an error is raised.

    Args:
        write: Writes the encoded output. It returns the photograph, of several pages the first one, and the sources of
            the colours for the label (see ``colorizer.hints.credit``).
        destination: The file to write; or an open binary file, which gets no sidecar.
        format: Format of the output, a key of ``EXTENSIONS``.
        output: How to write.

    Raises:
        PhotoError: A file cannot be written.
        PhotochromError: The output cannot be signed.
        OSError: The open file cannot be written.
    """
    path = destination if isinstance(destination, Path) else None
    sidecar = None if path is None or has_no_sidecar(path, output) else sidecar_path(path)

    def write_label(photo: Photo, credit: str) -> None:
        if sidecar is not None:
            metadata = metadata_for(photo.metadata, source_format=photo.format, format=format, credit=credit)
            write_data(metadata.xmp or b"", sidecar, overwrite=output.overwrite)

    if path is not None and output.c2pa is None:
        check_destination(path, overwrite=output.overwrite)
        with _naming_output(path), new_file(path, overwrite=output.overwrite) as file:
            write_label(*write(file))
    else:
        whole = BytesIO()
        photo, credit = write(whole)
        data = whole.getvalue()
        if output.c2pa is not None:
            data = signed(data, photo, path, format, output.c2pa, credit)
        write_data(data, destination, overwrite=output.overwrite, before=lambda: write_label(photo, credit))
    return tuple(file for file in (path, sidecar) if file is not None)


@contextmanager
def _naming_output(path: Path) -> Iterator[None]:
    """Translate system errors in the block to errors that name the output; other errors name their file already.

    Raises:
        PhotoError: The block raised ``OSError``.
    """
    try:
        yield
    except OSError as exc:
        with naming(str(path)):
            raise exc


def write_data(
    data: bytes, destination: Path | BinaryIO, *, overwrite: bool = False, before: Callable[[], None] = lambda: None
) -> None:
    """Write a whole file, atomically if ``destination`` is a path and not an open file.

    Args:
        data: Content of the file.
        destination: The file.
        overwrite: Whether an existing file is replaced.
        before: Writes what must exist before the path does; its errors are raised, and nothing is left at the path.

    Raises:
        PhotoError: The path cannot be written, or exists and ``overwrite`` is not set.
        OSError: The open file cannot be written.
    """
    if not isinstance(destination, Path):
        destination.write(data)
        return
    check_destination(destination, overwrite=overwrite)
    with naming(str(destination)), new_file(destination, overwrite=overwrite) as stream:
        stream.write(data)
        before()


@dataclass(frozen=True, eq=False)
class _Colored:
    """A coloured photograph, and how it is encoded. For the fields and errors, see ``encode_photo``."""

    photo: Photo
    cb: np.ndarray
    cr: np.ndarray
    format: str
    credit: str | None
    output: OutputOptions

    def __post_init__(self) -> None:
        photo, format = self.photo, self.format
        if format not in EXTENSIONS:
            raise OptionError(f"format is {format!r}", remedy=f"choose one of {', '.join(EXTENSIONS)}")
        if photo.reduced and format != "JPEG":
            raise ValueError(f"the luma was read at half its size: read the photograph again to write {format}")
        steps = chroma_sampling(photo, format, self.output.jpeg_layout)
        expected = tuple(-(-side // step) for side, step in zip(photo.shape, steps, strict=True))
        if format == "WEBP" and self.cb.shape == photo.shape:
            expected = photo.shape
        for name, plane in (("cb", self.cb), ("cr", self.cr)):
            if plane.shape != expected or plane.dtype != photo.luma.dtype:
                wanted = f"{expected} {photo.luma.dtype}"
                raise ValueError(f"{name} is {plane.shape} {plane.dtype}: {format} needs {wanted}")

    def write(self, stream: BinaryIO, name: str) -> None:
        """Encode the photograph; errors name the file ``name``."""
        with naming(name), encoding():
            self._encode(stream)

    def _encode(self, stream: BinaryIO) -> None:
        photo, format, output = self.photo, self.format, self.output
        check_picture(photo, format)
        metadata = metadata_for(photo.metadata, source_format=photo.format, format=format, credit=self.credit)
        planes = Planes(photo.luma, self.cb, self.cr, photo.alpha)
        if format == "TIFF":
            planes = replace(planes, extra=photo.extra)
            tiff_writer.write(stream, planes, metadata, output.compression, photo.masks)
            return
        if format == "PNG":
            png.write(stream, planes, metadata)
            return
        alpha = None if photo.alpha is None else at_8_bits(photo.alpha)
        planes = Planes(at_8_bits(photo.luma), at_8_bits(self.cb), at_8_bits(self.cr), alpha)
        if format == "JPEG":
            jpeg.write(stream, planes, metadata, output.quality, photo.coded_luma, output.jpeg_layout)
        else:
            _encode_image(stream, planes, metadata, format, output, lossless=photo.lossless)


def _encode_image(
    stream: BinaryIO, planes: Planes, metadata: Metadata, format: str, output: OutputOptions, *, lossless: bool
) -> None:
    """Encode HEIF, AVIF or WebP, whose encoders accept only RGB."""
    if format == "HEIF":
        tiled = output.c2pa is None  # c2pa 0.38 corrupts the iloc of a HEIC in tiles
        heif.write_heif(stream, _pixels(planes), metadata, output.quality, tiled=tiled)
        return
    image = Image.fromarray(_pixels(planes))  # the only copy that is kept while the encoder works
    if format == "WEBP":
        webp.write(stream, image, metadata, output.quality, lossless=lossless)
    else:
        heif.write_avif(stream, image, metadata, output.quality)


def _pixels(planes: Planes) -> np.ndarray:
    """Return RGB or RGBA pixels of planes, whose chroma may have half the size of the luma."""
    return color_pixels(replace(planes, cb=_at_full_size(planes.cb, planes), cr=_at_full_size(planes.cr, planes)))


def _at_full_size(plane: np.ndarray, planes: Planes) -> np.ndarray:
    """Enlarge chroma to the size of luma by repeating each sample.

    An encoder that subsamples by averaging then gets the original samples back.
    """
    height, width = planes.luma.shape
    if plane.shape == (height, width):
        return plane
    import cv2

    doubled = cv2.resize(plane, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return doubled[:height, :width]
