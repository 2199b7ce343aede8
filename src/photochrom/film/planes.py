"""``PlaneFormat``: the pixel format and coding of a coloured film, and the conversion of decoded frames to it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import av
import numpy as np

from ..color.coding import Coding
from ..color.spaces import BT601, BT709, BT2020, Matrix
from .frame_buffers import luma_plane, pool, view
from .sequences.pixels import luma_and_chroma

MATRICES = {1: BT709, 4: Matrix(0.3, 0.11), 5: BT601, 6: BT601, 7: Matrix(0.212, 0.087), 9: BT2020, 10: BT2020}
"""Y'CbCr matrices by their code in ITU-T H.273."""
_LIMITED_RANGE, FULL_RANGE = 1, 2  # FFmpeg's codes of the color range
_DIGITS = {(2, 2): "420", (1, 2): "422", (1, 1): "444", (2, 1): "440"}  # in FFmpeg's names of pixel formats
_LEAST_RGB_BITS = 8  # RGB with fewer bits per channel is converted to 8 bits first
_GREY_BITS = range(8, 17)  # bit depths of grey formats that are converted here instead of by FFmpeg


@dataclass(frozen=True)
class PlaneFormat:
    """Pixel format and coding of a coloured film."""

    name: str
    """FFmpeg's name of the pixel format."""
    subsampling: tuple[int, int]
    """Rows and columns of luma that share one chroma sample."""
    coding: Coding
    """Bits, range and matrix of the coloured film."""
    colorspace: int
    """Code of the matrix in ITU-T H.273, with which the stream is tagged."""
    converted: bool
    """Whether decoded frames must be converted. If not, they have this format, or are grey with the same luma."""
    source: Coding | None = None
    """Coding of the source's luma; None if equal to ``coding``, or if FFmpeg computes the luma from RGB."""
    exact_rgb: bool = False
    """Whether the source is full-range RGB whose luma is computed without FFmpeg, so that grey keeps its value."""

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """NumPy type of the samples: uint8 for 8 bits, otherwise uint16."""
        return np.uint8 if self.coding.bits == 8 else np.uint16

    def change(self) -> str:
        """Describe in one line how the source's code values of luma are converted; empty if they are kept."""
        old, new = self.source, self.coding
        if old is None:
            return ""
        bits = "1 bit" if old.bits == 1 else f"{old.bits} bits"
        luma = f"luma of {bits} becomes luma of {new.bits} bits," if old.bits != new.bits else "luma is"
        if old.full_range and not new.full_range:
            return f"{luma} scaled from full range to limited range, which is what the codec stores"
        if new.full_range and not old.full_range:
            return f"{luma} scaled from limited range to full range, where nothing is blacker than black"
        if new.bits < old.bits:
            return f"not kept: the last {old.bits - new.bits} of {old.bits} bits of luma"
        return f"{luma} exactly scaled"


def _grey(bits: int) -> str:
    """Return FFmpeg's name of the grey pixel format with this bit depth."""
    return "gray" if bits == 8 else f"gray{bits}le"


def planar_name(subsampling: tuple[int, int], bits: int) -> str:
    """Return FFmpeg's name of the planar Y'CbCr format with this subsampling and bit depth, such as ``yuv420p10le``."""
    return f"yuv{_DIGITS[subsampling]}p" + ("" if bits == 8 else f"{bits}le")


def luma_only(frame: av.VideoFrame, planes: PlaneFormat) -> av.VideoFrame:
    """Return a grey frame with the luma and time stamps of a frame that is already in the coloured film's format."""
    new = pool.take(frame.width, frame.height, _grey(planes.coding.bits))
    view(new, 0)[...] = luma_plane(frame)
    new.pts, new.time_base, new.duration = frame.pts, frame.time_base, frame.duration
    return new


def in_format(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool = True) -> av.VideoFrame:
    """Convert a decoded frame to the format of the coloured film; return it unchanged if ``converted`` is false.

    Args:
        frame: A decoded frame of the source.
        planes: Format of the coloured film.
        chroma: Whether the frame's own chroma is needed. If not, the result may be a grey frame of the same depth. If
            so, and the frame has none, the chroma of the result is undefined.
    """
    if not planes.converted:
        return frame
    if planes.exact_rgb:
        return _of_rgb(frame, planes, chroma=chroma)
    if frame.format.is_rgb:
        if min(part.bits for part in frame.format.components) < _LEAST_RGB_BITS:
            frame = frame.reformat(format="rgb24")  # otherwise FFmpeg's scaler turns white into light grey
        new_range = FULL_RANGE if planes.coding.full_range else _LIMITED_RANGE
        return frame.reformat(format=planes.name, dst_colorspace=planes.colorspace, dst_color_range=new_range)
    parts = frame.format.components
    if len(parts) < 3 and (len(frame.planes) > 1 or len(parts) > 1 or parts[0].bits not in _GREY_BITS):
        frame = frame.reformat(format="gray" if parts[0].bits <= 8 else "gray16le")
    elif len(frame.planes) < 3 <= len(parts):  # packed, or chroma in one plane
        return _repacked(frame, planes, chroma=chroma)
    if chroma and len(frame.planes) > 2:
        ours = {"format": planes.name, "dst_color_range": FULL_RANGE if planes.coding.full_range else _LIMITED_RANGE}
        if planes.colorspace != frame.colorspace and frame.colorspace in MATRICES:
            ours["dst_colorspace"] = planes.colorspace
        new = frame.reformat(**ours)
    else:
        new = pool.take(frame.width, frame.height, planes.name if chroma else _grey(planes.coding.bits))
    _copy_luma(frame, new, planes)
    new.pts, new.time_base = frame.pts, frame.time_base
    return new


def _of_rgb(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool) -> av.VideoFrame:
    """Convert an RGB frame of an image sequence; the luma of a grey pixel is exactly its value."""
    if frame.format.has_palette or min(part.bits for part in frame.format.components) < _LEAST_RGB_BITS:
        frame = frame.reformat(format="rgb24")
    old = planes.source or planes.coding
    new = pool.take(frame.width, frame.height, planes.name if chroma else _grey(planes.coding.bits))
    luma, *chroma_planes = luma_and_chroma(frame, old, chroma=chroma)
    view(new, 0)[...] = luma if old == planes.coding else _code_table(old, planes.coding)[luma]
    for index, plane in enumerate(chroma_planes, 1):
        part = plane[:: planes.subsampling[0], :: planes.subsampling[1]].astype(np.float32) - old.neutral
        scaled = part * (planes.coding.chroma_span / old.chroma_span) + planes.coding.neutral
        view(new, index)[...] = np.clip(np.rint(scaled), 0, planes.coding.highest)
    new.pts, new.time_base = frame.pts, frame.time_base
    return new


def _repacked(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool) -> av.VideoFrame:
    """Convert a frame whose samples are not in three planes; FFmpeg separates the planes without changing the luma."""
    if planes.source is None:
        return frame.reformat(format=planes.name)
    planar = planar_name(planes.subsampling, planes.source.bits)
    return in_format(frame.reformat(format=planar), planes, chroma=chroma)


def _copy_luma(frame: av.VideoFrame, new: av.VideoFrame, planes: PlaneFormat) -> None:
    """Write the luma of ``frame`` into ``new``, converted by a table of code values."""
    # FFmpeg's scaler is not used, because it dithers and takes grey for full range.
    luma = view(frame, 0)
    bits = frame.format.components[0].bits
    old = Coding(bits, planes.source.full_range if planes.source else planes.coding.full_range, planes.coding.matrix)
    # In raw and damaged films, code values may exceed the bit depth; ``clip`` replaces them by the highest one.
    view(new, 0)[...] = luma if old == planes.coding else _code_table(old, planes.coding).take(luma, mode="clip")


@functools.cache
def _code_table(old: Coding, new: Coding) -> np.ndarray:
    """Return the new code value of each old code value of luma, uint8 or uint16 ``[2 ** old.bits]``."""
    codes = np.arange(1 << old.bits, dtype=np.int64)
    if new.bits < old.bits and new.full_range == old.full_range:
        codes >>= old.bits - new.bits  # truncated without dithering, so that equal luma stays equal
    else:
        codes = ((codes - old.black) * (2 * new.luma_span) + old.luma_span) // (2 * old.luma_span) + new.black
    return np.clip(codes, 0, new.highest).astype(np.uint8 if new.bits == 8 else np.uint16)
