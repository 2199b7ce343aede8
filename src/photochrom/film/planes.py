"""``PlaneFormat``: how a coloured film's planes are stored; converts frames to it, without RGB at full size."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import av
import numpy as np

from ..color.coding import Coding
from ..color.spaces import BT601, BT709, BT2020, Matrix
from .frame_buffers import luma_plane, pool, view
from .sequences.pixels import luma_and_chroma

# Matrices by their code in ITU-T H.273.
MATRICES = {1: BT709, 4: Matrix(0.3, 0.11), 5: BT601, 6: BT601, 7: Matrix(0.212, 0.087), 9: BT2020, 10: BT2020}
_LIMITED_RANGE, FULL_RANGE = 1, 2
_DIGITS = {(2, 2): "420", (1, 2): "422", (1, 1): "444", (2, 1): "440"}
_EXPANDED = 8  # bits to which the channels of RGB are expanded first
_PLANAR = range(8, 17)  # bit depths of grey formats that are converted here instead of by FFmpeg


@dataclass(frozen=True)
class PlaneFormat:
    """How the planes of a coloured film are stored."""

    name: str
    """Name of FFmpeg's pixel format."""
    subsampling: tuple[int, int]
    """Rows and columns of luma that share one chroma sample."""
    coding: Coding
    colorspace: int
    """Code of the matrix in ITU-T H.273, for the stream's tag."""
    converted: bool
    """Whether the source's frames must be converted to this format first."""
    source: Coding | None = None
    """Coding of the source's luma; None if equal to ``coding``."""
    exact_rgb: bool = False
    """Whether the source is full-range RGB whose luma is computed here, exact for grey pixels."""

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Type of one sample."""
        return np.uint8 if self.coding.bits == 8 else np.uint16

    def change(self) -> str:
        """Describe in one line how the code values of luma differ from the source's; empty if they do not."""
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


def _grey(bits: int) -> str:
    """Return FFmpeg's name of the grey format of a bit depth."""
    return "gray" if bits == 8 else f"gray{bits}le"


def planar_name(subsampling: tuple[int, int], bits: int) -> str:
    """Return FFmpeg's name of a planar format."""
    return f"yuv{_DIGITS[subsampling]}p" + ("" if bits == 8 else f"{bits}le")


def luma_only(frame: av.VideoFrame, planes: PlaneFormat) -> av.VideoFrame:
    """Copy luma and time stamps of a frame in the coloured film's format to a grey frame of the same depth."""
    new = pool.take(frame.width, frame.height, _grey(planes.coding.bits))
    view(new, 0)[...] = luma_plane(frame)
    new.pts, new.time_base, new.duration = frame.pts, frame.time_base, frame.duration
    return new


def in_format(frame: av.VideoFrame, planes: PlaneFormat, *, chroma: bool = True) -> av.VideoFrame:
    """Convert a frame to the format of the coloured film; a frame in that format is returned as is.

    Args:
        frame: A frame of the source.
        planes: The format.
        chroma: Whether the frame's own chroma is needed; otherwise a converted frame may hold luma only.
    """
    if not planes.converted:
        return frame
    if planes.exact_rgb:
        return _of_rgb(frame, planes, chroma=chroma)
    if frame.format.is_rgb:
        if min(part.bits for part in frame.format.components) < _EXPANDED:
            frame = frame.reformat(format="rgb24")  # otherwise FFmpeg's scaler turns white into light grey
        new_range = FULL_RANGE if planes.coding.full_range else _LIMITED_RANGE
        return frame.reformat(format=planes.name, dst_colorspace=planes.colorspace, dst_color_range=new_range)
    parts = frame.format.components
    if len(parts) < 3 and (len(frame.planes) > 1 or len(parts) > 1 or parts[0].bits not in _PLANAR):
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
    """Convert RGB of a sequence; the luma of grey pixels is exactly their value."""
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
    """Convert a frame that does not have three planes with FFmpeg, which keeps luma of the same coding."""
    if planes.source is None:
        return frame.reformat(format=planes.name)
    plain = planar_name(planes.subsampling, planes.source.bits)
    return in_format(frame.reformat(format=plain), planes, chroma=chroma)


def _copy_luma(frame: av.VideoFrame, new: av.VideoFrame, planes: PlaneFormat) -> None:
    """Copy luma sample by sample, because FFmpeg's scaler dithers and assumes full range for grey."""
    luma = view(frame, 0)
    bits = frame.format.components[0].bits
    old = Coding(bits, planes.source.full_range if planes.source else planes.coding.full_range, planes.coding.matrix)
    # Raw and damaged films may hold code values beyond their depth, which are clipped to its highest.
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
