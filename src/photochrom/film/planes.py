"""Planes of a film's frames as arrays: luma out, chroma in, never by way of RGB at full size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from ..color.coding import Coding
from ..color.spaces import BT601, BT709, BT2020, Matrix
from ..errors import FilmError

# Matrix coefficients by their number in ITU-T H.273.
_MATRICES = {1: BT709, 4: Matrix(0.3, 0.11), 5: BT601, 6: BT601, 7: Matrix(0.212, 0.087), 9: BT2020, 10: BT2020}
_UNTAGGED, _LIMITED_RANGE, _FULL_RANGE = 0, 1, 2
_HDR = {16: "PQ", 18: "HLG"}
_SD = (1024, 576)  # size up to which players take an untagged film for BT.601
_DEPTHS = (8, 10, 12)
_EXPANDED = 8  # bits that each channel of RGB is brought to first
_SHIFTED = range(8, 17)  # bits of grey formats that are converted here by shifting


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
    lost_bits: int = 0
    """Number of bits lost of each luma sample, if the source has more than any format here."""

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Type of one sample."""
        return np.uint8 if self.coding.bits == 8 else np.uint16


def plane_format(stream: av.VideoStream, path: Path, *, even_only: bool) -> PlaneFormat:
    """Choose the format of a stream's coloured version: its own, with chroma planes if it has none.

    Args:
        stream: The source.
        path: The source's file, for messages.
        even_only: Whether the codec needs even numbers of rows and columns where chroma is subsampled.

    Raises:
        FilmError: The film is HDR; the model expects luma of standard dynamic range.
    """
    context, source = stream.codec_context, stream.codec_context.format
    if context.color_trc in _HDR:
        problem = f"the film is HDR ({_HDR[context.color_trc]})"
        raise FilmError(problem, path=path, remedy="convert it to standard dynamic range first")
    parts = source.components
    bits = min((d for d in _DEPTHS if d >= max(p.bits for p in parts)), default=_DEPTHS[-1])
    shared = _shared(source)
    odd = context.width % shared[1] or context.height % shared[0]
    subsampling = (1, 1) if even_only and odd else shared
    digits = {(2, 2): "420", (1, 2): "422", (1, 1): "444", (2, 1): "440"}[subsampling]
    name = f"yuv{digits}p" + ("" if bits == 8 else f"{bits}le")
    same = {name, name.replace("yuv", "yuvj"), "gray" if bits == 8 else f"gray{bits}le"}
    full = not source.is_rgb and _is_full(source, context.color_range)
    matrix = _matrix(context)
    colorspace = (1 if matrix == BT709 else 6) if source.is_rgb else context.colorspace
    lost = max(0, max(p.bits for p in parts) - bits)
    return PlaneFormat(name, subsampling, Coding(bits, full, matrix), colorspace, source.name not in same, lost)


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


def in_format(frame: av.VideoFrame, planes: PlaneFormat) -> av.VideoFrame:
    """Convert a frame to the format of the coloured film; the frame itself is returned if it has that format."""
    if not planes.converted:
        return frame
    if frame.format.is_rgb:
        if min(part.bits for part in frame.format.components) < _EXPANDED:
            frame = frame.reformat(format="rgb24")  # otherwise FFmpeg's scaler makes their white a light grey
        return frame.reformat(format=planes.name, dst_colorspace=planes.colorspace, dst_color_range=_LIMITED_RANGE)
    if len(frame.format.components) < 3:
        bits = frame.format.components[0].bits
        if len(frame.planes) > 1 or len(frame.format.components) > 1 or bits not in _SHIFTED:
            frame = frame.reformat(format="gray" if bits <= 8 else "gray16le")
        return _shifted(frame, planes)
    if planes.lost_bits and len(frame.planes) > 2:
        return _shifted(frame, planes)
    return frame.reformat(format=planes.name)


def _shifted(frame: av.VideoFrame, planes: PlaneFormat) -> av.VideoFrame:
    """Convert by shifting bits, because FFmpeg's scaler dithers, and takes all grey for full range."""
    new = av.VideoFrame(frame.width, frame.height, planes.name)
    up = planes.coding.bits - frame.format.components[0].bits
    for index in range(3 if len(frame.planes) > 2 else 1):
        plane = view(frame, index)
        view(new, index)[...] = plane.astype(planes.dtype) << up if up > 0 else plane >> -up
    new.pts, new.time_base = frame.pts, frame.time_base
    return new
