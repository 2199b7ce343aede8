"""Reads photographs: decodes the luma, turns it upright, and updates the metadata.

Luma is Y' (BT.601, full range, as in JPEG). The luma of a JPEG is its own Y plane; for other formats, luma is computed
from R'G'B' once and rounded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np

from ..color.bands import upright
from ..color.tones import HALFTONE, LINEAR, NEGATIVE, ORDINARY, Tones
from ..errors import PhotoError
from .formats import exif, heif, jpeg, png, tiff, webp
from .formats.image import MAX_PIXELS, Decoded, Metadata, at_most
from .formats.jpeg_coefficients import CodedLuma, upright_luma
from .formats.splice import CannotSplice
from .formats.tiff_pages import Pages
from .inspection import format_of_data
from .library_errors import THE_PICTURE, decoding, naming
from .metadata import update_for_output
from .sidecars import adopted, read_sidecar

PictureKind = Literal["ordinary", "negative", "linear", "halftone"]
"""Kinds of luma: ordinary, inverted, proportional to light, and with no other tones than black and white."""
NO_TONES: Final = "every pixel is black or white, so none can hold colour: scan it in grey; the output has 8 bits"
_TONES: Final = {"ordinary": ORDINARY, "negative": NEGATIVE, "linear": LINEAR, "halftone": HALFTONE}
_SAMPLED_ROWS: Final = 64  # rows that are first searched for tones between black and white
_READERS: Final = {
    "PNG": png.read,
    "WEBP": webp.read,
    "HEIF": heif.read_heif,
    "AVIF": heif.read_avif,
}


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photograph in memory, as ``read_photo`` returns it."""

    luma: np.ndarray
    """Luma, uint8 or uint16 ``[H, W]``, which is written unchanged, unless an output keeps ``coded_luma`` instead. If
    there is ``coded_luma``, the array is read-only; ``with_luma`` replaces both."""
    alpha: np.ndarray | None
    """Alpha channel, ``[H, W]`` of the same dtype, not premultiplied; None for an opaque picture."""
    format: str
    """Format of the source, a key of ``EXTENSIONS``."""
    metadata: Metadata
    """Metadata, already updated for the upright, coloured picture."""
    lossless: bool = False
    """Whether the source is a lossless WebP."""
    name: str = THE_PICTURE
    """Path of the photograph, or another name for error messages."""
    kind: PictureKind = "ordinary"
    """How the luma differs from the luma of the scene, from which the network predicts colours."""
    warnings: tuple[str, ...] = ()
    """Warnings about damage, and about content that no output keeps, such as a gain map."""
    coded_luma: CodedLuma | None = None
    """Luma of a JPEG as it is coded in the source, which a JPEG output keeps; None if there is none. ``luma`` is then
    decoded from it, perhaps at half the height and width, rounded up."""
    recoded: str = ""
    """Why the coded luma of a JPEG cannot be kept; empty for other formats."""
    extra: np.ndarray | None = None
    """Further channels of a TIFF (infrared, masks), upright, ``[H, W, channels]`` of luma's dtype; a TIFF output keeps
    them."""
    masks: tuple[bytes, ...] = ()
    """Pages of a TIFF that are masks or infrared, each as a file of its own. A TIFF output keeps them unchanged."""
    page: int = 1
    """Number of the page in ``origin``."""
    origin: Path | bytes | None = None
    """Path of the source, or its bytes if there is no path from which it can be read again."""

    def __post_init__(self) -> None:
        """Check that ``luma`` is not another one than ``coded_luma``, which a JPEG would get in its place.

        Raises:
            ValueError: It can be changed, or has another size.
        """
        if (coded := self.coded_luma) is not None:
            whole, half = (coded.height, coded.width), (-(-coded.height // 2), -(-coded.width // 2))
            if self.luma.flags.writeable or self.luma.shape not in (whole, half):
                raise ValueError("a JPEG would keep the coded luma in place of this luma; replace it by with_luma")

    def with_luma(self, luma: np.ndarray) -> Photo:
        """Return the photograph with another luma, uint8 or uint16 ``[H, W]``, which every output gets."""
        return replace(self, luma=luma, coded_luma=None)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole picture in pixels, even if ``luma`` is reduced."""
        height, width = self.luma.shape
        return (height, width) if (kept := self.coded_luma) is None else (kept.height, kept.width)

    @property
    def reduced(self) -> bool:
        """Whether ``luma`` has half the picture's height and width, so that only a JPEG with ``coded_luma`` can be
        written."""
        return self.luma.shape != self.shape

    @property
    def scene(self) -> np.ndarray:
        """Luma of the scene, from which the network predicts colours: ``luma``, converted if its kind is unusual."""
        return self.tones.scene(self.luma)

    @property
    def tones(self) -> Tones:
        """Conversions between ``luma`` and ``scene``, with which ``Colorizer.chroma`` computes chroma for ``luma``."""
        return _TONES[self.kind]


def read_photo(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    max_pixels: int = MAX_PIXELS,
    negative: bool = False,
    may_reduce: bool = False,
    page: int | None = None,
) -> Photo:
    """Read a photograph from a path, from bytes, or from an open binary file.

    Captions and rights are copied from an XMP sidecar beside the path (``old.jpg.xmp`` or ``old.xmp``).

    Args:
        source: The photograph; an open file is read to its end, and not closed.
        max_pixels: Maximum number of pixels; a larger picture raises an error before it is decoded. A value above
            ``MAX_PIXELS`` has no effect.
        negative: Whether the photograph is a negative; the network then gets it inverted.
        may_reduce: Whether the photograph will be written as a JPEG, so that a large grey JPEG may be read at half size
            (see ``Photo.reduced``).
        page: Page of a TIFF, from 1; None if the file has only one page.

    Raises:
        PhotoError: The photograph cannot be read completely and correctly, has several pages and ``page`` is None, or
            has no such page. The message names the file and the remedy.
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else THE_PICTURE
    with naming(name):
        data = _bytes_of(source)
        format = format_of_data(data)
        if page not in (None, 1) and format != "TIFF":
            raise PhotoError(f"has a single page, and no page {page}", remedy="leave the page out")
        with decoding(), at_most(max_pixels):
            if format == "JPEG":
                decoded = jpeg.read(data, may_reduce=may_reduce)
            elif format == "TIFF":
                decoded = tiff.read(data, page)
            else:
                decoded = _READERS[format](data)
    sidecar = read_sidecar(Path(source)) if isinstance(source, str | os.PathLike) else None
    with naming(name):
        photo = _upright_photo(adopted(decoded, sidecar), format, name)
    can_be_read_again = isinstance(source, str | os.PathLike) and Path(source).is_file()
    photo = replace(photo, page=page or 1, origin=Path(name) if can_be_read_again else data)
    return replace(photo, kind="negative") if negative else photo


def read_page(
    data: bytes,
    pages: Pages,
    number: int,
    name: str,
    *,
    negative: bool = False,
    sidecar: tuple[str, bytes] | None = None,
) -> Photo:
    """Read one page of a TIFF, as ``read_photo`` does, but without its masks.

    Args:
        data: The whole file.
        pages: The pages of the file.
        number: The page, from 1.
        name: Path of the photograph, or another name for error messages.
        negative: As for ``read_photo``.
        sidecar: Result of ``read_sidecar``, whose captions and rights are added.

    Raises:
        PhotoError: The page cannot be read completely and correctly.
    """
    with naming(THE_PICTURE):
        with decoding():
            decoded = tiff.read_page(data, pages, number)
        photo = _upright_photo(adopted(decoded, sidecar), "TIFF", name)
    return replace(photo, kind="negative") if negative else photo


def _bytes_of(source: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    return Path(source).read_bytes() if isinstance(source, str | os.PathLike) else source.read()


def _upright_photo(decoded: Decoded, format: str, name: str) -> Photo:
    """Turn a decoded file upright, with its metadata and its coded luma, and find out its kind."""
    stored = exif.orientation(decoded.metadata.exif)
    orientation = 1 if decoded.upright else stored
    luma = upright(decoded.luma, orientation)
    alpha = None if decoded.alpha is None else upright(decoded.alpha, orientation)
    coded, recoded = _coded_luma(decoded, orientation)
    if coded is not None:
        luma.flags.writeable = False  # its changes would be lost where the coded luma is kept
    height, width = luma.shape if coded is None else (coded.height, coded.width)
    metadata = update_for_output(decoded, width, height, turned=orientation >= 5, moved=stored != 1)
    halftone = luma.shape == (height, width) and is_halftone(luma)  # jpeg.read never reduces a halftone
    kind: PictureKind = "linear" if decoded.linear else "halftone" if halftone else "ordinary"
    warnings = (*decoded.warnings, *([NO_TONES] if kind == "halftone" else []))
    extra = None if decoded.extra is None else upright(decoded.extra, orientation)
    return Photo(
        luma=luma,
        alpha=alpha,
        format=format,
        metadata=metadata,
        lossless=decoded.lossless,
        name=name,
        kind=kind,
        warnings=warnings,
        coded_luma=coded,
        recoded=recoded,
        extra=extra,
        masks=decoded.masks,
    )


def is_halftone(luma: np.ndarray) -> bool:
    """Return whether a luma plane has black and white pixels and no others."""
    if not _is_black_and_white(luma[:: max(1, luma.shape[0] // _SAMPLED_ROWS)]):  # decides most pictures quickly
        return False
    low, high = luma.min(), luma.max()
    return bool(low == 0 and high == np.iinfo(luma.dtype).max and _is_black_and_white(luma))


def _is_black_and_white(luma: np.ndarray) -> bool:
    return bool(((luma == 0) | (luma == np.iinfo(luma.dtype).max)).all())


def _coded_luma(decoded: Decoded, orientation: int) -> tuple[CodedLuma | None, str]:
    """Return the upright picture's coded luma, or None and the reason why it cannot be kept."""
    if decoded.coded_luma is None or orientation == 1:
        return decoded.coded_luma, decoded.recoded
    try:
        return upright_luma(decoded.coded_luma, orientation), ""
    except CannotSplice as exc:
        return None, str(exc)
