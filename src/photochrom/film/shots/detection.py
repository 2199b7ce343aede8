"""Shot detection: cuts, fades through black or white, and dissolves.

The measure is what motion cannot explain: the earlier frame is warped along the optical flow to the later one, and the
remaining difference, divided by the contrast of both, is their distance. A pan has a small distance, a cut a large one.
Each decision depends on about a second around a frame and on nothing else, so that it is the same wherever one starts.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from .. import optical_flow

REACH = 16
"""Number of frames before and after a frame that decide whether a shot begins with it."""
_SPECK = 3  # pixels of the median that removes scratches and dust
_AROUND = 8.0  # pixels over which brightness and contrast are made even, where a lamp or a stain may change them
_SIZE = 64  # pixels of the short side at which frames are compared
_CUT = 0.45  # least distance between frames of different shots
_STANDS_OUT = 2.5  # least ratio of a cut's distance to the median of its neighbours'
_FLASH = 4  # greatest number of frames for which a flash or dust may hide a shot
_HALF = 8  # frames of half a dissolve
_MIXED = 0.3  # share of a dissolve's difference that a mixture of its ends may leave unexplained
_GRAIN = 3.0  # mean deviation of luma due to film grain
_IN_ORDER = -0.8  # greatest correlation of the earlier shot's share with time in a dissolve; in flicker it is near 0
_DIM = 0.35  # ratio of contrasts below which one end of a mixture is fading
_COARSE = 16  # pixels of the short side at which it is judged whether a frame shows anything
_FAINT = 3.0  # deviation of luma up to which a frame shows nothing; at twice as much it is a picture
BLANK = 4.0
"""Standard deviation of luma (0 to 255) below which a frame shows nothing."""


@dataclass(frozen=True)
class Shot:
    """A shot of a film."""

    start: Fraction
    """Time of its first frame, in seconds from the film's beginning."""
    end: Fraction
    """Time of the frame after its last, in seconds from the film's beginning."""
    frames: int
    """Number of frames."""


@dataclass(frozen=True)
class _Frame:
    small: np.ndarray
    """uint8 ``[h, w]``"""
    distance: float
    """Distance to the frame before."""
    is_blank: bool
    """Whether the frame is black, white or grey all over."""


def starts(lumas: Iterable[np.ndarray]) -> Iterator[bool]:
    """Tell of each frame whether a shot begins with it. Runs ``REACH`` frames behind its input.

    Args:
        lumas: Thumbnails of consecutive frames, uint8 ``[h, w]``, full range, all of one size.
    """
    window: deque[_Frame | None] = deque([None] * REACH, maxlen=2 * REACH + 1)
    first = True
    for frame in itertools.chain(_measured(lumas), [None] * REACH):
        window.append(frame)
        if len(window) == window.maxlen and (now := list(window))[REACH] is not None:
            yield first or _starts_shot(now)
            first = False


def _measured(lumas: Iterable[np.ndarray]) -> Iterator[_Frame]:
    before = None
    for luma in lumas:
        shown = _shrunk(luma)
        small = cv2.medianBlur(shown, _SPECK)
        distance = 0.0 if before is None else _distance(before, small)
        yield _Frame(small, distance, float(shown.std()) < BLANK)
        before = small


def contrast(luma: np.ndarray) -> float:
    """Return the standard deviation of a luma plane, uint8 ``[h, w]``, measured without its grain."""
    return float(_shrunk(luma).std())


def is_blank(luma: np.ndarray) -> bool:
    """Tell whether a luma plane, uint8 ``[h, w]``, is black, white or grey all over."""
    return contrast(luma) < BLANK


def visibility(luma: np.ndarray) -> float:
    """Return how much a luma plane, uint8 ``[h, w]``, shows: 0 for a flat frame, 1 for a picture, between in a fade.

    The measure is how far the most deviating hundredth of coarse cells lies from the median: a small title on plain
    grey counts as a picture, although the contrast of the whole frame is next to none; grain is averaged away.
    """
    cells = _shrunk(luma, _COARSE).astype(np.float32)
    deviation = float(np.percentile(np.abs(cells - np.median(cells)), 99))
    return min(1.0, max(0.0, deviation / _FAINT - 1))


def _shrunk(luma: np.ndarray, short_side: int = _SIZE) -> np.ndarray:
    scale = min(1.0, short_side / min(luma.shape))
    width, height = (max(16, round(side * scale)) for side in luma.shape[::-1])
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)


def _distance(before: np.ndarray, after: np.ndarray) -> float:
    """Return the part of the later frame that motion leaves unexplained, relative to contrast; about 1 if unlike."""
    distance = _unexplained(before, after)
    # Flicker that differs from place to place hides that the picture is the same.
    return distance if distance < _CUT / 2 else min(distance, _unexplained(_evened(before), _evened(after)))


def _evened(frame: np.ndarray) -> np.ndarray:
    """Return a frame with the same mean and contrast everywhere, uint8 ``[h, w]``."""
    detail = frame - cv2.GaussianBlur(frame.astype(np.float32), (0, 0), _AROUND)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _AROUND))
    return np.clip(128 + 40 * detail / (spread + _GRAIN), 0, 255).astype(np.uint8)


def _unexplained(before: np.ndarray, after: np.ndarray) -> float:
    warped = optical_flow.warp(before, optical_flow.backward_flow(before, after, fast=True))
    # A flickering lamp or a fade changes only brightness and contrast of the same picture.
    late, early = after - after.mean(), warped - warped.mean()
    gain = np.clip((late * early).mean() / ((early * early).mean() + 1.0), 0.3, 3.0)
    spread = (np.abs(late).mean() + gain * np.abs(early).mean()) / 2
    return float(np.abs(late - gain * early).mean() / (spread + _GRAIN))


def _starts_shot(window: list[_Frame | None]) -> bool:
    """Tell whether a shot begins with the middle frame of the window, where None is before or after the film."""
    frame, before = window[REACH], window[REACH - 1]
    assert frame is not None
    if before is None:
        return False  # the film's first frame is decided by ``starts``
    if frame.is_blank or before.is_blank:
        # The dark between two shots belongs to the second; a frame or two of light inside a shot changes nothing.
        return frame.is_blank and not before.is_blank and not _is_flash(window)
    return _is_cut(window) or _is_dissolve(window)


def _is_cut(window: list[_Frame | None]) -> bool:
    frame = window[REACH]
    assert frame is not None
    if frame.distance < _CUT:
        return False
    near = [f.distance for f in window[REACH - 6 : REACH + 7] if f is not None and f is not frame]
    if frame.distance < _STANDS_OUT * float(np.median(near)):
        return False
    return not _is_flash(window)


def _is_flash(window: list[_Frame | None]) -> bool:
    """Tell whether the shot continues after a few frames that differ."""
    earlier = [window[REACH - 1 - i] for i in range(_FLASH)]
    later = [window[REACH + i] for i in range(_FLASH)]
    pairs = [(a, b) for i, a in enumerate(earlier) for j, b in enumerate(later) if 0 < i + j <= _FLASH]
    shown = [(a, b) for a, b in pairs if a and b and not (a.is_blank or b.is_blank)]
    return any(_distance(a.small, b.small) < _CUT / 2 for a, b in shown)


def _is_dissolve(window: list[_Frame | None]) -> bool:
    """Tell whether the frame is a mixture, half and half, of two others that motion does not connect."""
    return _mixture(window, REACH) is not None and all(
        _lies_nearer(window, other) for other in range(REACH - _HALF, REACH + _HALF + 1) if other != REACH
    )


def _lies_nearer(window: list[_Frame | None], other: int) -> bool:
    """Tell whether the middle frame is nearer to half and half than another frame, or that one is not a mixture."""
    share, middle = _mixture(window, other), _mixture(window, REACH)
    assert middle is not None
    if share is None or abs(share - 0.5) > abs(middle - 0.5):
        return True
    return abs(share - 0.5) == abs(middle - 0.5) and other > REACH


def _mixture(window: list[_Frame | None], at: int) -> float | None:
    """Return the earlier shot's share in a frame that mixes what lies before and after; None if it is not a mixture."""
    if not at - _HALF >= 0 or at + _HALF >= len(window):
        return None
    around = window[at - _HALF : at + _HALF + 1]
    if any(part is None or part.is_blank for part in around):
        return None
    parts = [part.small for part in around[::_HALF] if part is not None]
    earlier, mixed, later = (part.astype(np.float32) for part in parts)
    contrasts = sorted((_spread(earlier), _spread(later)))
    if contrasts[0] < _DIM * contrasts[1]:
        return None  # a fade, of which one end is nearly black
    difference = earlier - later
    energy = float((difference**2).mean())
    if energy < 15.0**2:
        return None
    share = float(((mixed - later) * difference).mean()) / energy
    rest = float(((mixed - later - share * difference) ** 2).mean())
    if not 0.3 < share < 0.7 or rest > _MIXED**2 * energy:
        return None
    if not _is_in_order([part.small for part in around if part is not None]):
        return None
    return share if _distance(parts[0], parts[2]) > _CUT else None


def _is_in_order(frames: list[np.ndarray]) -> bool:
    """Tell whether frames go steadily from the first to the last; where a lamp flickers, they go to and fro."""
    first, last = (frames[i].astype(np.float32) for i in (0, -1))
    difference = first - last
    shares = [float(((frame - last) * difference).mean()) for frame in frames[1:-1]]
    return float(np.corrcoef(shares, range(len(shares)))[0, 1]) < _IN_ORDER


def _spread(frame: np.ndarray) -> float:
    return float(np.abs(frame - frame.mean()).mean())
