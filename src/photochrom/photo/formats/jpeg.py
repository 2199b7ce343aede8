"""Reads and writes JPEG: the luma is the file's own Y plane, and metadata segments are kept byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO, Final

import numpy as np
from PIL import ImageChops
from PIL.JpegImagePlugin import JpegImageFile
from simplejpeg import decode_jpeg, decode_jpeg_header, encode_jpeg_yuv_planes

from ...color.pillow import from_pillow
from ...errors import PhotoError
from . import damage, exif, photoshop
from .coefficients import CodedLuma, LumaCoefficients, as_coefficients, luma_coefficients, with_chroma
from .icc import cmyk_to_srgb, refuse_hdr
from .image import C2PA_LOST, GAIN_MAP_LOST, NO_UNIT, PER_CM, PER_INCH, Decoded, Density, Metadata, Planes, check_size
from .jpeg_file import APP0, APP1, APP2, APP11, APP13, APP14, COMMENT, JFIF, MAX_PAYLOAD, JpegFile, segment
from .splice import CannotSplice, LumaScans, luma_scans, splice
from .xmp import Packet

_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP: Final = b"http://ns.adobe.com/xmp/extension/\0"
_ICC: Final = b"ICC_PROFILE\0"
_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_ADOBE: Final = b"Adobe"
_GAIN_MAPS: Final = (b"hdr-gain-map", b"GainMap", b"HDRGainMap", b"urn:iso:std:iso:ts:21496")
_MAX_SIDE: Final = 65500  # limit of libjpeg, in pixels
_MIN_PIXELS_TO_REDUCE: Final = 2_000_000  # decoding smaller pictures at half size loses detail and saves nothing
_TOP_ROWS: Final = 32  # rows that are searched for tones between black and white
_SCAN_HEADER: Final = 32  # bytes, which are enough: a scan header of four components has 16
_UNITS: Final = (NO_UNIT, PER_INCH, PER_CM)  # for JFIF's codes 0, 1, 2


def read(data: bytes, *, reduced: bool = False) -> Decoded:
    """Decode the first picture of a JPEG file: the Y plane of a grey or Y'CbCr file, else the luma of its RGB.

    Thumbnails, further pictures (MPO), C2PA manifests (which sign the old pixels) and segments that are specific to an
    encoder are not kept.

    Args:
        data: The file.
        reduced: Whether the luma may be decoded at half size, for a JPEG output that keeps the coded scan. All coded
            data is read nevertheless, so that damage is found.

    Raises:
        PhotoError, OSError, SyntaxError, ValueError: The file is damaged or too large, or of a kind that libjpeg does
            not support.
    """
    file = JpegFile.of(data)
    # Pillow only needs the header and the first bytes of the scan, so the rest is not copied.
    image = JpegImageFile(BytesIO(file.header + data[file.scan : file.scan + _SCAN_HEADER]))
    check_size(*image.size)
    metadata = _metadata(file.segments)
    refuse_hdr(metadata.icc)
    if image.mode == "CMYK":
        return _read_cmyk(file, metadata)
    try:
        reduced = reduced and exif.orientation(metadata.exif) == 1
        luma, coded, reason = _undamaged_luma(file, reduced=reduced)
    except CannotSplice as exc:
        return _read_by_pillow(file, metadata, str(exc))
    whole = luma.shape == image.size[::-1]
    warnings = tuple(_warnings(file.segments, file.trailer(coded), file.stray))
    return Decoded(luma, None, metadata, warnings=warnings, reduced=not whole, coded_luma=coded, recoded=reason)


def _read_cmyk(file: JpegFile, metadata: Metadata) -> Decoded:
    bare = file.bare()
    image = JpegImageFile(BytesIO(bare))
    if not any(marker == APP14 and payload.startswith(_ADOBE) for marker, payload in file.segments):
        # Pillow assumes that all CMYK files are inverted, as Adobe's are. Other programs store the amount of ink.
        inked = ImageChops.invert(image)
    else:
        image.load()
        inked = image
    luma, alpha = from_pillow(cmyk_to_srgb(inked, metadata.icc))
    warnings = (*_warnings(file.segments, file.trailer(), file.stray), *damage.in_jpeg(bare, "CMYK"))
    return Decoded(luma, alpha, metadata, srgb=True, warnings=warnings, recoded="it is a CMYK picture")


def _read_by_pillow(file: JpegFile, metadata: Metadata, reason: str) -> Decoded:
    """Decode a file that is damaged or has another colour space; ``reason`` says why its luma is re-encoded."""
    bare = file.bare()
    image = JpegImageFile(BytesIO(bare))
    image.draft("L", None)
    luma, _ = from_pillow(image)
    warnings = (*_warnings(file.segments, file.trailer(), file.stray), *damage.in_jpeg(bare))
    return Decoded(luma, None, metadata, warnings=warnings, recoded=reason)


def _undamaged_luma(file: JpegFile, *, reduced: bool) -> tuple[np.ndarray, CodedLuma | None, str]:
    """Decode the luma of a grey or Y'CbCr file, and find its coded form.

    Args:
        file: The file.
        reduced: Whether half size is enough if the scan is kept.

    Returns:
        Luma uint8 ``[H, W]``; its coded form, or None; the reason why that cannot be kept, or an empty string.

    Raises:
        CannotSplice: The coded data is damaged (libjpeg would only warn), or the file has another colour space.
    """
    data = file.pixels()
    try:
        height, width, space, subsampling = decode_jpeg_header(data)
        if space not in ("Gray", "YCbCr"):
            raise CannotSplice(f"its colour space is {space}")
        coded, reason = _as_coded(file, data, height, width, None if space == "Gray" else subsampling)
        if reduced and isinstance(coded, LumaScans) and _is_reducible(coded):
            half_size = {"min_height": -(-height // 2), "min_width": -(-width // 2), "min_factor": 2}
            return decode_jpeg(data, "GRAY", **half_size)[..., 0], coded, reason
        return decode_jpeg(data, "GRAY")[..., 0], coded, reason
    except ValueError as exc:
        raise CannotSplice(f"its coded data is damaged ({exc})") from exc


def _as_coded(
    file: JpegFile, data: bytes, height: int, width: int, subsampling: str | None
) -> tuple[CodedLuma | None, str]:
    """Return the coded luma of a grey (``subsampling`` is None) or Y'CbCr file, or None and why it cannot be kept."""
    try:
        if subsampling is None:
            return luma_scans(data), ""
        return luma_coefficients(file.bare(), height, width, subsampling), ""
    except CannotSplice as exc:
        return None, str(exc)


def _is_reducible(scans: LumaScans) -> bool:
    """Return whether decoding at half size is enough: the output has 4:2:0 chroma, and the picture is not a halftone.

    A halftone has only black and white pixels, so a few rows with other tones rule it out. In a file with a single
    scan, the first rows can be decoded on their own.
    """
    if scans.is_progressive or scans.subsampling != 2 or scans.height * scans.width < _MIN_PIXELS_TO_REDUCE:
        return False
    top = decode_jpeg(scans.top(_TOP_ROWS), "GRAY", strict=False)
    return bool(((top != 0) & (top != 255)).any())


def sampling(coded: CodedLuma | None, layout: str = "scan") -> tuple[int, int]:
    """Return how many rows and columns of luma share one chroma sample in the output: 2 and 2 for 4:2:0.

    Args:
        coded: The coded luma that is kept; None if luma is re-encoded.
        layout: As for ``write``.
    """
    if isinstance(coded, LumaCoefficients):
        return coded.sampling
    step = coded.subsampling if coded is not None and layout == "scan" else 2
    return step, step


def write(
    stream: BinaryIO,
    planes: Planes,
    metadata: Metadata,
    quality: int,
    coded: CodedLuma | None = None,
    layout: str = "scan",
) -> None:
    """Encode a coloured picture as JPEG.

    Args:
        stream: The stream to write to.
        planes: Luma uint8 ``[H, W]``, and chroma of the same size or of half the size, rounded up.
        metadata: Metadata of the output.
        quality: Quality of luma and chroma, 1 to 100; if ``coded`` is given, of chroma only.
        coded: Coded luma of the source, which is kept. Chroma must then be subsampled by the result of ``sampling``.
        layout: ``scan`` keeps the coded bytes of a grey source, ``interleaved`` its coefficients, in the order that
            most encoders use.

    Raises:
        PhotoError: A side is longer than 65,500 pixels, or the metadata is too large for a JPEG.
        OSError: The stream cannot be written.
    """
    if max(planes.luma.shape) > _MAX_SIDE:
        raise PhotoError(f"is longer than JPEG can hold ({_MAX_SIDE} pixels): write PNG or TIFF")
    stream.write(b"\xff\xd8" + b"".join(segment(marker, payload) for marker, payload in _headers(metadata)))
    if coded is None:
        stream.write(_reencoded(planes, quality))
    elif layout == "scan" and isinstance(coded, LumaScans):
        stream.writelines(splice(coded, planes.cb, planes.cr, quality))
    else:
        stream.write(with_chroma(as_coefficients(coded), planes.cb, planes.cr, quality))


def _reencoded(planes: Planes, quality: int) -> bytes:
    """Encode all planes, and return the part of the file after its JFIF segment."""
    # The encoder accepts Y'CbCr planes, so nothing is converted through RGB, and subsampled chroma is not resampled.
    cb, cr = np.ascontiguousarray(planes.cb), np.ascontiguousarray(planes.cr)
    coded = encode_jpeg_yuv_planes(_padded(planes.luma, cb.shape), cb, cr, quality, False)
    # The encoder's JFIF segment, which can only state whole dpi, is replaced by another one.
    after_jfif = 4 + int.from_bytes(coded[4:6], "big")
    return bytes(coded[after_jfif:])


def _padded(luma: np.ndarray, chroma_shape: tuple[int, ...]) -> np.ndarray:
    """Return the luma plane as a view of an array padded to whole chroma samples.

    With 31 rows of chroma, TurboJPEG reads 62 rows of luma even if the plane has 61; without padding, it would crash.
    The padding repeats the edge, which also compresses best.

    Args:
        luma: uint8 ``[H, W]``.
        chroma_shape: Height and width of the chroma planes: those of the luma, or half of them, rounded up.

    Returns:
        The same values, uint8 ``[H, W]``.
    """
    height, width = luma.shape
    missing = [
        (0, 0 if samples == side else 2 * samples - side)
        for side, samples in zip(luma.shape, chroma_shape, strict=True)
    ]
    if not any(more for _, more in missing):
        return np.ascontiguousarray(luma)
    return np.pad(luma, missing, mode="edge")[:height, :width]


def _warnings(segments: list[tuple[int, bytes]], trailer: bytes, stray: int) -> Iterator[str]:
    """Yield warnings about content that no output keeps.

    Args:
        segments: Segments before the first scan.
        trailer: Bytes after the first picture, where phones store a film or more pictures.
        stray: Number of bytes between the segments that belong to none of them.
    """
    if stray:
        yield f"stray bytes between its headers ({stray:,}) are not kept: the file may be damaged"
    headers = b"".join(payload for marker, payload in segments if marker in (APP1, APP2))
    if b"\xff\xd8\xff" in trailer:
        gain_map = any(name in headers + trailer for name in _GAIN_MAPS)
        yield GAIN_MAP_LOST if gain_map else "its further pictures are not kept"
    if b"ftyp" in trailer[:64] or b"MotionPhoto_Data" in trailer:
        yield "its film (motion photo) is not kept"
    if any(marker == APP11 and b"c2pa" in payload for marker, payload in segments):
        yield C2PA_LOST


def _metadata(segments: list[tuple[int, bytes]]) -> Metadata:
    exif_block = next(iter(_payloads(segments, APP1, _EXIF)), None)
    iptc, resources = photoshop.split(b"".join(_payloads(segments, APP13, _PHOTOSHOP)))
    # The first two bytes of each ICC part are its number and the number of parts.
    icc = b"".join(part[2:] for part in sorted(_payloads(segments, APP2, _ICC), key=lambda part: part[:1]))
    comments = [payload for marker, payload in segments if marker == COMMENT]
    return Metadata(
        exif=exif_block,
        xmp=_whole_xmp(segments),
        iptc=iptc,
        photoshop=resources,
        icc=icc or None,
        density=_jfif_density(segments) or exif.density(exif_block),
        native=tuple((b"COM", comment) for comment in comments),
        texts=tuple("Comment: " + _decoded(comment) for comment in comments),
    )


def _payloads(segments: list[tuple[int, bytes]], marker: int, name: bytes) -> list[bytes]:
    return [payload[len(name) :] for found, payload in segments if found == marker and payload.startswith(name)]


def _whole_xmp(segments: list[tuple[int, bytes]]) -> bytes | None:
    """Return the XMP packet, merged with its extension if there is one."""
    main = next(iter(_payloads(segments, APP1, _XMP)), None)
    parts = _payloads(segments, APP1, _MORE_XMP)
    if main is None or not parts:
        return main
    packet = Packet(main)
    guid = (packet.get("xmpNote:HasExtendedXMP") or "").encode()
    # Layout of a part: GUID (32 bytes), total length (4), offset of this part (4), text.
    own = sorted((part[36:40], part[40:]) for part in parts if part[:32] == guid)
    if own:
        packet.absorb(b"".join(text for _, text in own))
    return packet.to_bytes()


def _jfif_density(segments: list[tuple[int, bytes]]) -> Density | None:
    """Return the resolution in the JFIF segment, or None if it has no unit."""
    for payload in _payloads(segments, APP0, JFIF):
        if len(payload) < 7:
            continue  # damaged, which is no reason to refuse the picture
        unit, x, y = struct.unpack_from(">BHH", payload, 2)
        if unit in (1, 2) and x and y:
            return Density(Fraction(x), Fraction(y), _UNITS[unit])
    return None


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode("utf-8")
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _headers(metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    yield APP0, JFIF + b"\x01\x01" + _density_bytes(metadata.density) + b"\0\0"
    if metadata.exif:
        yield APP1, _EXIF + metadata.exif
    yield from _xmp_segments(metadata.xmp)
    yield from _numbered(_ICC, metadata.icc or b"")
    resources = photoshop.join(metadata.iptc, metadata.photoshop)
    for part in _cut(resources, MAX_PAYLOAD - len(_PHOTOSHOP)):
        yield APP13, _PHOTOSHOP + part
    for _, comment in metadata.native:
        yield COMMENT, comment


def _density_bytes(density: Density | None) -> bytes:
    """Encode the resolution for JFIF: exactly if possible, otherwise rounded to whole pixels per inch."""
    if density is None:
        return struct.pack(">BHH", 0, 1, 1)
    unit, x, y = _UNITS.index(density.unit), density.x, density.y
    if x.denominator != 1 or y.denominator != 1:
        inches = density.per_inch()
        unit, (x, y) = (1, inches) if inches else (unit, (x, y))
    if not (1 <= round(x) <= 0xFFFF and 1 <= round(y) <= 0xFFFF):
        return struct.pack(">BHH", 0, 1, 1)
    return struct.pack(">BHH", unit, round(x), round(y))


def _xmp_segments(packet: bytes | None) -> Iterator[tuple[int, bytes]]:
    if packet is None:
        return
    if len(_XMP) + len(packet) <= MAX_PAYLOAD:
        yield APP1, _XMP + packet
        return
    main, rest, guid = Packet(packet).split()
    yield APP1, _XMP + main
    position = 0
    for part in _cut(rest, MAX_PAYLOAD - len(_MORE_XMP) - 40):
        yield APP1, _MORE_XMP + guid + struct.pack(">II", len(rest), position) + part
        position += len(part)


def _numbered(name: bytes, data: bytes) -> Iterator[tuple[int, bytes]]:
    parts = _cut(data, MAX_PAYLOAD - len(name) - 2)
    if len(parts) > 255:
        raise PhotoError("has an ICC profile too large for a JPEG: write PNG or TIFF")
    for number, part in enumerate(parts, start=1):
        yield APP2, name + bytes([number, len(parts)]) + part


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
