"""Finds the intertitles of silent films (still text on black), so that they can be left unchanged.

A frame looks like a title if nearly all of it is one dark tone, and its bright parts are several small, thin pieces,
like letters. A shot is a title if most of its frames look like one, and their letters do not move.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ...color.thumbnail import thumbnail
from ..frame_buffers import luma_plane
from ..frame_kinds import negative
from ..frames import FrameColorizer, PreparedFrame
from ..plan import Plan
from . import detection

_SIZE = 240  # short side in pixels at which letters are found
_GAP = 6  # frames between two that are examined
_PERCENT = 60  # least percentage of a title's frames that look like one; the others fade in or out
_DARK = 80  # luma, 0 to 255, below which the background is black, even on washed-out prints
_ABOVE = 60  # steps of luma by which letters are brighter than the background
_UNEVEN = 14  # greatest spread of the background (its middle nine tenths), for grain, flicker and vignetting
_LETTERS = (0.002, 0.3)  # least and greatest share of the frame covered by letters
_BETWEEN = 0.35  # greatest share of the pixels outside the background that may be edges, between background and letters
_PIECES = 5  # least number of letters
_HIGH = 1 / 5  # greatest height of a letter, as a share of the frame's height
_THICK = 1 / 28  # greatest distance from the middle of a stroke to its edge, likewise
_LARGE = 0.5  # greatest area of other bright parts, such as ornaments, as a share of the letters' area
_STAYS = 0.7  # least share of the letters that are in the same place some frames later
_WEAVE = 3  # most pixels by which gate weave moves a title


@dataclass(frozen=True)
class Titles:
    """The shots of a film, and which of them are titles."""

    starts: tuple[int, ...] = ()
    """pts of the first frame of each shot."""
    are_titles: tuple[bool, ...] = ()
    """Whether each shot is a title."""

    def has(self, pts: int) -> bool:
        """Return whether a frame belongs to a title."""
        number = bisect_right(self.starts, pts) - 1
        return number >= 0 and self.are_titles[number]

    def note(self) -> str:
        """Return a note of how many shots are titles."""
        count = sum(self.are_titles)
        return f"{count} of {len(self.starts)} shots {'is a title' if count == 1 else 'are titles'}, left unchanged"


def find_titles(frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None) -> Titles:
    """Read a film, and find its titles.

    Args:
        frame_colorizer: Prepares the frames of the film.
        plan: The part of the film to colour.
        on_frame: Called before each frame; an exception that it raises ends the reading.
    """
    reader = frame_colorizer.reader
    starts: list[int] = []
    looks: list[list[np.ndarray | None]] = []
    number = 0
    frames = plan.span.until_end(reader.frames(plan.first, on_frame=on_frame), reader.time_base)
    for prepared, start in frame_colorizer.prepared(frames):
        if start:
            starts.append(prepared.pts)
            looks.append([])
            number = 0
        if number % _GAP == 0 and not detection.is_blank(prepared.small):
            looks[-1].append(letters(_legible(frame_colorizer, prepared)))
        number += 1
    return Titles(tuple(starts), tuple(_is_title(found) for found in looks))


def keeping_titles(
    frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None
) -> FrameColorizer:
    """Return a frame colorizer that leaves titles unchanged if the options say so; adds a note to the plan."""
    if not frame_colorizer.options.keep_titles:
        return frame_colorizer
    titles = find_titles(frame_colorizer, plan, on_frame)
    plan.notes.append(titles.note())
    return frame_colorizer.keeping(titles.has)


def _legible(frame_colorizer: FrameColorizer, prepared: PreparedFrame) -> np.ndarray:
    """Return the frame's luma, small but legible: at most ``_SIZE`` pixels on the short side, uint8 ``[h, w]``.

    The size does not depend on the model's.
    """
    luma = luma_plane(prepared.frame)[frame_colorizer.area.luma]
    scale = min(1.0, _SIZE / min(luma.shape))
    height, width = (max(1, round(side * scale)) for side in luma.shape)
    shown = thumbnail(luma, frame_colorizer.planes.coding, height, width)
    return negative.for_network(shown) if frame_colorizer.options.negative else shown


def letters(luma: np.ndarray) -> np.ndarray | None:
    """Find the letters of a title.

    Args:
        luma: A frame with a short side of about 240 pixels, uint8 ``[h, w]``, full range.

    Returns:
        Mask of the letters, bool ``[h, w]``; None if the frame does not look like a title.
    """
    ground = float(np.median(luma))
    bright = luma > ground + _ABOVE
    if ground > _DARK or not _LETTERS[0] <= bright.mean() <= _LETTERS[1]:
        return None
    near = np.abs(luma - ground) <= _ABOVE / 2
    if 1 - near.mean() - bright.mean() > _BETWEEN * (1 - near.mean()):
        return None
    around = cv2.dilate((~near).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    low, high = np.percentile(cv2.blur(luma, (5, 5))[~around], (5, 95)) if not around.all() else (0, 255)
    if high - low > _UNEVEN:
        return None
    return bright if _consists_of_letters(bright) else None


def _consists_of_letters(bright: np.ndarray) -> bool:
    height = bright.shape[0]
    _, labels, facts, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
    edge = cv2.distanceTransform(np.pad(bright.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    thickness = np.zeros(len(facts))
    np.maximum.at(thickness, np.asarray(labels, np.intp), edge)
    area = facts[:, cv2.CC_STAT_AREA]
    is_letter = (facts[:, cv2.CC_STAT_HEIGHT] <= _HIGH * height) & (thickness <= _THICK * height) & (area > 2)
    is_letter[0] = False  # the background
    others = area[1:].sum() - area[is_letter].sum()
    return int(is_letter.sum()) >= _PIECES and others <= _LARGE * area[is_letter].sum()


def _is_title(found: list[np.ndarray | None]) -> bool:
    """Return whether a shot is a title, from the results of ``letters`` for some of its frames."""
    seen = [one for one in found if one is not None]
    if not seen or 100 * len(seen) < _PERCENT * len(found):
        return False
    middle = np.pad(seen[len(seen) // 2].astype(np.float32), _WEAVE)
    stays = [cv2.matchTemplate(middle, one.astype(np.float32), cv2.TM_CCORR).max() / one.sum() for one in seen]
    return float(np.median(stays)) >= _STAYS
