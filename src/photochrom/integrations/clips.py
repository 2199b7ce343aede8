"""``ClipColorizer``: steady colours for clips whose frames are requested in any order.

Films are coloured from beginning to end, but a host such as VapourSynth may request frame 500 first and frame 20 next,
and must get the same picture each time. So a clip is divided into windows of frames, which are coloured independently.
For each window, some frames before it are read, whose colours are propagated into it, and some after it, which
influence its last frames.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..color.coding import Coding
from ..colorizer.colorizer import Colorizer
from ..colorizer.options import ColorOptions
from ..film import propagation
from ..film.frame_kinds.interlaced import render_fields
from ..film.frames import at_scale_of_propagation, predict_small
from ..film.shots import detection

WINDOW = 192
"""Number of frames in a window."""
# Number of frames read before a window: ten key frames, after which colours hardly depend on where propagation began.
_BEFORE = 80
_KEPT = 3  # maximum number of windows in memory, about 35 MB each at an aspect ratio of 16:9


@dataclass(frozen=True)
class _Colors:
    """Luma and colours of one frame at the scale of propagation."""

    small: np.ndarray
    """Luma, uint8 ``[h, w]``, full range."""
    ab: np.ndarray
    """a*b*, float16 ``[2, h, w]``."""
    visibility: float
    """Factor on the chroma, from 0 to 1, see ``detection.visibility``."""


@dataclass
class _Window:
    """Colours of up to ``WINDOW`` consecutive frames, computed up to the last frame requested so far."""

    remaining: Iterator[_Colors]
    """Yields the colours of the frames after those in ``done``; each frame is computed when it is requested."""
    done: list[_Colors] = field(default_factory=list)
    """Colours of the frames computed so far, from the first one of the window on."""


class ClipColorizer:
    """Colours the frames of a clip in any order. Several threads may use one object.

    Args:
        colorizer: The loaded model.
        luma: Function that returns the luma plane of the frame with a given number, uint8 or uint16 ``[H, W]``.
        count: Number of frames.
        coding: Coding of the luma, and of the chroma to return.
        options: Options for colouring; None for the model's defaults.
        aspect: Width of a pixel divided by its height.
        shot_starts: Numbers of the frames that begin a shot; None to detect them.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        luma: Callable[[int], np.ndarray],
        count: int,
        coding: Coding,
        options: ColorOptions | None = None,
        *,
        aspect: float = 1.0,
        shot_starts: Iterable[int] | None = None,
    ) -> None:
        self._starts = None if shot_starts is None else frozenset(shot_starts)
        self._colorizer, self._luma, self._count, self._coding = colorizer, luma, count, coding
        self._options, self._aspect = options or ColorOptions(), aspect
        self._windows: OrderedDict[int, _Window] = OrderedDict()
        self._lock = threading.Lock()

    def chroma(
        self, number: int, luma: np.ndarray, subsampling: tuple[int, int], *, interlaced: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the chroma planes of a frame.

        Args:
            number: Number of the frame, from 0 to one less than the number of frames.
            luma: Luma plane of the frame, uint8 or uint16 ``[H, W]``.
            subsampling: Numbers of luma rows and of luma columns per chroma sample, 1 or 2 each.
            interlaced: Whether the frame consists of two fields, each of which gets its own chroma.

        Returns:
            Cb and Cr, ``[ceil(H / rows), ceil(W / columns)]``, of the luma's dtype and in the clip's coding.

        Raises:
            EngineError: The network could not be run.
            OptionError: The options ask for something that the model cannot do.
            ModelError: The network's output contradicts the model's card.
            PhotoError: The function that the class got as ``luma`` did not return a luma plane.
        """
        colors = self._colors(number)
        shape = tuple(-(-side // shared) for side, shared in zip(luma.shape, subsampling, strict=True))
        cb, cr = np.empty(shape, luma.dtype), np.empty(shape, luma.dtype)
        render = functools.partial(
            self._colorizer.render,
            thumbnail=colors.small,
            ab=colors.ab.astype(np.float32),
            strength=self._options.strength * colors.visibility,
            coding=self._coding,
            exact=False,
        )
        render_fields(render, luma, (cb, cr), interlaced=interlaced, subsampling=subsampling)
        return cb, cr

    def _colors(self, number: int) -> _Colors:
        """Return the colours of a frame, after computing those of earlier frames in its window.

        This method, ``_compute_window`` and ``_frames`` raise the errors that ``chroma`` names.
        """
        index, position = divmod(number, WINDOW)
        with self._lock:
            if index not in self._windows:
                self._windows[index] = _Window(self._compute_window(index))
                while len(self._windows) > _KEPT:
                    self._windows.popitem(last=False)
            self._windows.move_to_end(index)
            window = self._windows[index]
            window.done += itertools.islice(window.remaining, max(0, position + 1 - len(window.done)))
            return window.done[position]

    def _compute_window(self, index: int) -> Iterator[_Colors]:
        """Yield the colours of the frames of window ``index``, counted from 0, in order."""
        first, end = index * WINDOW, min(self._count, (index + 1) * WINDOW)
        start = max(0, first - _BEFORE)
        stop = min(self._count, end + propagation.reach(propagation.AHEAD) + detection.REACH)
        waiting: deque[np.ndarray] = deque()  # luma of the frames whose colours are pending
        for number, colors in enumerate(propagation.steady_colors(self._frames(start, stop, waiting)), start):
            small = waiting.popleft()
            if first <= number < end:
                yield _Colors(small, colors.ab.astype(np.float16), detection.visibility(small))
            if number == end - 1:
                return

    def _frames(self, start: int, stop: int, waiting: deque[np.ndarray]) -> Iterator[propagation.Frame]:
        """Yield frames ``start`` to ``stop - 1`` for propagation, and append the small luma of each to ``waiting``."""
        thumbnails: deque[np.ndarray] = deque()
        smalls: deque[np.ndarray] = deque()
        first = max(0, start - detection.REACH)
        early = start - first  # frames that are only read to detect shots

        def prepared() -> Iterator[np.ndarray]:
            for number in range(first, stop):
                luma, detail = self._luma(number), self._options.detail
                thumbnail = self._colorizer.thumbnail(luma, self._coding, aspect=self._aspect, detail=detail)
                thumbnails.append(thumbnail)
                smalls.append(at_scale_of_propagation(self._colorizer, thumbnail))
                yield smalls[-1]

        begun = (
            detection.starts(prepared())
            if self._starts is None
            else (number in self._starts for number, _ in enumerate(prepared(), first))
        )
        for position, begins in enumerate(begun):
            thumbnail, small = thumbnails.popleft(), smalls.popleft()
            if position >= early:
                waiting.append(small)
                predict = functools.partial(predict_small, self._colorizer, thumbnail, small, self._options)
                yield propagation.Frame(small, begins or position == early, predict)
