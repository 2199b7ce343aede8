"""The painter of one film: what each frame looks like small, where shots begin, what colours there are, and chroma."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import av
import cv2
import numpy as np

from ..colorizer.colorizer import Colorizer
from ..colorizer.hints import Hint
from . import propagation, shots
from .options import FilmOptions
from .planes import PlaneFormat, in_format, luma_plane, view
from .reader import Reel

_BUFFERED = 256e6  # bytes of frames held at most, while colours are looked for ahead
_UNSURE = 0.05  # weight of a colour that the network has no confidence in


@dataclass(frozen=True)
class Seen:
    """A frame that waits for its colours."""

    frame: av.VideoFrame
    thumbnail: np.ndarray
    """Luma, uint8, upright, as the network sees it."""
    small: np.ndarray
    """Half as high and wide."""
    interlaced: bool
    """Whether it is two fields, which get chroma of their own."""

    @property
    def pts(self) -> int:
        """Time stamp, in the film's time base."""
        assert self.frame.pts is not None  # Reel.frames sees to it
        return int(self.frame.pts)


class Painter:
    """Gives the frames of one film their colours."""

    def __init__(self, colorizer: Colorizer, reel: Reel, planes: PlaneFormat, options: FilmOptions) -> None:
        self.colorizer, self.reel, self.planes, self.options = colorizer, reel, planes, options
        self.known: Mapping[int, Sequence[Hint]] = {}
        """What is known of the colours of a frame, by its pts."""

    def see(self, frame: av.VideoFrame) -> Seen:
        """A decoded frame and its thumbnails."""
        interlaced = bool(self.reel.fields or frame.interlaced_frame)
        frame = in_format(frame, self.planes)
        small = self.colorizer.thumbnail(
            luma_plane(frame), self.planes.coding, aspect=float(self.reel.aspect), turns=self.reel.turns
        )
        half = cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_AREA)
        return Seen(frame, small, half, interlaced)

    def seen(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[Seen, bool]]:
        """Frames with their thumbnails, and whether a shot begins with them."""
        waiting: deque[Seen] = deque()

        def smalls() -> Iterator[np.ndarray]:
            for frame in frames:
                waiting.append(self.see(frame))
                yield waiting[-1].small

        for start in shots.starts(smalls()):
            yield waiting.popleft(), start

    def look(self, seen: Seen) -> tuple[np.ndarray, np.ndarray]:
        """What the network says of a frame: a*b* and how much they count, see ``propagation.Frame``."""
        hints = tuple(self.known.get(seen.pts, ()))
        color = self.options.color if not hints else self.options.color.with_hints(hints)
        prediction = self.colorizer.predict(seen.thumbnail, color)
        ab = self.colorizer.ab(prediction, hints, seen.small)
        if prediction.confidence is None:
            return ab, np.ones(seen.small.shape, np.float32)
        weight = cv2.resize(prediction.confidence, seen.small.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return ab, np.maximum(weight, np.float32(_UNSURE))

    def paint(self, seen: Seen, ab: np.ndarray) -> av.VideoFrame:
        """A new frame: the luma plane as it is, and chroma planes that follow it."""
        new = av.VideoFrame(seen.frame.width, seen.frame.height, self.planes.name)
        luma = luma_plane(seen.frame)
        view(new, 0)[...] = luma
        cb, cr = view(new, 1), view(new, 2)
        turns = self.reel.turns
        for field in (slice(0, None, 2), slice(1, None, 2)) if seen.interlaced else (slice(None),):
            rows = cb[field].shape[0] * self.planes.subsampling[0]  # a field's last row of luma may have no chroma
            self.colorizer.render(
                luma[field][:rows],
                np.rot90(seen.small, -turns),
                np.rot90(ab, -turns, axes=(1, 2)),
                strength=self.options.color.strength,
                subsampling=self.planes.subsampling,
                coding=self.planes.coding,
                exact=False,
                out=(cb[field], cr[field]),
            )
        return new

    def colors(
        self, frames: Iterable[av.VideoFrame], first: int, before: propagation.Carried | None
    ) -> Iterator[tuple[Seen, propagation.Colors, bool]]:
        """Frames, their colours, and whether a shot begins with them.

        Args:
            frames: in their order; those before ``first`` only help to find the shots.
            first: pts of the first frame that is to be coloured.
            before: what was carried to it, if it is not the first of its shot.
        """
        coming: deque[tuple[Seen, bool]] = deque()

        def steadied() -> Iterator[propagation.Frame]:
            for seen, start in self.seen(frames):
                if seen.pts >= first:
                    coming.append((seen, start))
                    yield propagation.Frame(seen.small, start, functools.partial(self.look, seen))

        for colors in propagation.steady_colors(steadied(), before, ahead=self._ahead()):
            seen, start = coming.popleft()
            yield seen, colors, start

    def _ahead(self) -> int:
        """How many keys ahead may be looked, so that the frames that wait do not fill the memory."""
        rows, columns = self.planes.subsampling
        size = self.reel.width * self.reel.height * np.dtype(self.planes.dtype).itemsize * (1 + 2 / (rows * columns))
        frames = _BUFFERED / size - shots.REACH
        return max(1, min(propagation.AHEAD, int(frames / propagation.reach(0)) - 1))
