"""Defines what all formats share: types for metadata, planes and decoded pixels, and conversions of pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ...color.bands import bands, strips
from ...color.gamut import rgb_of_luma
from ...color.spaces import luma_of_rgb
from ...errors import WHOLE_COPY, PhotoError

if TYPE_CHECKING:
    from PIL import Image

    from .jpeg_coefficients import CodedLuma

NO_UNIT: Final = 1
PER_INCH: Final = 2
PER_CM: Final = 3
C2PA_LOST: Final = "its content credentials (C2PA) are not kept: they sign the grey picture"
GAIN_MAP_LOST: Final = "its gain map is not kept: the output is an SDR picture"
HDR_REFUSED: Final = "is an HDR picture ({}), which would come out too dark"
TO_SDR: Final = "convert it to SDR first"
HDR_TRANSFERS: Final = {16: "PQ", 18: "HLG"}  # code points of ITU-T H.273
WEBP_LIMIT: Final = "has more pixels than Pillow reads from a WebP"
TO_ANOTHER: Final = "convert it to PNG or TIFF"
MAX_PIXELS: Final = 500_000_000  # of a picture; a plate of 40 x 50 cm at 2,800 dpi has 240 million

LONGEST_SIDES: Final = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 32_768, "HEIF": 256 * 1024}
"""Longest side, in pixels, of pictures in formats that cannot hold every size: limits of libjpeg and WebP, of what
libavif reads, and of a HEIC in tiles. PNG and TIFF hold every picture that can be read (``MAX_PIXELS``)."""
AVIF_PIXELS: Final = 16_384 * 16_384
"""Most pixels of a picture that libavif reads."""


@dataclass(frozen=True)
class Density:
    """Resolution: pixels per inch or centimetre along x and y; without a unit, only their ratio has a meaning."""

    x: Fraction
    y: Fraction
    unit: int
    """``NO_UNIT``, ``PER_INCH`` or ``PER_CM``."""

    def per_inch(self) -> tuple[Fraction, Fraction] | None:
        """Return the pixels per inch along x and y, or None if there is no unit."""
        if self.unit == NO_UNIT:
            return None
        factor = Fraction(254, 100) if self.unit == PER_CM else Fraction(1)
        return self.x * factor, self.y * factor


@dataclass(frozen=True)
class Metadata:
    """Metadata of a photograph; blocks of bytes are as stored in the file."""

    exif: bytes | None = None
    """EXIF: a TIFF structure, without the prefix "Exif\\0\\0" that it has in JPEG."""
    xmp: bytes | None = None
    """XMP: a packet in XML."""
    iptc: bytes | None = None
    """IPTC: the data sets of IIM."""
    photoshop: bytes | None = None
    """Photoshop resources ("8BIM") other than IPTC and thumbnails."""
    icc: bytes | None = None
    """ICC profile."""
    density: Density | None = None
    """Resolution."""
    native: tuple[tuple[bytes, bytes], ...] = ()
    """Name and payload of PNG chunks and JPEG comments, for an output of the same format."""
    texts: tuple[str, ...] = ()
    """The remarks of ``native`` as lines of text, for an output of another format."""


@dataclass(frozen=True, eq=False)
class Planes:
    """A coloured picture as Y'CbCr planes, all uint8 or all uint16."""

    luma: np.ndarray
    """Luma, ``[H, W]``."""
    cb: np.ndarray
    """Cb, ``[H, W]``, or smaller if the format subsamples chroma."""
    cr: np.ndarray
    """Cr, of the same shape."""
    alpha: np.ndarray | None = None
    """Alpha channel, ``[H, W]``; None for an opaque picture."""
    extra: np.ndarray | None = None
    """Further channels, ``[H, W, channels]``, which only TIFF can store."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded file. Its pixels have the stored orientation, unless ``upright`` is set."""

    luma: np.ndarray
    """Luma, uint8 or uint16 ``[H, W]``."""
    alpha: np.ndarray | None
    """Alpha channel, ``[H, W]`` of the same dtype, not premultiplied; None for an opaque picture."""
    metadata: Metadata
    """Metadata as stored."""
    lossless: bool = False
    """Whether the file is a lossless WebP."""
    upright: bool = False
    """Whether the decoder has already applied the EXIF orientation."""
    linear: bool = False
    """Whether the luma is proportional to light."""
    srgb: bool = False
    """Whether the pixels were CMYK and were converted to sRGB."""
    warnings: tuple[str, ...] = ()
    """Warnings about damage, and about content that no output keeps."""
    coded_luma: CodedLuma | None = None
    """Coded luma of a JPEG, which a JPEG output can keep. It has the full size even if ``luma`` has half of it."""
    recoded: str = ""
    """Why the coded luma of a JPEG cannot be kept; empty otherwise."""
    extra: np.ndarray | None = None
    """Further channels of a TIFF (infrared, masks), ``[H, W, channels]`` of luma's dtype."""
    masks: tuple[bytes, ...] = ()
    """Pages of a TIFF that are masks or infrared, each as a file of its own."""


_most_pixels: ContextVar[int] = ContextVar("most_pixels", default=MAX_PIXELS)


@contextmanager
def at_most(pixels: int) -> Iterator[None]:
    """Make ``check_size`` refuse pictures of more than ``pixels`` pixels, in the block and in this thread only.

    A limit above ``MAX_PIXELS`` has no effect.
    """
    token = _most_pixels.set(min(pixels, MAX_PIXELS))
    try:
        yield
    finally:
        _most_pixels.reset(token)


def obstacle(format: str, shape: tuple[int, int], *, transparent: bool) -> str:
    """Return why a format, a key of ``names.EXTENSIONS``, cannot hold a picture of this shape; empty if it can."""
    if format == "JPEG" and transparent:
        return "has transparency, which JPEG cannot hold"
    if max(shape) > (longest := LONGEST_SIDES.get(format, MAX_PIXELS)):
        return f"is longer than {'WebP' if format == 'WEBP' else format} can hold ({longest:,} pixels)"
    if format == "AVIF" and shape[0] * shape[1] > AVIF_PIXELS:
        return f"has more pixels than AVIF can hold ({AVIF_PIXELS:,})"
    return ""


def check_one(count: int, problem: str) -> None:
    """Check that a file has one picture only.

    Args:
        count: Number of pictures in the file.
        problem: Message for several pictures, such as "holds 2 pictures".

    Raises:
        PhotoError: There are more.
    """
    if count > 1:
        raise PhotoError(problem, remedy="save the one you want as a file of its own")


def check_size(width: int, height: int) -> None:
    """Check that a picture of this size is not too large to be decoded.

    Raises:
        PhotoError: The picture has no pixels, or more than ``MAX_PIXELS`` or ``at_most`` allow.
    """
    # Pillow's own limit (89 million pixels) is meant for web servers, is global to the process, and is applied by
    # ``Image.open``. Therefore all formats use their Pillow plugin directly, and ``open_image`` replaces that function.
    if width < 1 or height < 1:
        raise PhotoError(f"is {width} x {height} pixels", remedy=WHOLE_COPY)
    if width * height > (limit := _most_pixels.get()):
        raise PhotoError(
            f"is {width} x {height} pixels, more than {limit / 10**6:g} million",
            remedy="scale it down or cut it into parts",
        )


def open_image(source: Path | bytes, formats: Iterable[str] = ()) -> Image.Image:
    """Open a picture as ``PIL.Image.open`` does, but without its limit of 179 million pixels, except for WebP.

    Its XMP is left out.

    Args:
        source: Path of the picture, or its bytes.
        formats: Pillow's names of the formats to try; empty for all.

    Raises:
        PhotoError: The picture is a WebP of more pixels.
        OSError, ValueError, SyntaxError: The picture is damaged, of another format, or cannot be read.
    """
    from PIL import Image, UnidentifiedImageError

    Image.init()
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
        start = stream.read(16)
    for name in formats or Image.ID:
        factory, accept = Image.OPEN[name]
        try:
            accepted = accept is None or accept(start)
            if accepted and not isinstance(accepted, str):  # a text says what is missing for the format
                image = factory(BytesIO(source) if isinstance(source, bytes) else source, "")  # type: ignore[arg-type]
                image.info.pop("xmp", None)  # by whose orientation Pillow would turn a TIFF
                return image
        except Image.DecompressionBombError as exc:
            raise PhotoError(WEBP_LIMIT, remedy=TO_ANOTHER) from exc
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue  # as Pillow does: another format may fit
    raise UnidentifiedImageError("is not a picture of a known format")


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """Compute the luma ``[H, W]`` of R'G'B' ``[H, W, 3]``, uint8 or uint16, as ``luma_of_rgb`` does, but in strips."""
    luma = np.empty(rgb.shape[:2], rgb.dtype)
    for start, stop in strips(*luma.shape):
        luma[start:stop] = luma_of_rgb(rgb[start:stop])
    return luma


def unpremultiplied(plane: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divide a plane by alpha, both uint8 or both uint16 ``[H, W]``. Fully transparent pixels are not changed."""
    result, top = plane.copy(), int(np.iinfo(plane.dtype).max)
    for start, stop in strips(*plane.shape):
        part, opacity = (whole[start:stop].astype(np.uint32) for whole in (plane, alpha))
        divisor = np.maximum(opacity, 1)
        # uint32 is enough: 65535 * 65535 + 32767 < 2**32.
        divided = np.minimum((part * top + divisor // 2) // divisor, top)
        result[start:stop] = np.where(opacity == 0, part, divided)
    return result


def by_opencv(data: bytes | bytearray) -> np.ndarray | None:
    """Decode a PNG or TIFF, uint8 or uint16 ``[H, W]`` or ``[H, W, samples]`` with B first; None if OpenCV fails."""
    import cv2

    # OpenCV would print messages about damage, which raises a PhotoError here, and about private tags, which are
    # harmless. The log level is global to the process; it is not restored because other threads may be decoding.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return stored if stored is not None and stored.dtype in (np.uint8, np.uint16) else None


def color_rows(planes: Planes, rows: range) -> np.ndarray:
    """Convert some rows of planes to R'G'B', alpha and further channels ``[len(rows), W, 3 or more]``.

    Chroma must not be subsampled. The result has the dtype of luma.
    """
    part = slice(rows.start, rows.stop)
    rgb = rgb_of_luma(planes.luma[part], planes.cb[part], planes.cr[part])
    others = [plane[part] for plane in (planes.alpha, planes.extra) if plane is not None]
    return np.dstack([rgb, *others]) if others else rgb


def decoded_text(data: bytes) -> str:
    """Decode text that does not state its encoding, or not reliably: UTF-8 if it is that, otherwise Windows-1252."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def extra_channels(count: int) -> str:
    """Return subject and verb of a warning about ``count`` channels that are neither colour nor alpha."""
    if count > 1:
        return f"its {count} extra channels are"
    return "its extra channel (infrared, as film scanners store it, or a mask) is"


def color_pixels(planes: Planes) -> np.ndarray:
    """Convert planes, uint8 ``[H, W]`` each, to RGB or RGBA, uint8 ``[H, W, samples]``."""
    height, width = planes.luma.shape
    samples = 3 if planes.alpha is None else 4
    whole = np.empty((height, width, samples), np.uint8)
    for rows in bands(height, width * samples):
        whole[rows.start : rows.stop] = color_rows(planes, rows)
    return whole
