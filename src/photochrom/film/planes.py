"""Planes of a film's frames as arrays: luma out, chroma in, never by way of RGB at full size."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from ..color.coding import Coding
from ..color.spaces import BT601, BT709, BT2020, Matrix
from ..errors import FilmError
from .codecs import SEQUENCES, Codec
from .frame_memory import pool
from .sequences.pixels import luma_and_chroma

if TYPE_CHECKING:
    from .reader import FilmReader

# Matrix coefficients by their number in ITU-T H.273.
_MATRICES = {1: BT709, 4: Matrix(0.3, 0.11), 5: BT601, 6: BT601, 7: Matrix(0.212, 0.087), 9: BT2020, 10: BT2020}
_UNTAGGED, _LIMITED_RANGE, _FULL_RANGE = 0, 1, 2
_HDR = {16: "PQ", 18: "HLG"}
_SD = (1024, 576)  # size up to which players take an untagged film for BT.601
_DEPTHS = (8, 10, 12, 14, 16)
_DIGITS = {(2, 2): "420", (1, 2): "422", (1, 1): "444", (2, 1): "440"}
_EXPANDED = 8  # bits that each channel of RGB is brought to first
_PLANAR = range(8, 17)  # bits of grey formats whose samples are read here, one by one


@dataclass(frozen=True)
class PlaneFormat:
    """How the planes of a coloured film are stored."""

    name: str
    """Name of FFmpeg's pixel format."""
    subsampling: tuple[int, int]
    """Rows and columns of luma that share one sample of chroma."""
    coding: Coding
    colorspace: int
    """Number of the matrix in ITU-T H.273, as the stream is tagged."""
    converted: bool
    """Whether the source's frames must be converted to this format first."""
    source: Coding | None = None
    """How the source codes its luma; None if as ``coding`` says."""
    exact_rgb: bool = False
    """Whether the source's frames are RGB of full range whose luma is computed here, exactly where they are grey."""

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Type of one sample."""
        return np.uint8 if self.coding.bits == 8 else np.uint16

    def change(self) -> str:
        """Say in one line how the integers of the luma differ from the source's; empty if they do not."""
        old, new = self.source, self.coding
        if old is None:
            return ""
        luma = f"luma of {old.bits} bits becomes luma of {new.bits} bits," if old.bits != new.bits else "luma is"
        if old.full_range and not new.full_range:
            return f"{luma} scaled from full range to limited range, which is what the codec stores"
        if new.full_range and not old.full_range:
            return f"{luma} scaled from limited range to full range, where nothing is blacker than black"
        if new.bits < old.bits:
            return f"not kept: the last {old.bits - new.bits} of {old.bits} bits of luma"
        return f"{luma} exactly scaled"


def plane_format(reader: FilmReader, codec: Codec, profile: str | None = None, bits: int | None = None) -> PlaneFormat:
    """Choose the format of a stream's coloured version: its own, with chroma planes if it has none.

    Where the codec does not take that, it is the format next to it that loses nothing: more chroma, or more bits.

    Args:
        reader: The source.
        codec: The codec of the coloured film.
        profile: One of the codec's profiles; None for the usual one.
        bits: Bits of a sample; None for the source's, or more if the codec asks for more.

    Raises:
        FilmError: The film is HDR; the model expects luma of standard dynamic range. Or the codec does not take the
            size of the picture, or not so many bits.
    """
    context, path = reader.video.codec_context, reader.path
    source = context.format
    if context.color_trc in _HDR:
        problem = f"the film is HDR ({_HDR[context.color_trc]})"
        raise FilmError(problem, path=path, remedy="convert it to standard dynamic range first")
    subsampling, depths = _stored(path, codec, profile, (context.width, context.height), _shared(source))
    old_bits = max(part.bits for part in source.components)
    new_bits = _bits(path, bits or max(8, old_bits), depths, codec, asked=bits is not None)
    name = _name(subsampling, new_bits)
    same = {name, name.replace("yuv", "yuvj"), "gray" if new_bits == 8 else f"gray{new_bits}le"}
    into_frames = codec.containers[0] in SEQUENCES
    full = reader.is_sequence or (not source.is_rgb and _is_full(source, context.color_range))
    matrix = BT601 if into_frames else _matrix(context)  # the luma of photographs
    stated = context.colorspace if not (source.is_rgb or reader.is_sequence or into_frames) else None
    colorspace = (1 if matrix == BT709 else 6) if stated is None else stated
    old = Coding(old_bits, full, matrix)
    new = Coding(new_bits, into_frames or (full and codec.full_range), matrix)
    converted = source.name not in same or old != new
    exact_rgb = source.is_rgb and reader.is_sequence
    known = None if old == new or (source.is_rgb and not exact_rgb) else old
    return PlaneFormat(name, subsampling, new, colorspace, converted, known, exact_rgb)


def _stored(
    path: Path, codec: Codec, profile: str | None, size: tuple[int, int], shared: tuple[int, int]
) -> tuple[tuple[int, int], list[int]]:
    """Return rows and columns of luma that share a sample of chroma, and the depths that the codec takes so."""
    width, height = size
    if width < codec.smallest[0] or height < codec.smallest[1]:
        least = "{} x {}".format(*codec.smallest)
        raise FilmError(
            f"{codec.encoder} needs {least} pixels or more, and the film has {width} x {height}",
            path=path,
            remedy='choose codec="prores" or codec="ffv1"',
        )
    known = codec.formats(profile)
    finer = [other for other in ((2, 2), (1, 2), (1, 1)) if other[0] <= shared[0] and other[1] <= shared[1]]
    for subsampling in dict.fromkeys((shared, *finer, (1, 2))):
        odd = width % subsampling[1] or height % subsampling[0]
        depths = [depth for depth in _DEPTHS if _name(subsampling, depth) in known]
        if depths and not (odd and codec.even):
            return subsampling, depths
    raise FilmError(
        f"{codec.encoder} takes no picture of {width} x {height} pixels", path=path, remedy='choose codec="ffv1"'
    )


def _bits(path: Path, wanted: int, depths: list[int], codec: Codec, *, asked: bool) -> int:
    """Return the least depth that loses nothing, or exactly what was asked for."""
    found = min((depth for depth in depths if depth >= wanted), default=0)
    if asked and found != wanted:
        choice = " or ".join(f"bits={depth}" for depth in depths)
        raise FilmError(f"{codec.encoder} does not take {wanted} bits here", path=path, remedy=f"choose {choice}")
    if not found:
        raise FilmError(
            f"the film has {wanted} bits, and {codec.encoder} takes {depths[-1]} at most here",
            path=path,
            remedy=f'choose codec="ffv1", which keeps them, or bits={depths[-1]}, which does not',
        )
    return found


def _grey(bits: int) -> str:
    """Return FFmpeg's name of a format of luma alone."""
    return "gray" if bits == 8 else f"gray{bits}le"


def _name(subsampling: tuple[int, int], bits: int) -> str:
    """Return FFmpeg's name of a planar format."""
    return f"yuv{_DIGITS[subsampling]}p" + ("" if bits == 8 else f"{bits}le")


def _is_full(source: av.VideoFormat, tag: int) -> bool:
    """Tell whether black is 0 and not 16: as tagged, otherwise as FFmpeg assumes, which takes grey for full range."""
    if tag == _UNTAGGED:
        return len(source.components) < 3 or source.name.startswith("yuvj")
    return tag == _FULL_RANGE


def _shared(source: av.VideoFormat) -> tuple[int, int]:
    if len(source.components) < 3:
        return 2, 2  # for grey sources, what every player shows
    if source.is_rgb:
        return 1, 1
    rows, columns = (round(16 / of(16)) for of in (source.chroma_height, source.chroma_width))
    return min(rows, 2), min(columns, 2)


def _matrix(context: av.VideoCodecContext) -> Matrix:
    small = context.width <= _SD[0] and context.height <= _SD[1]
    return _MATRICES.get(context.colorspace, BT601 if small else BT709)


def luma_plane(frame: av.VideoFrame) -> np.ndarray:
    """Return the luma of a frame, uint8 or uint16 ``[H, W]``: a view, which must not be written to."""
    return view(frame, 0)


def view(frame: av.VideoFrame, index: int) -> np.ndarray:
    """Return a plane of a planar frame as a view, uint8 or uint16 ``[h, w]``."""
    plane = frame.planes[index]
    order = ">u2" if frame.format.is_big_endian else "<u2"
    dtype = np.uint8 if frame.format.components[index].bits == 8 else np.dtype(order)
    rows = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    return rows[:, : plane.width]


def luma_only(frame: av.VideoFrame, planes: PlaneFormat) -> av.VideoFrame:
    """Copy the luma of a frame of the coloured film's format, with its times, into a grey frame of the same bits."""
    new = pool.take(frame.width, frame.height, _grey(planes.coding.bits))
    view(new, 0)[...] = luma_plane(frame)
    new.pts, new.time_base, new.duration = frame.pts, frame.time_base, frame.duration
    return new


def in_format(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool = True) -> av.VideoFrame:
    """Convert a frame to the format of the coloured film; the frame itself is returned if it has that format.

    Args:
        frame: A frame of the source.
        planes: The format.
        chroma: Whether the frame's own chroma is wanted; without it, a converted frame may have luma alone.
    """
    if not planes.converted:
        return frame
    if planes.exact_rgb:
        return _of_rgb(frame, planes, chroma=chroma)
    if frame.format.is_rgb:
        if min(part.bits for part in frame.format.components) < _EXPANDED:
            frame = frame.reformat(format="rgb24")  # otherwise FFmpeg's scaler makes their white a light grey
        new_range = _FULL_RANGE if planes.coding.full_range else _LIMITED_RANGE
        return frame.reformat(format=planes.name, dst_colorspace=planes.colorspace, dst_color_range=new_range)
    parts = frame.format.components
    if len(parts) < 3 and (len(frame.planes) > 1 or len(parts) > 1 or parts[0].bits not in _PLANAR):
        frame = frame.reformat(format="gray" if parts[0].bits <= 8 else "gray16le")
    elif len(frame.planes) < 3 <= len(parts):  # packed, or chroma in one plane
        return _repacked(frame, planes, chroma=chroma)
    if chroma and len(frame.planes) > 2:
        ours = {"format": planes.name, "dst_color_range": _FULL_RANGE if planes.coding.full_range else _LIMITED_RANGE}
        if planes.colorspace != frame.colorspace and frame.colorspace in _MATRICES:
            ours["dst_colorspace"] = planes.colorspace
        new = frame.reformat(**ours)
    else:
        new = pool.take(frame.width, frame.height, planes.name if chroma else _grey(planes.coding.bits))
    _copy_luma(frame, new, planes)
    new.pts, new.time_base = frame.pts, frame.time_base
    return new


def _of_rgb(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool) -> av.VideoFrame:
    """Convert RGB of a sequence, whose grey pixels keep their very values as luma."""
    if frame.format.has_palette or min(part.bits for part in frame.format.components) < _EXPANDED:
        frame = frame.reformat(format="rgb24")
    old = planes.source or planes.coding
    new = pool.take(frame.width, frame.height, planes.name if chroma else _grey(planes.coding.bits))
    found = luma_and_chroma(frame, old, chroma=chroma)
    view(new, 0)[...] = found[0] if old == planes.coding else _code_table(old, planes.coding)[found[0]]
    for index, plane in enumerate(found[1:], 1):
        part = plane[:: planes.subsampling[0], :: planes.subsampling[1]].astype(np.float32) - old.neutral
        scaled = part * (planes.coding.chroma_span / old.chroma_span) + planes.coding.neutral
        view(new, index)[...] = np.clip(np.rint(scaled), 0, planes.coding.highest)
    new.pts, new.time_base = frame.pts, frame.time_base
    return new


def _repacked(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool) -> av.VideoFrame:
    """Convert a frame that does not have three planes, with FFmpeg, which keeps the luma if its coding is kept."""
    if planes.source is None:
        return frame.reformat(format=planes.name)
    plain = _name(planes.subsampling, planes.source.bits)
    return in_format(frame.reformat(format=plain), planes, chroma=chroma)


def _copy_luma(frame: av.VideoFrame, new: av.VideoFrame, planes: PlaneFormat) -> None:
    """Copy luma, sample by sample, because FFmpeg's scaler dithers, and takes all grey for full range."""
    luma = view(frame, 0)
    bits = frame.format.components[0].bits
    old = Coding(bits, planes.source.full_range if planes.source else planes.coding.full_range, planes.coding.matrix)
    # Raw and damaged films may hold integers beyond their depth, which count as its highest.
    view(new, 0)[...] = luma if old == planes.coding else _code_table(old, planes.coding).take(luma, mode="clip")


@functools.cache
def _code_table(old: Coding, new: Coding) -> np.ndarray:
    """Return the new integer of each old integer of luma, uint8 or uint16 ``[2 ** old.bits]``."""
    codes = np.arange(1 << old.bits, dtype=np.int64)
    if new.bits < old.bits and new.full_range == old.full_range:
        codes >>= old.bits - new.bits  # the same luma stays the same, whatever its neighbours
    else:
        codes = ((codes - old.black) * (2 * new.luma_span) + old.luma_span) // (2 * old.luma_span) + new.black
    return np.clip(codes, 0, new.highest).astype(np.uint8 if new.bits == 8 else np.uint16)
