"""Side data on frames, such as closed captions: reads it, and reports what a codec cannot carry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import av
from av.sidedata.sidedata import SideData, SideDataContainer

_CAPTIONS = "A53_CC"
_CARRY_CAPTIONS = ("libx264",)
_NAMES = {
    _CAPTIONS: "closed captions",
    "AFD": "the active format description",
    "S12M_TIMECODE": "time codes of single frames",
    "STEREO3D": "the arrangement of a stereo picture",
    "SPHERICAL": "the projection of a spherical picture",
    "ICC_PROFILE": "the ICC profile",
    "MASTERING_DISPLAY_METADATA": "the mastering display",
    "CONTENT_LIGHT_LEVEL": "the content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "FILM_GRAIN_PARAMS": "film grain parameters",
}
"""Descriptions of kinds of side data that may be lost; the others are kept, or only concern the decoder."""


def side_data_of(frame: av.VideoFrame) -> list[SideData]:
    """Return the side data on a frame."""
    try:
        # ``frame.side_data`` would create a reference cycle, so that only the garbage collector frees the planes.
        container: Any = SideDataContainer  # the type stub lacks the argument
        return list(container(frame))
    except ValueError:  # PyAV fails altogether if it does not know one kind, such as EXIF
        return []


def kinds(frame: av.VideoFrame) -> frozenset[str]:
    """Return the kinds of side data on a frame, by PyAV's names (``A53_CC``)."""
    return frozenset(part.type.name for part in side_data_of(frame))


def has_captions(frame: av.VideoFrame) -> bool:
    """Return whether a frame carries closed captions."""
    return _CAPTIONS in kinds(frame)


def lost(found: Iterable[str], codec: str) -> list[str]:
    """Return a note for each kind of side data that a codec does not carry."""
    carried = {_CAPTIONS} if codec in _CARRY_CAPTIONS else set()
    lines = [f"not kept: {_NAMES[kind]}" for kind in sorted(set(found) & _NAMES.keys() - carried)]
    return [line + (" (libx264 keeps them)" if "captions" in line else "") for line in lines]
