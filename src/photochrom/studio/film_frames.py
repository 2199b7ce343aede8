"""Reads the frames of a film that the studio displays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from ..color.thumbnail import thumbnail
from ..colorizer.colorizer import Colorizer
from ..film.frame_buffers import luma_plane
from ..film.frames import FrameColorizer, PreparedFrame
from ..film.options import FilmOptions
from ..film.plan import Plan, make_plan
from ..film.preview import in_own_colors
from ..film.reader import FilmReader
from ..film.shots.detection import MarkedShots
from ..film.source.color_detection import GAP, has_colors
from .items import hiding_folder
from .pictures import PREVIEW, Picture


@dataclass(frozen=True, eq=False)
class DisplayedFrame:
    """A frame of a film, at display size."""

    picture: Picture
    """The frame; with its own colours if it has any."""
    time: Fraction
    """Its time in seconds from the film's beginning."""
    is_colored: bool
    """Whether it is in a shot that is in colour already, of a film that is only partly in colour."""


@contextmanager
def open_film(
    colorizer: Colorizer, path: Path, options: FilmOptions, max_pixels: float = math.inf
) -> Iterator[tuple[FrameColorizer, Plan]]:
    """Yield a film's frame colorizer and plan, to display frames; the film is closed after the block.

    Raises:
        FilmError: The film cannot be read or coloured, or is too large.
    """
    with hiding_folder(path), FilmReader(path, max_pixels) as reader:
        plan = make_plan(reader, None, options)
        yield FrameColorizer(colorizer, reader, plan.planes, options), plan


def read_frame(
    frame_colorizer: FrameColorizer, time: Fraction, colored_shots: MarkedShots | None, *, may_be_colored: bool
) -> DisplayedFrame:
    """Read the first frame at or after a time in seconds, or the last frame if there is none.

    Args:
        frame_colorizer: Prepares the frames of the film.
        time: The time, in seconds from the film's beginning.
        colored_shots: The shots that are in colour already; None if they have not been found yet.
        may_be_colored: Whether some of the film is in colour already.

    Raises:
        FilmError: The film cannot be read.
    """
    reader = frame_colorizer.reader
    first = reader.pts_at(time, or_last=True)
    frames = list(islice(reader.frames(first), GAP + 1 if may_be_colored else 1))
    is_colored = may_be_colored and (
        has_colors(frames[::GAP]) if colored_shots is None else colored_shots.has(frames[0].pts)
    )
    prepared = frame_colorizer.prepare(frames[0])
    luma = _display_luma(frame_colorizer, prepared)
    own = in_own_colors(frame_colorizer, prepared, luma) if is_colored else None
    return DisplayedFrame(Picture(luma, prepared.thumbnail, own), reader.seconds(prepared.pts), is_colored)


def _display_luma(frame_colorizer: FrameColorizer, prepared: PreparedFrame) -> np.ndarray:
    """Return a frame's luma, uint8 ``[h, w]``, upright, with square pixels and sides of at most ``PREVIEW``."""
    reader = frame_colorizer.reader
    height, width = reader.height, reader.width * float(reader.aspect)
    scale = min(1, PREVIEW / max(height, width))
    sides = (max(1, round(side * scale)) for side in (height, width))
    luma = thumbnail(luma_plane(prepared.frame), frame_colorizer.planes.coding, *sides)
    return np.ascontiguousarray(np.rot90(luma, reader.turns))
