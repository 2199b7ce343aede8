"""Shot detection: cuts, fades through black or white, and dissolves.

The distance between two frames measures the change that motion cannot explain: the earlier frame is warped along the
optical flow to the later one, and the remaining difference is divided by the contrast of both. The distance is small in
a pan, and large at a cut. Whether a shot begins at a frame depends only on the frames up to ``REACH`` before and after
it, so a resumed run finds the same shots.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from .. import optical_flow

REACH = 16
"""Number of frames before and after a frame that decide whether a shot begins there."""
_SPECK = 3  # pixels: size of the median filter that removes scratches and dust
_LOCAL = 8.0  # pixels: scale at which local brightness and contrast are equalised, against flicker and stains
_SIZE = 64  # short side in pixels at which frames are compared
_CUT = 0.45  # least distance between frames of different shots
_CUT_RATIO = 2.5  # least ratio of a cut's distance to the median distance of the frames around it
UNRELATED = 0.8
"""Distance of two frames from which they certainly show different pictures: of 149 pairs of unrelated photographs, 144
have a greater one, and 0.5 was the greatest within single shots of seven clips, three frames apart."""
INSERT = 3
"""Greatest number of consecutive frames that interrupt a shot: a flash, dust all over the picture, another picture."""
_HALF = 8  # frames in half a dissolve
_MIXED = 0.3  # share of the difference between a dissolve's ends that their mixture may leave unexplained
_GRAIN = 3.0  # mean deviation of luma caused by film grain
_IN_ORDER = -0.8  # greatest correlation of the earlier shot's share with time in a dissolve; near 0 in flicker
_DIM = 0.35  # ratio of contrasts below which one end of a mixture is fading
_COARSE = 16  # short side in pixels at which visibility is measured
_FAINT = 3.0  # deviation of luma up to which visibility is 0; it is 1 from twice this deviation
BLANK = 4.0
"""Standard deviation of luma (0 to 255) below which a frame is blank."""


@dataclass(frozen=True)
class Shot:
    """A shot of a film."""

    start: Fraction
    """Time at which the shot begins, in seconds from the film's beginning."""
    end: Fraction
    """Time at which the next shot begins or the film ends, in seconds from the film's beginning."""
    frames: int
    """Number of frames."""


@dataclass(frozen=True)
class MarkedShots:
    """The shots of a film, some of which are marked: as titles, or as in colour already."""

    starts: tuple[int, ...] = ()
    """pts of the first frame of each shot."""
    marked: tuple[bool, ...] = ()
    """Whether each shot is marked."""

    def has(self, pts: int) -> bool:
        """Return whether the frame with this pts lies in a marked shot."""
        number = bisect_right(self.starts, pts) - 1
        return number >= 0 and self.marked[number]


@dataclass(frozen=True)
class _Frame:
    """A frame, reduced for comparison with others."""

    small: np.ndarray
    """Luma, uint8 ``[h, w]``."""
    distance: float
    """Distance from the preceding frame; 0 for the first frame."""
    is_blank: bool
    """Whether the frame is blank: uniformly black, white or grey."""


def starts(lumas: Iterable[np.ndarray]) -> Iterator[bool]:
    """Yield, for each frame, whether a shot begins with it; the output lags ``REACH`` frames behind the input.

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
    """Reduce frames for comparison, and measure the distance of each from the preceding one."""
    before = None
    for luma in lumas:
        shown = _shrunk(luma)
        small = cv2.medianBlur(shown, _SPECK)
        distance = 0.0 if before is None else _distance(before, small)
        yield _Frame(small, distance, float(shown.std()) < BLANK)
        before = small


def distance(before: np.ndarray, after: np.ndarray) -> float:
    """Return the distance between two thumbnails, uint8 ``[h, w]``, both of one size; see the module's docstring."""
    return _distance(*(cv2.medianBlur(_shrunk(luma), _SPECK) for luma in (before, after)))


def is_blank(luma: np.ndarray) -> bool:
    """Return whether a luma plane, uint8 ``[h, w]``, is uniformly black, white or grey, after grain is averaged out."""
    return float(_shrunk(luma).std()) < BLANK


def visibility(luma: np.ndarray) -> float:
    """Return the visibility of the picture in a luma plane, uint8 ``[h, w]``, from 0 (a blank frame) to 1.

    The measure is the 99th percentile of the deviations of coarse cells from their median. Coarse cells average out
    grain, and the percentile makes a small title on plain grey visible, although such a frame has hardly any contrast.
    """
    cells = _shrunk(luma, _COARSE).astype(np.float32)
    deviation = float(np.percentile(np.abs(cells - np.median(cells)), 99))
    return min(1.0, max(0.0, deviation / _FAINT - 1))


def _shrunk(luma: np.ndarray, short_side: int = _SIZE) -> np.ndarray:
    scale = min(1.0, short_side / min(luma.shape))
    width, height = (max(16, round(side * scale)) for side in luma.shape[::-1])
    return cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA)


def _distance(before: np.ndarray, after: np.ndarray) -> float:
    """Return the change that motion does not explain, relative to contrast; about 1 for unrelated frames."""
    distance = _unexplained(before, after)
    # Flicker that differs over the picture increases the distance within a shot, so it is evened out.
    return distance if distance < _CUT / 2 else min(distance, _unexplained(_evened(before), _evened(after)))


def _evened(frame: np.ndarray) -> np.ndarray:
    """Equalise the local mean and contrast of a frame, uint8 ``[h, w]``."""
    detail = frame - cv2.GaussianBlur(frame.astype(np.float32), (0, 0), _LOCAL)
    spread = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _LOCAL))
    return np.clip(128 + 40 * detail / (spread + _GRAIN), 0, 255).astype(np.uint8)


def _unexplained(before: np.ndarray, after: np.ndarray) -> float:
    """Return the change that neither motion nor a change of brightness or contrast explains, relative to contrast."""
    warped = optical_flow.warp(before, optical_flow.backward_flow(before, after, fast=True))
    # The mean is subtracted, and the contrast adapted, because flicker and fades change nothing else.
    late, early = after - after.mean(), warped - warped.mean()
    gain = np.clip((late * early).mean() / ((early * early).mean() + 1.0), 0.3, 3.0)
    spread = (np.abs(late).mean() + gain * np.abs(early).mean()) / 2
    return float(np.abs(late - gain * early).mean() / (spread + _GRAIN))


def _starts_shot(window: list[_Frame | None]) -> bool:
    """Return whether a shot begins at the middle frame of the window; None stands for frames outside the film."""
    frame, before = window[REACH], window[REACH - 1]
    assert frame is not None
    if before is None:
        return False  # ``starts`` handles the film's first frame
    if frame.is_blank or before.is_blank:
        # Blank frames between two shots belong to the later shot; a few blank frames inside a shot are a flash.
        return frame.is_blank and not before.is_blank and not _is_insert(window)
    return _is_cut(window) or _is_dissolve(window)


def _is_cut(window: list[_Frame | None]) -> bool:
    """Return whether there is a cut before the middle frame of the window."""
    frame = window[REACH]
    assert frame is not None
    if frame.distance < _CUT:
        return False
    near = [f.distance for f in window[REACH - 6 : REACH + 7] if f is not None and f is not frame]
    if frame.distance < min(UNRELATED, _CUT_RATIO * float(np.median(near))):
        return False
    return not _is_insert(window)


def _is_insert(window: list[_Frame | None]) -> bool:
    """Return whether at most ``INSERT`` frames around the middle of the window interrupt a shot that then continues."""
    earlier, later = window[REACH - 1 :: -1], window[REACH:]
    pairs = [(earlier[i], later[n - i]) for n in range(1, INSERT + 1) for i in range(n + 1)]
    shown = [(a, b) for a, b in pairs if a and b and not (a.is_blank or b.is_blank)]
    return any(_distance(a.small, b.small) < _CUT / 2 for a, b in shown)


def _is_dissolve(window: list[_Frame | None]) -> bool:
    """Return whether the window's middle frame is the middle of a dissolve: the most even mixture of two shots."""
    return _mixture(window, REACH) is not None and all(
        _is_more_even(window, other) for other in range(REACH - _HALF, REACH + _HALF + 1) if other != REACH
    )


def _is_more_even(window: list[_Frame | None], other: int) -> bool:
    """Return whether the window's middle frame is a more even mixture than another; the earlier frame wins a tie."""
    share, middle = _mixture(window, other), _mixture(window, REACH)
    assert middle is not None
    if share is None or abs(share - 0.5) > abs(middle - 0.5):
        return True
    return abs(share - 0.5) == abs(middle - 0.5) and other > REACH


def _mixture(window: list[_Frame | None], at: int) -> float | None:
    """Return the earlier shot's share in a mixture of two shots; None if the frame ``at`` is not such a mixture."""
    if not at - _HALF >= 0 or at + _HALF >= len(window):
        return None
    around = window[at - _HALF : at + _HALF + 1]
    if any(part is None or part.is_blank for part in around):
        return None
    parts = [part.small for part in around[::_HALF] if part is not None]
    earlier, mixed, later = (part.astype(np.float32) for part in parts)
    contrasts = sorted((_spread(earlier), _spread(later)))
    if contrasts[0] < _DIM * contrasts[1]:
        return None  # a fade: one end is nearly blank
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
    """Return whether frames change steadily from the first to the last, instead of back and forth as in flicker."""
    first, last = (frames[i].astype(np.float32) for i in (0, -1))
    difference = first - last
    shares = [float(((frame - last) * difference).mean()) for frame in frames[1:-1]]
    return float(np.corrcoef(shares, range(len(shares)))[0, 1]) < _IN_ORDER


def _spread(frame: np.ndarray) -> float:
    return float(np.abs(frame - frame.mean()).mean())
