"""Facts about a film that its frames tell: which field is the earlier, and how to turn the picture."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import Type as SideData


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """Return the nine numbers that say how to turn the frame; None if there are none."""
    try:
        found = frame.side_data.get(SideData.DISPLAYMATRIX)
    except ValueError:  # PyAV does not know a kind of side data that is there, such as EXIF, and gives none at all
        found = None
    return None if found is None else np.frombuffer(bytes(found), np.int32).tolist()


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
