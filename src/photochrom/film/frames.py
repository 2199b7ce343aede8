"""``FrameColorizer``: prepares, predicts, propagates and renders the frames of one film."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

from ..color.thumbnail import thumbnail
from ..color.upsample import apply_to_luma
from ..colorizer.colorizer import Colorizer
from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions
from . import propagation
from .frame_buffers import luma_plane, pool, view
from .frame_kinds import logarithmic, negative
from .frame_kinds.interlaced import render_fields
from .frame_kinds.picture_area import PictureArea, picture_area
from .options import FilmOptions
from .planes import PlaneFormat, in_format, luma_only
from .reader import FilmReader
from .shots import detection
from .source.side_data import has_captions

if TYPE_CHECKING:
    from .shots.shot_plan import ShotPlan

_BUFFERED = 256e6  # most bytes of frames that wait while later keys are predicted
_KNOWN = 8.0  # weight of a still's colours, in frames predicted with full confidence
_UNSURE = 0.05  # weight of a colour predicted with no confidence


@dataclass(frozen=True)
class PreparedFrame:
    """A frame that waits for its colours."""

    frame: av.VideoFrame
    """The frame in the coloured film's format, or only its luma if its chroma is not needed."""
    thumbnail: np.ndarray
    """Luma as the network sees it, uint8 ``[h, w]``, full range, upright."""
    small: np.ndarray
    """The thumbnail at the scale of optical flow and propagation."""
    interlaced: bool
    """Whether the frame consists of two fields, whose chroma is computed separately."""
    visibility: float
    """From 0 (the whole frame is black, white or grey) to 1 (a picture)."""
    is_copy: bool
    """Whether ``frame`` is a copy of the luma, which is not shared."""

    @property
    def pts(self) -> int:
        """Presentation time stamp, in the film's time base."""
        assert self.frame.pts is not None  # guaranteed by FilmReader.frames
        return int(self.frame.pts)


def at_scale_of_propagation(thumbnail: np.ndarray) -> np.ndarray:
    """Halve a thumbnail ``[H, W]`` with even sides, which averages out film grain and makes optical flow cheaper."""
    height, width = thumbnail.shape
    return cv2.resize(thumbnail, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def predict_small(
    colorizer: Colorizer, thumbnail: np.ndarray, small: np.ndarray, options: ColorOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Run the network on a thumbnail, and return its colours at the scale of propagation.

    Args:
        colorizer: The model.
        thumbnail: Luma, uint8 ``[H, W]``, full range.
        small: The same luma at the scale of propagation, uint8 ``[h, w]``.
        options: How to colour.

    Returns:
        a*b* float32 ``[2, h, w]`` and their weight float32 ``[h, w]``, see ``propagation.Frame``.
    """
    prediction = colorizer.predict(thumbnail, options)
    ab = colorizer.ab(prediction, options.hints, small)
    if prediction.confidence is None:
        return ab, np.ones(small.shape, np.float32)
    weight = cv2.resize(prediction.confidence, small.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return ab, np.maximum(weight, np.float32(_UNSURE))


class FrameColorizer:
    """Colours the frames of one film.

    Args:
        colorizer: The model.
        reader: The film.
        planes: Format of the coloured film.
        options: How to colour.
        hints: Known colours of single frames, by the frame's pts.
        is_kept: Function that tells, by pts, whether a frame keeps its own chroma.
        shots: Known shots and their options; None to detect shots and colour all of them alike.
        stills: Known a*b* of upright frames, float32 ``[2, h, w]`` at any size, by the frame's pts.
    """

    def __init__(
        self,
        colorizer: Colorizer,
        reader: FilmReader,
        planes: PlaneFormat,
        options: FilmOptions,
        hints: Mapping[int, Sequence[Hint]] | None = None,
        is_kept: Callable[[int], bool] = lambda _: False,
        shots: ShotPlan | None = None,
        stills: Mapping[int, np.ndarray] | None = None,
    ) -> None:
        self.colorizer, self.reader, self.planes, self.options = colorizer, reader, planes, options
        self.hints, self._is_kept, self.shots, self.stills = hints or {}, is_kept, shots, stills or {}

    @property
    def luma_bytes(self) -> int:
        """Size of a frame's luma in bytes."""
        return self.reader.width * self.reader.height * np.dtype(self.planes.dtype).itemsize

    @functools.cached_property
    def area(self) -> PictureArea:
        """The part of each frame that is coloured.

        Raises:
            FilmError: The area in the options lies outside the frame.
        """
        return picture_area(
            self.options.frame,
            (self.reader.height, self.reader.width),
            self.planes.subsampling,
            turns=self.reader.turns,
        )

    def with_hints(self, hints: Mapping[int, Sequence[Hint]]) -> FrameColorizer:
        """Return a copy for the same film with hints, by the frames' pts."""
        return self._changed(hints, self._is_kept, self.shots, self.stills)

    def with_stills(self, stills: Mapping[int, np.ndarray]) -> FrameColorizer:
        """Return a copy for the same film with known colours of some frames, by their pts.

        Stills show whole frames, so they are not used if only a part of each frame is coloured (``FilmOptions.frame``).
        """
        return self._changed(self.hints, self._is_kept, self.shots, {} if self.area.box else stills)

    def keeping(self, is_kept: Callable[[int], bool]) -> FrameColorizer:
        """Return a copy for the same film that also leaves the frames unchanged whose pts satisfy ``is_kept``."""

        def both(pts: int) -> bool:
            return self._is_kept(pts) or is_kept(pts)

        return self._changed(self.hints, both, self.shots, self.stills)

    def is_kept(self, pts: int) -> bool:
        """Return whether a frame is left unchanged."""
        return self._is_kept(pts)

    def with_shots(self, shots: ShotPlan | None) -> FrameColorizer:
        """Return a copy for the same film with the shots and their options from a plan."""
        is_kept = self._is_kept if shots is None else shots.is_left_out
        return self._changed(self.hints, is_kept, shots, self.stills)

    def _changed(
        self,
        hints: Mapping[int, Sequence[Hint]],
        is_kept: Callable[[int], bool],
        shots: ShotPlan | None,
        stills: Mapping[int, np.ndarray],
    ) -> FrameColorizer:
        same = self.colorizer, self.reader, self.planes, self.options
        return FrameColorizer(*same, hints, is_kept, shots, stills)

    def color_options(self, pts: int) -> ColorOptions:
        """Return the film's colour options with the hints of one frame."""
        color = self.options.color if self.shots is None else self.shots.options_at(pts)
        hints = tuple(self.hints.get(pts, ()))
        return color.with_hints(hints) if hints else color

    def prepare(self, frame: av.VideoFrame) -> PreparedFrame:
        """Convert a decoded frame to the coloured film's format, and make its thumbnails."""
        interlaced = bool(self.reader.fields or frame.interlaced_frame)
        chroma, decoded = self._may_keep(frame), frame
        frame = in_format(frame, self.planes, chroma=chroma)
        if frame.format.name == self.planes.name and not (chroma or has_captions(frame)):
            frame = luma_only(frame, self.planes)  # dozens of frames wait for the colours of later keys
        luma = luma_plane(frame)[self.area.luma]
        thumbnail = self.colorizer.thumbnail(
            luma, self.planes.coding, aspect=float(self.reader.aspect), turns=self.reader.turns
        )
        thumbnail = self._for_network(thumbnail)
        small = at_scale_of_propagation(thumbnail)
        is_copy = frame is not decoded and len(frame.planes) == 1
        return PreparedFrame(frame, thumbnail, small, interlaced, detection.visibility(small), is_copy)

    def _for_network(self, thumbnail: np.ndarray) -> np.ndarray:
        """Return the picture of a thumbnail that the network sees."""
        if self.options.negative:
            return negative.for_network(thumbnail)
        return logarithmic.for_network(thumbnail) if self.reader.is_log else thumbnail

    def _may_keep(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame's own chroma may be needed."""
        is_kept = frame.pts is not None and self._is_kept(frame.pts)
        return self.reader.may_have_colors and (is_kept or self.options.recolor == "grey-shots")

    def prepared(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[PreparedFrame, bool]]:
        """Yield prepared frames, each with whether a shot begins there."""
        if self.shots is not None:
            yield from self._prepared_by_plan(frames, self.shots)
            return
        waiting: deque[PreparedFrame] = deque()

        def smalls() -> Iterator[np.ndarray]:
            for frame in frames:
                waiting.append(self.prepare(frame))
                yield waiting[-1].small

        for start in detection.starts(smalls()):
            yield waiting.popleft(), start

    def _prepared_by_plan(
        self, frames: Iterable[av.VideoFrame], plan: ShotPlan
    ) -> Iterator[tuple[PreparedFrame, bool]]:
        last = None
        for frame in frames:
            prepared = self.prepare(frame)
            number = plan.number(prepared.pts)
            yield prepared, number != last
            last = number

    def predict(self, prepared: PreparedFrame) -> tuple[np.ndarray, np.ndarray]:
        """Run the network on one frame.

        Returns:
            a*b* float32 ``[2, h, w]`` at the scale of ``PreparedFrame.small``, and their weight float32 ``[h, w]``, see
            ``propagation.Frame``.
        """
        color = self.color_options(prepared.pts)
        if (known := self.stills.get(prepared.pts)) is not None and not self._is_kept(prepared.pts):
            size = prepared.small.shape[::-1]
            ab = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in known])
            return ab, np.full(prepared.small.shape, _KNOWN, np.float32)
        if self._is_kept(prepared.pts) or (prepared.visibility == 0 and not color.hints):
            neutral = np.zeros((2, *prepared.small.shape), np.float32)
            return neutral, np.full(prepared.small.shape, _UNSURE, np.float32)
        return predict_small(self.colorizer, prepared.thumbnail, prepared.small, color)

    def render(self, prepared: PreparedFrame, ab: np.ndarray) -> av.VideoFrame:
        """Make the coloured frame: the luma plane unchanged, with chroma planes upsampled along it.

        Args:
            prepared: The frame.
            ab: a*b* float32 ``[2, h, w]`` at the scale of ``PreparedFrame.small``.
        """
        if self._is_kept(prepared.pts):
            return self._as_it_is(prepared.frame)
        new = self._uncolored(prepared.frame)
        luma = luma_plane(prepared.frame)[self.area.luma]
        small, ab = self._finest(prepared, ab, luma)
        visibility = 1.0 if self.hints.get(prepared.pts) else prepared.visibility
        cb, cr = (self._chroma_of_picture(view(new, index)) for index in (1, 2))
        turns, subsampling = self.reader.turns, self.planes.subsampling
        small, ab = np.rot90(small, -turns), np.rot90(ab, -turns, axes=(1, 2))
        strength = self.color_options(prepared.pts).strength * visibility
        render = functools.partial(self._render, small=small, ab=ab, strength=strength)
        render_fields(render, luma, (cb, cr), interlaced=prepared.interlaced, subsampling=subsampling)
        return new

    def recycle(self, prepared: PreparedFrame) -> None:
        """Recycle the memory of a frame; the caller must not use it any more."""
        if prepared.is_copy:
            pool.give_back(prepared.frame)

    def _finest(self, prepared: PreparedFrame, ab: np.ndarray, luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return luma and a*b* to render a frame from; if it has a still, these are at the still's size."""
        if (known := self.stills.get(prepared.pts)) is None:
            return prepared.small, ab
        turns = self.reader.turns
        height, width = known.shape[1:][:: -1 if turns % 2 else 1]  # as stored
        return self._for_network(np.rot90(thumbnail(luma, self.planes.coding, height, width), turns)), known

    def _render(self, luma: np.ndarray, *, small: np.ndarray, ab: np.ndarray, **how: Any) -> None:
        """Compute the chroma of luma in its stored orientation."""
        coding = self.planes.coding
        if self.options.negative or self.reader.is_log:
            kind = negative if self.options.negative else logarithmic
            apply_to_luma(kind.coefficients(small, ab, coding.matrix), luma, coding=coding, **how)
        else:
            self.colorizer.render(luma, small, ab, coding=coding, exact=False, **how)

    def _as_it_is(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame with its own chroma, or neutral chroma if it has none."""
        if self.reader.may_have_colors:
            frame.pict_type = 0  # the encoder decides which frames are key frames
            return frame
        new = self._uncolored(frame)
        for index in (1, 2):
            view(new, index)[...] = self.planes.coding.neutral
        return new

    def _chroma_of_picture(self, plane: np.ndarray) -> np.ndarray:
        """Return the part of a chroma plane inside the picture area, after filling the rest with neutral."""
        if self.area.box is not None:
            plane[...] = self.planes.coding.neutral
        return plane[self.area.chroma]

    def _uncolored(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a copy of a frame, with its luma and closed captions, whose chroma can be written."""
        if frame.format.name == self.planes.name and has_captions(frame):
            frame.make_writable()  # PyAV cannot add side data to a new frame
            frame.pict_type = 0
            return frame
        new = pool.take(frame.width, frame.height, self.planes.name)
        view(new, 0)[...] = luma_plane(frame)
        return new

    def colors(
        self, frames: Iterable[av.VideoFrame], first: int, before: np.ndarray | None
    ) -> Iterator[tuple[PreparedFrame, propagation.Colors, bool]]:
        """Compute the propagated, steady colours of frames.

        Args:
            frames: Frames in display order. Frames before ``first`` are only used to find the shots.
            first: pts of the first frame to colour.
            before: Colours propagated to that frame, if it is not the first of its shot.

        Yields:
            The prepared frame, its colours, and whether a shot begins with it.
        """
        coming: deque[tuple[PreparedFrame, bool]] = deque()

        def to_steady() -> Iterator[propagation.Frame]:
            for prepared, start in self.prepared(frames):
                if prepared.pts >= first:
                    coming.append((prepared, start))
                    is_known = prepared.pts in self.stills and not self._is_kept(prepared.pts)
                    predict = functools.partial(self.predict, prepared)
                    yield propagation.Frame(prepared.small, start, predict, is_known)

        for colors in propagation.steady_colors(to_steady(), before, ahead=self._ahead()):
            prepared, start = coming.popleft()
            yield prepared, colors, start

    def _ahead(self) -> int:
        """Return how many keys may be predicted ahead without the waiting frames filling the memory."""
        rows, columns = self.planes.subsampling
        frames = _BUFFERED / (self.luma_bytes * (1 + 2 / (rows * columns))) - detection.REACH
        return max(1, min(propagation.AHEAD, int(frames / propagation.reach(0)) - 1))
