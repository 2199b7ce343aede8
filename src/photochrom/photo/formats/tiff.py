"""Reads TIFF pages: 1, 2, 4 or 8 bits in grey, palette, RGB, YCbCr or CMYK; 16 bits in grey or RGB."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Tag
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ...color.bands import bands, in_parallel, small
from ...color.pillow import from_pillow
from ...errors import WHOLE_COPY, PhotoError
from . import damage, exif, jpeg, photoshop, tiff_cut, tiff_repair
from .deflate import is_complete
from .exif import Entry, Tiff
from .icc import cmyk_to_srgb, linear_rgb
from .image import C2PA_LOST, Decoded, Metadata, by_opencv, check_size, extra_channels, luma_of, unpremultiplied
from .tiff_pages import DEVELOP, LOOP_LOST, RAW, Pages

_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _CMYK, _YCBCR, _CFA, _LINEAR_RAW = 0, 1, 2, 3, 5, 6, 32803, 34892
_CHANNELS: Final = {
    _MIN_IS_WHITE: 1, _MIN_IS_BLACK: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _LINEAR_RAW: 1
}  # fmt: skip
_GREY_OR_RGB: Final = (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB)
_STRIPS: Final = (Tag.ImageLength, Tag.Compression, Tag.StripOffsets, Tag.RowsPerStrip, Tag.StripByteCounts)
_SLICES, _LAYERS, _C2PA = 32997, 37724, 52545
_NO_ALPHA, _UNSTATED, _PREMULTIPLIED, _ALPHA = -1, 0, 1, 2  # ExtraSamples
_DEFLATE: Final = (8, 32946)
_TIFFFILE_DECODES: Final = (1, *_DEFLATE, 32773)  # none, deflate (two codes) and PackBits, without other libraries
_ZSTD, _JPEG = 50000, 7
_UNREADABLE_16_BITS: Final = "has 16 bits in a compression and an order of samples that cannot be read"
_DEFLATE_IT: Final = "save it again with deflate"
_FAXES: Final = (2, 3, 4)  # Modified Huffman, Group 3 and Group 4


@dataclass(frozen=True)
class _Page:
    """Layout of the pixels of a page."""

    width: int
    height: int
    bits: int
    """Bits per sample."""
    samples: int
    """Samples per pixel."""
    photometric: int
    planar: bool
    compression: int
    alpha: int
    """Kind of alpha: ``_NO_ALPHA``, ``_PREMULTIPLIED`` or ``_ALPHA``."""

    @property
    def extra_count(self) -> int:
        """Number of extra channels, which are neither colour nor alpha."""
        return self.samples - _CHANNELS[self.photometric] - (self.alpha != _NO_ALPHA)


class _PillowDecoder(TiffImageFile):
    """Pillow's TIFF decoder without a size limit and rotation, which Photochrom applies in one way to all formats."""

    def load_prepare(self) -> None:
        """Override Pillow: allocate the image without applying its orientation."""
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        ImageFile.load_prepare(self)

    def load_end(self) -> None:
        """Override Pillow: leave the pixels in the orientation in which they are stored."""


def read(data: bytes, number: int | None = None) -> Decoded:
    """Decode a page of a TIFF file, classic or BigTIFF; previews are ignored.

    Args:
        data: The file.
        number: The page, from 1; None if there must be only one.

    Raises:
        PhotoError: The file is damaged, too large or unsupported, has no such page, or several and ``number`` is None.
        OSError, ValueError, SyntaxError, TypeError, struct.error, zlib.error, cv2.error: The file is damaged.
    """
    pages = Pages(data)
    if number is None:
        pages.check_single()
    decoded = read_page(data, pages, number or 1)
    if pages.count > 1:
        return decoded
    warnings = (*decoded.warnings, LOOP_LOST) if pages.loops else decoded.warnings
    return replace(decoded, masks=pages.mask_files(), warnings=warnings)


def read_page(data: bytes, pages: Pages, number: int) -> Decoded:
    """Decode a page of a TIFF file, counted from 1, without its masks, and without reading other pages.

    Raises:
        PhotoError, OSError, ValueError, SyntaxError, TypeError, struct.error, zlib.error, cv2.error: As for ``read``.
    """
    return _decoded(data, pages.tiff, pages.entries(number), pages.is_first(number))


def color_image(data: bytes, pages: Pages, number: int, side: int) -> Image.Image | None:
    """Return a page, counted from 1, at 8 bits, in its stored orientation; None if it is stored in grey.

    Its longest side has at least ``side`` pixels if the page has. As of an image that Pillow opens, ``getexif()`` has
    its orientation, ``info`` its profile, and it may be decoded later.

    Raises:
        PhotoError, OSError, ValueError, SyntaxError, TypeError, struct.error, zlib.error, cv2.error: As for ``read``.
    """
    tiff, entries = pages.tiff, pages.entries(number)
    page = _page(tiff, entries)
    check_size(page.width, page.height)
    if page.photometric not in (_RGB, _PALETTE, _CMYK, _YCBCR):
        return None
    image = _color_image(data, tiff, entries, page, pages.is_first(number), side)
    image.getexif()[Tag.Orientation] = exif.orientation_of(tiff, entries)
    image.info |= {"icc_profile": exif.find(entries, Tag.InterColorProfile), "xmp": None}  # as by ``open_image``
    return image


def _color_image(data: bytes, tiff: Tiff, entries: list[Entry], page: _Page, is_first: bool, side: int) -> Image.Image:
    if (stream := tiff_repair.old_jpeg(data, tiff, entries)) is not None:
        return JpegImageFile(BytesIO(stream))
    if page.bits == 16 and page.compression == _ZSTD:
        stored, blue_first = _by_bytes(tiff, entries, page), False
    else:
        file = _single_page_file(data, tiff, entries, is_first)
        if _suits_pillow(page):
            return _PillowDecoder(BytesIO(file))
        stored, blue_first = _read_by_others(file, page)
    shown = small(stored, side)
    return Image.fromarray(np.ascontiguousarray(shown[..., 2::-1] if blue_first else shown[..., :3]))


def _decoded(data: bytes, tiff: Tiff, entries: list[Entry], is_first: bool) -> Decoded:
    page = _page(tiff, entries)
    check_size(page.width, page.height)
    icc = exif.find(entries, Tag.InterColorProfile)
    metadata = _metadata(tiff, entries, icc)
    if (stream := tiff_repair.old_jpeg(data, tiff, entries)) is not None:
        photo = jpeg.read(stream)
        return Decoded(photo.luma, None, metadata, warnings=tuple({*damage.WARNINGS} & {*photo.warnings}))
    places, size = _parts(tiff, entries, page)
    damages: tuple[str, ...] = ()
    if page.compression in _DEFLATE and tiff.number(entries, Tag.FillOrder, 1) == 1:  # no program reverses the bits
        _check_deflated(tiff, places, size)
    if page.photometric == _YCBCR and page.compression == 1:
        luma = tiff_repair.ycbcr_luma(tiff, entries, places, page.height, page.width)
        return Decoded(luma, None, metadata, warnings=tuple(_warnings(entries, page, None)))
    if page.bits == 16 and page.compression == _ZSTD:
        planes = _planes_of(_by_bytes(tiff, entries, page), False, page)
    else:
        file = _single_page_file(data, tiff, entries, is_first)
        planes = (
            _read_by_pillow(file, page, icc) if _suits_pillow(page) else _planes_of(*_read_by_others(file, page), page)
        )
        if page.compression in _FAXES and page.bits == page.samples == 1:
            plain = tiff_repair.plain_fax(file)
            damages = damage.in_fax(plain, planes.luma if plain is file else _read_by_pillow(plain, page, None).luma)
        if page.compression == _JPEG:
            damages = damage.in_jpegs(exif.find(entries, Tag.JPEGTables), (data[a:b] for a, b in places))
    linear = page.photometric == _LINEAR_RAW
    return Decoded(
        planes.luma,
        planes.alpha,
        replace(metadata, icc=linear_rgb()) if linear else metadata,
        linear=linear,
        srgb=page.photometric == _CMYK,
        warnings=(*_warnings(entries, page, planes.extra), *damages),
        extra=planes.extra,
    )


def _single_page_file(data: bytes, tiff: Tiff, entries: list[Entry], is_first: bool) -> bytes:
    """Return a file that begins with a page, in a form that libraries read correctly: ``data`` itself if possible."""
    repaired = tiff_repair.repaired(data, tiff, entries)
    big_endian = tiff.big and tiff.order == ">"  # which Pillow does not read
    as_it_is = len(repaired) == len(entries) and all(a is b for a, b in zip(repaired, entries, strict=True))
    return data if is_first and as_it_is and not big_endian else tiff_cut.page_file(tiff, repaired)


def _page(tiff: Tiff, entries: list[Entry]) -> _Page:
    def number(tag: int, default: int) -> int:
        return tiff.number(entries, tag, default)

    depths = set(tiff.all_integers(entries, Tag.BitsPerSample)) or {1}
    photometric, samples = number(Tag.PhotometricInterpretation, -1), number(Tag.SamplesPerPixel, 1)
    bits = depths.pop() if len(depths) == 1 else 0
    if photometric == _CFA:
        raise PhotoError(f"holds the pixels of {RAW}", remedy=DEVELOP)
    if number(Tag.SampleFormat, 1) not in (1, 4) or bits not in (1, 2, 4, 8, 16) or photometric not in _CHANNELS:
        raise PhotoError("holds pixels of an unusual kind", remedy="convert it to grey or RGB of 8 or 16 bits")
    if (slices := number(_SLICES, 1)) > 1:  # Pillow would read only the first slice
        raise PhotoError(f"holds a volume of {slices} slices", remedy="save each as a page")
    if photometric == _LINEAR_RAW and ((samples, bits) != (1, 16) or not _has_whole_scale(tiff, entries)):
        raise PhotoError(f"holds the linear pixels of {RAW}", remedy=DEVELOP)
    if bits == 16 and photometric not in (*_GREY_OR_RGB, _LINEAR_RAW):
        raise PhotoError("holds 16-bit pixels that are neither grey nor RGB", remedy="convert it to one of these")
    alpha = _NO_ALPHA if samples == _CHANNELS[photometric] else number(Tag.ExtraSamples, _UNSTATED)
    alpha = _ALPHA if alpha == 999 else alpha  # written by CorelDRAW
    if alpha not in (_PREMULTIPLIED, _ALPHA) or photometric == _CMYK:
        alpha = _NO_ALPHA
    if samples < _CHANNELS[photometric]:
        raise PhotoError("is damaged (too few samples per pixel)", remedy=WHOLE_COPY)
    planar = number(Tag.PlanarConfiguration, 1) == 2
    unusual = photometric == _MIN_IS_WHITE or (alpha == _PREMULTIPLIED and (planar or photometric == _MIN_IS_BLACK))
    if bits <= 8 and alpha != _NO_ALPHA and unusual:  # Pillow would report such files as damaged
        raise PhotoError("holds transparency in an unusual way", remedy="save it again as a PNG")
    width, height, compression = number(Tag.ImageWidth, 0), number(Tag.ImageLength, 0), number(Tag.Compression, 1)
    return _Page(width, height, bits, samples, photometric, planar, compression, alpha)


def _has_whole_scale(tiff: Tiff, entries: list[Entry]) -> bool:
    """Return whether 0 is black and 65535 is white in a linear DNG; scanners write such files, cameras do not."""
    black = next((entry for entry in entries if entry.tag == Tag.BlackLevel), None)
    if black is not None and any(black.value[:4]):  # an integer, or the numerator of a fraction
        return False
    if any(entry.tag == Tag.LinearizationTable for entry in entries):
        return False
    return tiff.number(entries, Tag.WhiteLevel, 65535) == 65535


def _parts(tiff: Tiff, entries: list[Entry], page: _Page) -> tuple[list[tuple[int, int]], int]:
    """Find the strips or tiles of a page.

    Returns:
        Start and end of each, as offsets in the file; and the largest size of a decompressed one, in bytes.

    Raises:
        PhotoError: Some are missing; libtiff would only warn, and leave the missing parts black.
    """
    tiled = any(entry.tag == Tag.TileOffsets for entry in entries)
    across = tiff.number(entries, Tag.TileWidth, page.width) if tiled else page.width
    down = min(tiff.number(entries, Tag.TileLength if tiled else Tag.RowsPerStrip, page.height), 2**31) or page.height
    expected = -(-page.width // max(across, 1)) * -(-page.height // down) * (page.samples if page.planar else 1)
    offsets, sizes = tiff_cut.parts_of(tiff, entries)
    places = [(offset, offset + size) for offset, size in zip(offsets, sizes, strict=False)]
    if len(offsets) < expected:
        raise tiff_cut.cut_short()
    rows = down if tiled else min(down, page.height)
    return places, max(1, across * rows * page.samples * 2)


def _check_deflated(tiff: Tiff, places: list[tuple[int, int]], size: int) -> None:
    """Verify the checksum of each strip or tile, which libtiff does not always do; the arguments are from ``_parts``.

    Raises:
        PhotoError: A strip or tile is damaged.
    """

    def is_whole(numbers: range) -> bool:
        pieces = (tiff.data[start:end] for start, end in places[numbers.start : numbers.stop])
        return all(is_complete(piece, size) for piece in pieces if piece)

    try:
        if all(in_parallel(is_whole, bands(len(places), size))):
            return
    except zlib.error as exc:
        raise tiff_cut.cut_short() from exc
    raise tiff_cut.cut_short()


class _Planes(NamedTuple):
    """Luma and alpha of a page, ``[H, W]``, and further channels, ``[H, W, channels]``, as in ``Decoded``."""

    luma: np.ndarray
    alpha: np.ndarray | None
    extra: np.ndarray | None = None


def _suits_pillow(page: _Page) -> bool:
    """Return whether Pillow should decode a page.

    It reads up to 8 bits per sample, but drops extra channels, which tifffile can keep at 8 bits.
    """
    more = page.extra_count and page.photometric in _GREY_OR_RGB and page.compression in _TIFFFILE_DECODES
    return page.bits < 8 or (page.bits == 8 and not more)


def _read_by_pillow(data: bytes, page: _Page, icc: bytes | None) -> _Planes:
    image = _PillowDecoder(BytesIO(data))
    image.load()
    if page.extra_count and image.mode in ("RGBX", "RGBA") and page.samples == 4:  # Pillow may mistake it for alpha
        return _Planes(from_pillow(image.convert("RGB"))[0], None, np.asarray(image)[..., 3:])
    return _Planes(*from_pillow(cmyk_to_srgb(image, icc) if page.photometric == _CMYK else image))


def _read_by_others(data: bytes, page: _Page) -> tuple[np.ndarray, bool]:
    """Read 16 bits, or 8 bits with extra channels, ``[H, W, samples]``; also return whether B comes before R."""
    is_interleaved = not page.planar and page.samples in (1, 3, 4) and page.bits == 16
    stored = _by_opencv_16(data) if is_interleaved else _by_tifffile(data, page)
    return stored.reshape(page.height, page.width, page.samples), is_interleaved


def _planes_of(stored: np.ndarray, blue_first: bool, page: _Page) -> _Planes:
    """Convert the samples of a page, ``[H, W, samples]``, to luma, alpha and further channels."""
    channels = _CHANNELS[page.photometric]
    if page.bits == 8:
        luma, _ = from_pillow(Image.fromarray(stored[..., :3] if channels == 3 else stored[..., 0]))
    elif channels == 3:
        luma = luma_of(stored[..., 2::-1] if blue_first else stored[..., :3])
    else:
        luma = np.ascontiguousarray(stored[..., 0])
    if page.photometric == _MIN_IS_WHITE:
        luma = np.iinfo(luma.dtype).max - luma
    alpha = None if page.alpha == _NO_ALPHA else np.ascontiguousarray(stored[..., channels])
    if alpha is not None and page.alpha == _PREMULTIPLIED:
        luma = unpremultiplied(luma, alpha)
    return _Planes(luma, alpha, stored[..., page.samples - page.extra_count :] if page.extra_count else None)


def _by_opencv_16(data: bytes) -> np.ndarray:
    """Decode 1, 3 or 4 interleaved 16-bit samples of any compression: ``[H, W]`` or ``[H, W, samples]``, B first.

    Raises:
        PhotoError: OpenCV cannot decode the page to 16 bits.
    """
    stored = by_opencv(data)
    if stored is None or stored.dtype != np.uint16:
        raise PhotoError("is a damaged TIFF, or compressed in an unusual way", remedy=_DEFLATE_IT)
    return stored


def _by_tifffile(data: bytes, page: _Page) -> np.ndarray:
    """Decode samples in any arrangement and a compression of ``_TIFFFILE_DECODES``: ``[H, W, samples]``, R first.

    Raises:
        PhotoError: The page has another compression.
    """
    import tifffile

    if page.compression not in _TIFFFILE_DECODES:
        raise PhotoError(_UNREADABLE_16_BITS, remedy=_DEFLATE_IT)
    stored = np.asarray(tifffile.imread(BytesIO(data), key=0))
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if not page.planar:
        return stored
    return np.moveaxis(stored.reshape(page.samples, page.height, page.width), 0, 2)


def _by_bytes(tiff: Tiff, entries: list[Entry], page: _Page) -> np.ndarray:
    """Decode a page of 16 bits as if its bytes were grey pixels: uint16 ``[H, W, samples]``.

    Only Pillow decompresses Zstandard, and it would reduce the samples to 8 bits.

    Raises:
        PhotoError: The page has tiles, separate planes, or an unusual predictor; or a strip lies outside the file.
        OSError: A strip is damaged.
    """
    predictor = tiff.number(entries, Tag.Predictor, 1)
    if page.planar or predictor not in (1, 2) or any(entry.tag == Tag.TileOffsets for entry in entries):
        raise PhotoError(_UNREADABLE_16_BITS, remedy=_DEFLATE_IT)
    layout = {Tag.ImageWidth: page.width * page.samples * 2, Tag.BitsPerSample: 8, Tag.SamplesPerPixel: 1,
              Tag.PhotometricInterpretation: _MIN_IS_BLACK}  # fmt: skip
    as_bytes = [entry for entry in entries if entry.tag in _STRIPS]
    as_bytes += [tiff.entry(tag, exif.LONG, [value]) for tag, value in layout.items()]
    file = tiff_cut.page_file(tiff, sorted(as_bytes, key=lambda entry: entry.tag))
    stored = np.asarray(_PillowDecoder(BytesIO(file))).view(f"{tiff.order}u2").astype(np.uint16)
    samples = stored.reshape(page.height, page.width, page.samples)
    return np.cumsum(samples, axis=1, dtype=np.uint16) if predictor == 2 else samples


def _warnings(entries: list[Entry], page: _Page, extra: np.ndarray | None) -> Iterator[str]:
    """Yield warnings about content that no output keeps."""
    tags = {entry.tag for entry in entries}
    if page.extra_count and extra is None:
        yield f"{extra_channels(page.extra_count)} not kept"
    if _LAYERS in tags:
        yield "its Photoshop layers are not kept: they would still be grey"
    if _C2PA in tags:
        yield C2PA_LOST


def _metadata(tiff: Tiff, entries: list[Entry], icc: bytes | None) -> Metadata:
    iptc, resources = photoshop.split(exif.find(entries, Tag.ImageResources) or b"")
    return Metadata(
        exif=exif.from_tiff(tiff, entries),
        xmp=exif.find(entries, Tag.XMLPacket),
        iptc=exif.find(entries, Tag.IPTCNAA) or iptc,
        photoshop=resources,
        icc=icc,
        density=exif.density_of(tiff, entries),
    )
