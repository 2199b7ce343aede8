"""Reads properties that decoded frames state: field order and display matrix."""

from __future__ import annotations

from fractions import Fraction

import av
import av.filter
import numpy as np

from .side_data import side_data_of


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """Return the nine numbers of a frame's display matrix, which rotates or flips it; None if it has none."""
    found = [part for part in side_data_of(frame) if part.type.name == "DISPLAYMATRIX"]
    return np.frombuffer(bytes(found[0]), np.int32).tolist() if found else None


def fields(frame: av.VideoFrame) -> str:
    """Return a frame's field order, ``tff`` or ``bff``; empty if it is not interlaced.

    Decoders and encoders rely on the frame's flags; those of the container may be missing or differ.
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
