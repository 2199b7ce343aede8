"""Side data on a film's frames, such as closed captions: what the coloured film carries, and what it loses."""

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
"""Kinds of side data that may be lost; the others are carried, or concern the decoder alone."""


def side_data_of(frame: av.VideoFrame) -> list[SideData]:
    """Return the side data on a frame."""
    try:
        # ``frame.side_data`` would tie the frame to itself, so that only the garbage collector frees its planes.
        container: Any = SideDataContainer  # its stub lacks the argument
        return list(container(frame))
    except ValueError:  # PyAV does not know a kind that is there, such as EXIF, and gives none at all
        return []


def kinds(frame: av.VideoFrame) -> frozenset[str]:
    """Return the names of the kinds of side data on a frame, as PyAV spells them (``A53_CC``)."""
    return frozenset(part.type.name for part in side_data_of(frame))


def has_captions(frame: av.VideoFrame) -> bool:
    """Tell whether a frame carries closed captions."""
    return _CAPTIONS in kinds(frame)


def lost(found: Iterable[str], codec: str) -> list[str]:
    """Return one line of text for each kind of side data that a codec does not carry."""
    carried = {_CAPTIONS} if codec in _CARRY_CAPTIONS else set()
    lines = [f"not kept: {_NAMES[kind]}" for kind in sorted(set(found) & _NAMES.keys() - carried)]
    return [line + (" (libx264 keeps them)" if "captions" in line else "") for line in lines]
