"""Facts about a film that single frames tell: fields, orientation, side data, and whether they have colours."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData

from .planes import view
from .shots import is_blank

_COLORED = 2.0  # mean distance of chroma from a tint, in steps of 8 bits, beyond which a frame has colours
_TINTS = 16  # levels of luma of a toned film; each may have a tint of its own
_GRID = 256  # samples along each side


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """Return the nine numbers that say how to turn the frame; None if there are none."""
    try:
        found = frame.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # PyAV does not know a kind of side data that is there, such as EXIF, and gives none at all
        found = None
    return None if found is None else np.frombuffer(bytes(found), np.int32).tolist()


def side_data(frame: av.VideoFrame) -> frozenset[str]:
    """Return the names of the kinds of side data on a frame, as PyAV spells them (``A53_CC``)."""
    try:
        return frozenset(part.type.name for part in frame.side_data)
    except ValueError:  # as above
        return frozenset()


def fields(frame: av.VideoFrame) -> str:
    """Return which field of a frame is the earlier, ``tff`` or ``bff``; empty if it is not interlaced.

    The frame tells what decoders and encoders use; what the container says may be missing or differ.
    """
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


def shows_nothing(frame: av.VideoFrame) -> bool:
    """Tell whether a frame is black, white or grey all over."""
    return is_blank(_samples(frame)[0])


def has_colors(frame: av.VideoFrame) -> bool:
    """Tell whether a frame has more colours than a tint, or than one for each level of luma (toning)."""
    luma, *planes = _samples(frame)
    level = (luma // (256 // _TINTS)).ravel()
    pixels = np.maximum(np.bincount(level, minlength=_TINTS), 1)
    away = [p.ravel() - (np.bincount(level, p.ravel(), _TINTS) / pixels)[level] for p in planes]
    return float(np.hypot(*away).mean()) > _COLORED


def _samples(frame: av.VideoFrame) -> list[np.ndarray]:
    """Return luma and chroma at some places of a frame, uint8 ``[h, w]`` each."""
    if len(frame.planes) < 3 or frame.format.is_rgb or len(frame.format.components) > 3:
        size = {"width": min(frame.width, _GRID) // 2 * 2, "height": min(frame.height, _GRID) // 2 * 2}
        return list(frame.reformat(**size, format="yuv444p").to_ndarray())
    # The frame's own planes, because FFmpeg's scaler reads beyond those of interlaced frames of some heights.
    luma, *chroma = (view(frame, index) >> (frame.format.components[0].bits - 8) for index in range(3))
    rows, columns = (slice(None, None, max(1, side // _GRID)) for side in chroma[0].shape)
    luma = cv2.resize(luma, chroma[0].shape[::-1], interpolation=cv2.INTER_AREA)
    return [plane[rows, columns].astype(np.uint8) for plane in (luma, *chroma)]
