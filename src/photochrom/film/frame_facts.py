"""What single frames say of a film: their fields, how they are to be turned, whether they have colours."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData

from .planes import view

_COLORED = 2.0  # mean distance of chroma from a tint, in steps of 8 bits, beyond which a frame has colours
_TINTS = 16  # of a toned film: levels of luma that have one each
_LOOKED_AT = 256  # places along each side


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """What it says of how it is to be turned, nine numbers; None where it says nothing."""
    try:
        found = frame.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # there is some of a kind that PyAV does not know, EXIF for one: none is then to be had
        found = None
    return None if found is None else np.frombuffer(bytes(found), np.int32).tolist()


def fields(frame: av.VideoFrame) -> str:
    """By the frame itself, as decoders and encoders have it: what containers say may be missing or another thing."""
    if not frame.interlaced_frame:
        return ""
    graph = av.filter.Graph()
    size = {"width": frame.width, "height": frame.height, "format": frame.format.name}
    source = graph.add_buffer(**size, time_base=Fraction(1, 1000))
    graph.link_nodes(source, graph.add("select", "eq(interlace_type,TOPFIRST)"), graph.add("buffersink")).configure()
    graph.push(frame)
    graph.push(None)
    try:
        graph.pull()
    except av.error.EOFError:
        return "bff"
    return "tff"


def has_colors(frame: av.VideoFrame) -> bool:
    """Whether it has more colours than a tint, or one for each luma."""
    luma, *planes = _samples(frame)
    level = (luma // (256 // _TINTS)).ravel()
    pixels = np.maximum(np.bincount(level, minlength=_TINTS), 1)
    away = [p.ravel() - (np.bincount(level, p.ravel(), _TINTS) / pixels)[level] for p in planes]
    return float(np.hypot(*away).mean()) > _COLORED


def _samples(frame: av.VideoFrame) -> list[np.ndarray]:
    """Luma and chroma of some places of a frame, uint8 ``[h, w]`` each."""
    if len(frame.planes) < 3 or frame.format.is_rgb or len(frame.format.components) > 3:
        size = {"width": min(frame.width, _LOOKED_AT) // 2 * 2, "height": min(frame.height, _LOOKED_AT) // 2 * 2}
        return list(frame.reformat(**size, format="yuv444p").to_ndarray())
    # Its own planes: FFmpeg's scaler reads beyond those of interlaced frames of some heights.
    luma, *chroma = (view(frame, index) >> (frame.format.components[0].bits - 8) for index in range(3))
    rows, columns = (slice(None, None, max(1, side // _LOOKED_AT)) for side in chroma[0].shape)
    luma = cv2.resize(luma, chroma[0].shape[::-1], interpolation=cv2.INTER_AREA)
    return [plane[rows, columns].astype(np.uint8) for plane in (luma, *chroma)]
