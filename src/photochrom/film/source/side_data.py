"""Reads what decoded frames state: side data, such as closed captions or a display matrix, and the field order."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer

_CAPTIONS = "A53_CC"
_PROFILE = "ICC_PROFILE"
_PNG_FORMATS = frozenset((
    "gray", "gray16be", "monob", "pal8", "rgb24", "rgb48be", "rgba", "rgba64be", "ya8", "ya16be",
))  # fmt: skip
"""Pixel formats of frames from FFmpeg's PNG decoder."""
_STORE_CAPTIONS = ("libx264",)
_NAMES = {
    _CAPTIONS: "closed captions",
    "AFD": "the active format description",
    "S12M_TIMECODE": "time codes of single frames",
    "STEREO3D": "the arrangement of a stereo picture",
    "SPHERICAL": "the projection of a spherical picture",
    _PROFILE: "the ICC profile",
    "MASTERING_DISPLAY_METADATA": "the mastering display",
    "CONTENT_LIGHT_LEVEL": "the content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "FILM_GRAIN_PARAMS": "film grain parameters",
}
"""Descriptions of those kinds of side data that may be lost; other kinds are kept, or only concern the decoder."""


def side_data_of(frame: av.VideoFrame) -> list[SideData]:
    """Return the side data on a frame, without the ICC profile of a PNG; empty if any kind is unknown to PyAV."""
    without = _filtered(frame, "sidedata", f"mode=delete:type={_PROFILE}") if _has_png_profile(frame) else frame
    try:
        # Unlike frame.side_data, this makes no reference cycle, which would delay freeing the frame's memory.
        container: Any = SideDataContainer  # the type stub lacks the argument
        return list(container(without))
    except ValueError:  # PyAV cannot read any side data of a frame that has a kind unknown to PyAV, such as EXIF
        return []


def kinds(frame: av.VideoFrame) -> frozenset[str]:
    """Return PyAV's names of the kinds of side data on a frame, such as ``A53_CC`` for closed captions."""
    found = frozenset(part.type.name for part in side_data_of(frame))
    return found | {_PROFILE} if _has_png_profile(frame) else found


def _has_png_profile(frame: av.VideoFrame) -> bool:
    """Return whether a frame has an ICC profile, and a pixel format in which PNG files are decoded."""
    # FFmpeg's PNG decoder stores the profile's name as metadata of the side data. PyAV would free this metadata a
    # second time, which crashes the process. Other decoders store no such metadata.
    return (
        frame.format.name in _PNG_FORMATS and _filtered(frame, "sidedata", f"mode=select:type={_PROFILE}") is not None
    )


def _filtered(frame: av.VideoFrame, name: str, setting: str) -> av.VideoFrame | None:
    """Apply a filter of FFmpeg to a frame; planes are shared with the result, which is None if the filter drops it."""
    graph = av.filter.Graph()
    size = {"width": frame.width, "height": frame.height, "format": frame.format.name}
    source = graph.add_buffer(**size, time_base=Fraction(1, 1000))
    graph.link_nodes(source, graph.add(name, setting), graph.add("buffersink")).configure()
    graph.push(frame)
    graph.push(None)
    try:
        found = graph.pull()
    except av.error.EOFError:
        return None
    assert isinstance(found, av.VideoFrame)
    return found


def display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """Return the nine numbers of a frame's display matrix, which rotates or flips it; None if it has none."""
    found = [part for part in side_data_of(frame) if part.type.name == "DISPLAYMATRIX"]
    return np.frombuffer(bytes(found[0]), np.int32).tolist() if found else None


def has_captions(frame: av.VideoFrame) -> bool:
    """Return whether a frame has closed captions."""
    return _CAPTIONS in kinds(frame)


def lost(found: Iterable[str], codec: str) -> list[str]:
    """Return a note for the user on each kind of side data in ``found`` that a codec cannot store."""
    stored = {_CAPTIONS} if codec in _STORE_CAPTIONS else set()
    lines = [f"not kept: {_NAMES[kind]}" for kind in sorted(set(found) & _NAMES.keys() - stored)]
    return [line + (" (libx264 keeps them)" if "captions" in line else "") for line in lines]


def fields(frame: av.VideoFrame) -> str:
    """Return a frame's field order, ``tff`` or ``bff``; empty if it is not interlaced.

    Decoders and encoders rely on the frame's flags; those of the container may be missing or differ.
    """
    if not frame.interlaced_frame:
        return ""
    return "tff" if _filtered(frame, "select", "eq(interlace_type,TOPFIRST)") else "bff"
