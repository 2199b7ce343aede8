"""``PictureArea``: the part of a scanned frame that holds the picture, without sprocket holes and frame lines."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...colorizer.margins import Box
from ...errors import FilmError, OptionError
from ..hints import FilmHint

_LEAST = 16  # least side of a picture, in pixels


@dataclass(frozen=True)
class PictureArea:
    """The part of a frame to colour, aligned to whole chroma samples."""

    luma: tuple[slice, slice] = (slice(None), slice(None))
    """Rows and columns of the luma plane."""
    chroma: tuple[slice, slice] = (slice(None), slice(None))
    """Rows and columns of the chroma planes."""
    box: Box | None = None
    """The area as shares of the upright frame; None for the whole frame."""

    def of_plane(self, plane: np.ndarray, height: int, width: int) -> np.ndarray:
        """Return the part inside the picture area of a stored plane, luma or chroma, ``[h, w]``; at least one sample.

        Args:
            plane: A plane whose format may differ from that of ``chroma``.
            height: Rows of luma of the plane's frame.
            width: Columns of luma of the plane's frame.
        """
        rows, columns = (_scaled(*part) for part in zip(self.luma, (height, width), plane.shape, strict=True))
        return plane[rows, columns]

    def crop(self, planes: np.ndarray) -> np.ndarray:
        """Return the picture area of planes that show the whole upright frame at any size, ``[..., h, w]``."""
        if self.box is None:
            return planes
        height, width = planes.shape[-2:]
        rows = slice(math.floor(self.box.top * height), math.ceil(self.box.bottom * height))
        return planes[..., rows, math.floor(self.box.left * width) : math.ceil(self.box.right * width)]

    def hints_within(self, hints: Sequence[FilmHint], height: float, width: float) -> list[FilmHint]:
        """Return the hints inside the picture area, with positions relative to that area.

        Args:
            hints: Hints with positions relative to the frame.
            height: Height of the upright frame as it is shown.
            width: Width of the upright frame as it is shown, in the same unit.
        """
        if self.box is None:
            return list(hints)
        return [replace(hint, hint=own) for hint in hints for own in self.box.hints([hint.hint], height, width)]


def parse_area(text: str) -> tuple[int, int, int, int]:
    """Parse ``X,Y,W,H``: left, top, width and height in pixels.

    Raises:
        OptionError: The text is not four whole numbers.
    """
    if not re.fullmatch(r"\s*\d{1,6}(\s*,\s*\d{1,6}){3}\s*", text, re.ASCII):
        raise OptionError(
            f"{text!r:.60} is not an area of the frame", remedy="write X,Y,W,H in pixels, as in 96,0,1856,1556"
        )
    left, top, width, height = (int(part) for part in text.split(","))
    return left, top, width, height


def picture_area(
    area: tuple[int, int, int, int] | None,
    size: tuple[int, int],
    subsampling: tuple[int, int],
    *,
    turns: int = 0,
) -> PictureArea:
    """Return the picture area of a frame, shrunk to whole chroma samples.

    Args:
        area: Left, top, width and height in pixels of the stored frame; None for all of it.
        size: Height and width of the stored frame.
        subsampling: Rows and columns of luma that share one sample of chroma.
        turns: Quarter turns counter-clockwise that make the frame upright.

    Raises:
        FilmError: The area does not lie inside the frame, or is too small.
    """
    if area is None:
        return PictureArea()
    left, top, width, height = area
    if left + width > size[1] or top + height > size[0] or min(width, height) < _LEAST:
        raise FilmError(
            f"the picture cannot be {width} x {height} pixels at {left},{top} of frames of {size[1]} x {size[0]}",
            remedy=f"name a part of the frame whose sides have {_LEAST} pixels or more",
        )
    rows = _whole(top, height, size[0], 2 * subsampling[0])  # steps of both fields, since any frame may be interlaced
    columns = _whole(left, width, size[1], subsampling[1])
    chroma = _shared(rows, subsampling[0]), _shared(columns, subsampling[1])
    return PictureArea((rows, columns), chroma, _upright(rows, columns, size, turns))


def _whole(start: int, length: int, side: int, step: int) -> slice:
    """Shrink a range of pixels so that it begins and ends at multiples of ``step``, or ends with the side."""
    stop = start + length
    return slice(-(-start // step) * step, side if stop == side else stop // step * step)


def _shared(luma: slice, step: int) -> slice:
    """Return the range of chroma samples for a range of luma; ``step`` luma samples share one chroma sample."""
    return slice(luma.start // step, -(-luma.stop // step))


def _scaled(part: slice, side: int, samples: int) -> slice:
    """Convert a range of the pixels of a side to that of the samples inside it; at least one."""
    start, stop, _ = part.indices(side)
    first = min(-(-start * samples // side), samples - 1)
    return slice(first, max(stop * samples // side, first + 1))


def _upright(rows: slice, columns: slice, size: tuple[int, int], turns: int) -> Box:
    """Return an area of the stored frame as shares of the upright frame."""
    box = Box(rows.start / size[0], columns.start / size[1], rows.stop / size[0], columns.stop / size[1])
    for _ in range(turns):
        box = Box(1 - box.right, box.top, 1 - box.left, box.bottom)
    return box
