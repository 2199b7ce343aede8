"""Finds the intertitles of silent films (still text on black), so that they can be left unchanged.

A frame looks like a title if nearly all of it has one dark tone, and its bright parts are several small, thin shapes,
like letters. A shot is a title if most of its frames look like a title, and the letters do not move.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ...color.thumbnail import thumbnail
from ...color.tones import NEGATIVE
from ..frame_buffers import luma_plane
from ..frames import FrameColorizer, PreparedFrame
from ..plan import Plan
from .detection import MarkedShots, is_blank

_SIZE = 240  # short side in pixels at which letters are found
_INTERVAL = 6  # every sixth frame is examined
_PERCENT = 60  # least percentage of a shot's frames that look like a title; the others may be fading
_DARK = 80  # luma, 0 to 255, below which the background is black, even on washed-out prints
_BRIGHTER = 60  # steps of luma by which letters are brighter than the background
_SPREAD = 14  # most steps of luma from the background's 5th to its 95th percentile, for grain, flicker and vignetting
_LETTERS = (0.002, 0.3)  # least and greatest share of the frame covered by letters
_EDGES = 0.35  # greatest share of intermediate tones, as at edges of letters, among the pixels outside the background
_PIECES = 5  # least number of letters
_HIGH = 1 / 5  # greatest height of a letter, as a share of the frame's height
_THICK = 1 / 28  # greatest distance from the middle of a stroke to its edge, as a share of the frame's height
_OTHERS = 0.5  # greatest area of other bright parts, such as ornaments, as a share of the letters' area
_STILL = 0.7  # least share of the letters that are in the same place in another frame
_WEAVE = 3  # most pixels by which gate weave moves a title


def find_titles(
    frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None
) -> MarkedShots:
    """Read a film, and find its titles.

    Args:
        frame_colorizer: Prepares the frames of the film.
        plan: The part of the film to colour.
        on_frame: Called before each frame; an exception that it raises ends the reading.

    Raises:
        FilmError: The film cannot be read; see ``FilmReader.frames``.
    """
    starts: list[int] = []
    masks: list[list[np.ndarray | None]] = []
    number = 0
    for prepared, start in frame_colorizer.prepared_part(plan, on_frame):
        if start:
            starts.append(prepared.pts)
            masks.append([])
            number = 0
        if number % _INTERVAL == 0 and not is_blank(prepared.small):
            masks[-1].append(letters(_legible(frame_colorizer, prepared)))
        number += 1
    return MarkedShots(tuple(starts), tuple(_is_title(of_shot) for of_shot in masks))


def keeping_titles(
    frame_colorizer: FrameColorizer, plan: Plan, on_frame: Callable[[], None] = lambda: None
) -> FrameColorizer:
    """Return a frame colorizer that leaves titles unchanged, and add a note to the plan.

    Without ``keep_titles``, the frame colorizer is returned as it is.

    Args:
        frame_colorizer: Colours the frames of the film.
        plan: The part of the film to colour.
        on_frame: Called before each frame that is read; an exception that it raises ends the reading.

    Raises:
        FilmError: The film cannot be read; see ``FilmReader.frames``.
    """
    if not frame_colorizer.options.keep_titles:
        return frame_colorizer
    titles = find_titles(frame_colorizer, plan, on_frame)
    count = sum(titles.marked)
    are = "is a title" if count == 1 else "are titles"
    plan.notes.append(f"{count} of {len(titles.starts)} shots {are}, left unchanged")
    return frame_colorizer.keeping(titles.has)


def _legible(frame_colorizer: FrameColorizer, prepared: PreparedFrame) -> np.ndarray:
    """Return the luma of a frame's picture area, reduced to a short side of at most ``_SIZE`` pixels.

    The result is uint8 ``[h, w]``, full range, and positive for a negative film. Text remains legible at this size,
    which, unlike that of the thumbnail, does not depend on the model.
    """
    luma = luma_plane(prepared.frame)[frame_colorizer.area.luma]
    scale = min(1.0, _SIZE / min(luma.shape))
    height, width = (max(1, round(side * scale)) for side in luma.shape)
    shown = thumbnail(luma, frame_colorizer.planes.coding, height, width)
    return NEGATIVE.scene(shown) if frame_colorizer.options.negative else shown


def letters(luma: np.ndarray) -> np.ndarray | None:
    """Find the letters of a title.

    Args:
        luma: A frame with a short side of about 240 pixels, uint8 ``[h, w]``, full range.

    Returns:
        Mask of the letters, bool ``[h, w]``; None if the frame does not look like a title.
    """
    ground = float(np.median(luma))
    bright = luma > ground + _BRIGHTER
    if ground > _DARK or not _LETTERS[0] <= bright.mean() <= _LETTERS[1]:
        return None
    near = np.abs(luma - ground) <= _BRIGHTER / 2
    if 1 - near.mean() - bright.mean() > _EDGES * (1 - near.mean()):
        return None
    around = cv2.dilate((~near).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    low, high = np.percentile(cv2.blur(luma, (5, 5))[~around], (5, 95)) if not around.all() else (0, 255)
    if high - low > _SPREAD:
        return None
    return bright if _consists_of_letters(bright) else None


def _consists_of_letters(bright: np.ndarray) -> bool:
    """Return whether the parts of a mask, bool ``[h, w]``, are mostly of the size and stroke width of letters."""
    height = bright.shape[0]
    _, labels, facts, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
    edge = cv2.distanceTransform(np.pad(bright.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    thickness = np.zeros(len(facts))
    np.maximum.at(thickness, np.asarray(labels, np.intp), edge)
    area = facts[:, cv2.CC_STAT_AREA]
    is_letter = (facts[:, cv2.CC_STAT_HEIGHT] <= _HIGH * height) & (thickness <= _THICK * height) & (area > 2)
    is_letter[0] = False  # the background
    others = area[1:].sum() - area[is_letter].sum()
    return int(is_letter.sum()) >= _PIECES and others <= _OTHERS * area[is_letter].sum()


def _is_title(results: list[np.ndarray | None]) -> bool:
    """Return whether a shot is a title, from the results of ``letters`` for some of its frames."""
    masks = [mask for mask in results if mask is not None]
    if not masks or 100 * len(masks) < _PERCENT * len(results):
        return False
    middle = np.pad(masks[len(masks) // 2].astype(np.float32), _WEAVE)
    still = [cv2.matchTemplate(middle, mask.astype(np.float32), cv2.TM_CCORR).max() / mask.sum() for mask in masks]
    return float(np.median(still)) >= _STILL
