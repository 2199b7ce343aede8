"""Chooses the pixel format of a coloured film: as close to the source's as the codec supports, and with chroma."""

from __future__ import annotations

from pathlib import Path

import av

from ...color.coding import Coding
from ...color.spaces import BT601, BT709, Matrix
from ...errors import FilmError
from ..planes import FULL_RANGE, MATRICES, PlaneFormat, planar_name
from ..reader import FilmReader
from .codecs import SEQUENCES, Codec

_UNTAGGED = 0  # FFmpeg's code of a color range that is not stated
_HDR = {16: "PQ", 18: "HLG"}  # transfer characteristics of HDR films, by code in ITU-T H.273
_RGB, _UNSTATED, _RESERVED = 0, 2, 3  # codes of matrices in ITU-T H.273; PNG decoders give even grey frames that of RGB
_SD = (1024, 576)  # largest size at which players assume BT.601 for an untagged film
_DEPTHS = (8, 10, 12, 14, 16)  # bits per sample of FFmpeg's planar formats


def plane_format(reader: FilmReader, codec: Codec, profile: str | None = None, bits: int | None = None) -> PlaneFormat:
    """Choose the pixel format of the coloured film: planar Y'CbCr with the source's subsampling and depth.

    A grey source gets 4:2:0, and RGB 4:4:4. If the codec lacks that subsampling, a finer one is chosen, or else 4:2:2;
    if it lacks the depth, the next greater. ``PlaneFormat.change`` describes how the code values of luma change.

    Args:
        reader: The source.
        codec: The codec of the coloured film.
        profile: One of the codec's profiles; None for the default one.
        bits: Bits per sample; None for those of the source, or the next greater depth that the codec has.

    Raises:
        FilmError: The film is HDR, but the model expects standard dynamic range; its chroma has a matrix that is not
            supported; or the codec does not support the frame size or the depth.
    """
    context, path = reader.video.codec_context, reader.path
    source = context.format
    if context.color_trc in _HDR:
        problem = f"the film is HDR ({_HDR[context.color_trc]})"
        raise FilmError(problem, path=path, remedy="convert it to standard dynamic range first")
    if len(source.components) >= 3 and context.colorspace not in (*MATRICES, _RGB, _UNSTATED, _RESERVED):
        problem = f"its colours have an unusual matrix (code {context.colorspace} in ITU-T H.273)"
        raise FilmError(problem, path=path, remedy="convert it to BT.709 first")
    subsampling, depths = _subsampling_and_depths(path, codec, profile, (reader.width, reader.height), _shared(source))
    old_bits = max(part.bits for part in source.components)
    new_bits = _bits(path, bits or max(8, old_bits), depths, codec, exact=bits is not None)
    name = planar_name(subsampling, new_bits)
    same = {name, name.replace("yuv", "yuvj"), "gray" if new_bits == 8 else f"gray{new_bits}le"}
    into_frames = codec.containers[0] in SEQUENCES
    full = reader.is_sequence or (not source.is_rgb and _is_full(source, reader.color_range))
    matrix = BT601 if into_frames else _matrix(context)  # numbered frames are written with the luma of photographs
    colorspace = context.colorspace
    if source.is_rgb or reader.is_sequence or into_frames or colorspace not in (*MATRICES, _UNSTATED):
        colorspace = 1 if matrix == BT709 else 6
    old = Coding(old_bits, full, matrix)
    new = Coding(new_bits, into_frames or (full and codec.full_range), matrix)
    converted = source.name not in same or old != new
    exact_rgb = source.is_rgb and reader.is_sequence
    known = None if old == new or (source.is_rgb and not exact_rgb) else old
    return PlaneFormat(name, subsampling, new, colorspace, converted, known, exact_rgb)


def _subsampling_and_depths(
    path: Path, codec: Codec, profile: str | None, size: tuple[int, int], wanted: tuple[int, int]
) -> tuple[tuple[int, int], list[int]]:
    """Return a subsampling that the codec supports for frames of a size, and its depths in bits.

    It is the one ``wanted``, or else the coarsest finer one, or else 4:2:2. ``size`` is width and height; subsamplings
    are rows and columns of luma per chroma sample.

    Raises:
        FilmError: The codec does not support frames of this size.
    """
    width, height = size
    if width < codec.smallest[0] or height < codec.smallest[1]:
        least = "{} x {}".format(*codec.smallest)
        raise FilmError(
            f"{codec.encoder} needs {least} pixels or more, and the film has {width} x {height}",
            path=path,
            remedy='choose codec="prores" or codec="ffv1"',
        )
    known = codec.formats(profile)
    finer = [other for other in ((2, 2), (1, 2), (1, 1)) if other[0] <= wanted[0] and other[1] <= wanted[1]]
    for subsampling in dict.fromkeys((wanted, *finer, (1, 2))):
        odd = width % subsampling[1] or height % subsampling[0]
        depths = [depth for depth in _DEPTHS if planar_name(subsampling, depth) in known]
        if depths and not (odd and codec.even):
            return subsampling, depths
    raise FilmError(
        f"{codec.encoder} cannot encode pictures of {width} x {height} pixels", path=path, remedy='choose codec="ffv1"'
    )


def _bits(path: Path, wanted: int, depths: list[int], codec: Codec, *, exact: bool) -> int:
    """Return the least of ``depths`` that is at least ``wanted``.

    Raises:
        FilmError: All depths are less, or ``exact`` is set and ``wanted`` is not among them.
    """
    found = min((depth for depth in depths if depth >= wanted), default=0)
    if exact and found != wanted:
        choice = " or ".join(f"bits={depth}" for depth in depths)
        raise FilmError(f"{codec.encoder} does not take {wanted} bits here", path=path, remedy=f"choose {choice}")
    if not found:
        raise FilmError(
            f"the film has {wanted} bits, and {codec.encoder} takes {depths[-1]} at most here",
            path=path,
            remedy=f'choose codec="ffv1", which keeps them, or bits={depths[-1]}, which does not',
        )
    return found


def _is_full(source: av.VideoFormat, tag: int) -> bool:
    """Return whether the source has full range: by its tag, or, if untagged, as FFmpeg assumes (full for grey)."""
    if tag == _UNTAGGED:
        return len(source.components) < 3 or source.name.startswith("yuvj")
    return tag == FULL_RANGE


def _shared(source: av.VideoFormat) -> tuple[int, int]:
    """Return rows and columns of luma that share one chroma sample in the source."""
    if len(source.components) < 3:
        return 2, 2  # for a grey source, the subsampling that every player supports
    if source.is_rgb:
        return 1, 1
    rows, columns = (round(16 / of(16)) for of in (source.chroma_height, source.chroma_width))
    return min(rows, 2), min(columns, 2)


def _matrix(context: av.VideoCodecContext) -> Matrix:
    """Return the matrix that the source states, or the matrix that players assume for frames of its size."""
    small = context.width <= _SD[0] and context.height <= _SD[1]
    return MATRICES.get(context.colorspace, BT601 if small else BT709)
