"""``FrameColorizer``: turns the decoded frames of a film into coloured frames."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from ..color.thumbnail import thumbnail
from ..color.tones import NEGATIVE, ORDINARY, Tones
from ..colorizer.colorizer import Colorizer
from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions
from . import propagation
from .frame_buffers import luma_plane, pool, view
from .frame_kinds.interlaced import render_fields
from .frame_kinds.logarithmic import LOGARITHMIC
from .frame_kinds.picture_area import PictureArea, picture_area
from .hints import FilmHint
from .options import FilmOptions
from .planes import PlaneFormat, in_format, luma_only
from .reader import FilmReader
from .shots import detection
from .source.side_data import has_captions

if TYPE_CHECKING:
    from .plan import Plan
    from .shots.shot_plan import ShotPlan

_WAITING_BYTES = 256e6  # limit on the frames that wait for the prediction of later key frames
_STILL_WEIGHT = 8.0  # a still's colours count as much as eight predictions of full confidence
_LEAST_WEIGHT = 0.05  # weight of colours of no confidence, and of the grey of frames that are not predicted
_SHORT_SIDE = 128  # of the pictures on which optical flow and propagation work, in pixels


@dataclass(frozen=True)
class PreparedFrame:
    """A frame before colouring, with the thumbnails from which its colours are computed."""

    frame: av.VideoFrame
    """The frame in the coloured film's format, or a grey frame with its luma if its own chroma is not needed."""
    thumbnail: np.ndarray
    """Luma as the network sees it, uint8 ``[H, W]``, full range, upright."""
    small: np.ndarray
    """The thumbnail at the scale of propagation, uint8 ``[h, w]``."""
    interlaced: bool
    """Whether the frame consists of two fields, whose chroma is computed separately."""
    visibility: float
    """Factor on the chroma: 0 if the frame is blank, 1 if it shows a picture, in between during a fade."""
    is_copy: bool
    """Whether nothing else uses the memory of ``frame``, so that it can be recycled."""

    @property
    def pts(self) -> int:
        """Presentation time stamp, in the film's time base."""
        assert self.frame.pts is not None  # guaranteed by FilmReader.frames
        return int(self.frame.pts)


def at_scale_of_propagation(colorizer: Colorizer, thumbnail: np.ndarray) -> np.ndarray:
    """Reduce a thumbnail, uint8 ``[H, W]``, to a short side of 128 pixels, or at most half the usual one.

    This averages out film grain and makes optical flow cheaper. Panoramas have the proportions of their thumbnails.
    """
    scale = min(0.5, _SHORT_SIDE / colorizer.card.working_size)
    height, width = (round(scale * side) for side in colorizer.thumbnail_size(*thumbnail.shape))
    return cv2.resize(thumbnail, (width, height), interpolation=cv2.INTER_AREA)


def predict_small(
    colorizer: Colorizer, thumbnail: np.ndarray, small: np.ndarray, options: ColorOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the colours of a thumbnail, at the size of its reduced copy.

    Args:
        colorizer: Runs the model.
        thumbnail: Luma, uint8 ``[H, W]``, full range.
        small: Result of ``at_scale_of_propagation``, uint8 ``[h, w]``.
        options: Vividness, hints and other options.

    Returns:
        a*b*, float32 ``[2, h, w]``, and the weight of each pixel in averages over frames, float32 ``[h, w]``: its
        confidence, at least 0.05; 1 if the model computes no confidence.

    Raises:
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    prediction = colorizer.predict(thumbnail, options)
    ab = colorizer.ab(prediction, options.hints, small)
    if prediction.confidence is None:
        return ab, np.ones(small.shape, np.float32)
    weight = cv2.resize(prediction.confidence, small.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return ab, np.maximum(weight, np.float32(_LEAST_WEIGHT))


@dataclass(eq=False)
class FrameColorizer:
    """Colours the frames of one film."""

    colorizer: Colorizer
    """Runs the model."""
    reader: FilmReader
    """The film."""
    planes: PlaneFormat
    """Format of the coloured film."""
    options: FilmOptions
    """Options of the film."""
    hints: Mapping[int, Sequence[Hint]] = field(default_factory=dict)
    """Hints for single frames, by the frame's pts."""
    is_kept: Callable[[int], bool] = lambda _: False
    """Returns, for a frame's pts, whether the frame keeps its own chroma."""
    shots: ShotPlan | None = None
    """Known shots and their options; None to detect shots and colour all of them alike."""
    stills: Mapping[int, np.ndarray] = field(default_factory=dict)
    """Known a*b* of the picture area of upright frames, float32 ``[2, h, w]`` at any size, by the frame's pts."""

    @property
    def luma_bytes(self) -> int:
        """Size of a frame's luma in bytes."""
        return self.reader.width * self.reader.height * np.dtype(self.planes.dtype).itemsize

    @functools.cached_property
    def area(self) -> PictureArea:
        """The part of each frame that is coloured.

        Raises:
            FilmError: The area in the options does not lie inside the frame, or is too small.
        """
        return picture_area(
            self.options.frame,
            (self.reader.height, self.reader.width),
            self.planes.subsampling,
            turns=self.reader.turns,
        )

    @property
    def tones(self) -> Tones:
        """How the film's luma is stored: that of a negative or logarithmic film is not that of the scene."""
        return NEGATIVE if self.options.negative else LOGARITHMIC if self.reader.is_log else ORDINARY

    def hints_in_area(self, hints: Sequence[FilmHint]) -> list[FilmHint]:
        """Return the hints inside the picture area, with positions relative to that area.

        Raises:
            FilmError: The picture area is invalid; see ``area``.
        """
        height, width = float(self.reader.height), float(self.reader.width * self.reader.aspect)
        return self.area.hints_within(hints, *((width, height) if self.reader.turns % 2 else (height, width)))

    def with_stills(self, stills: Mapping[int, np.ndarray]) -> FrameColorizer:
        """Return a copy of this colorizer with other stills, of whole frames, in the form of the field ``stills``.

        Raises:
            FilmError: The picture area is invalid; see ``area``.
        """
        return replace(self, stills={pts: self.area.crop(ab) for pts, ab in stills.items()})

    def keeping(self, is_kept: Callable[[int], bool]) -> FrameColorizer:
        """Return a copy of this colorizer that also leaves those frames unchanged for whose pts ``is_kept`` is true."""
        return replace(self, is_kept=lambda pts: self.is_kept(pts) or is_kept(pts))

    def with_shots(self, shots: ShotPlan | None) -> FrameColorizer:
        """Return a copy of this colorizer that takes shots, their options and the frames to keep from a plan.

        The frames to keep replace those that ``keeping`` added. Without a plan, these stay, and shots are detected
        during colouring.
        """
        return replace(self, shots=shots, is_kept=self.is_kept if shots is None else shots.is_left_out)

    def color_options(self, pts: int) -> ColorOptions:
        """Return the colour options of the frame with this pts: those of its shot or the film, with its own hints."""
        color = self.options.color if self.shots is None else self.shots.options_at(pts)
        hints = tuple(self.hints.get(pts, ()))
        return color.with_hints(hints) if hints else color

    def prepare(self, frame: av.VideoFrame) -> PreparedFrame:
        """Convert a decoded frame to the coloured film's format, and make its thumbnails.

        Raises:
            FilmError: The picture area is invalid; see ``area``.
        """
        interlaced = bool(self.reader.fields or frame.interlaced_frame)
        chroma, decoded = self._may_keep(frame), frame
        frame = in_format(frame, self.planes, chroma=chroma)
        if frame.format.name == self.planes.name and not (chroma or has_captions(frame)):
            frame = luma_only(frame, self.planes)  # saves memory, since dozens of frames wait for later key frames
        luma = luma_plane(frame)[self.area.luma]
        thumbnail = self.colorizer.thumbnail(
            luma,
            self.planes.coding,
            aspect=float(self.reader.aspect),
            turns=self.reader.turns,
            detail=self.options.color.detail,
        )
        thumbnail = self.tones.scene(thumbnail)
        small = at_scale_of_propagation(self.colorizer, thumbnail)
        is_copy = frame is not decoded and len(frame.planes) == 1
        return PreparedFrame(frame, thumbnail, small, interlaced, detection.visibility(small), is_copy)

    def _may_keep(self, frame: av.VideoFrame) -> bool:
        """Return whether a frame's own chroma may be needed."""
        is_kept = frame.pts is not None and self.is_kept(frame.pts)
        return self.reader.may_have_colors and (is_kept or self.options.recolor == "grey-shots")

    def prepared(self, frames: Iterable[av.VideoFrame]) -> Iterator[tuple[PreparedFrame, bool]]:
        """Prepare frames and find the shots.

        Args:
            frames: Decoded frames in display order.

        Yields:
            A prepared frame, and whether a shot begins with it.

        Raises:
            FilmError: The picture area is invalid; see ``area``.
        """
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

    def prepared_part(
        self, plan: Plan, on_frame: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[PreparedFrame, bool]]:
        """Read and prepare the frames of the part to colour, as ``prepared`` does.

        Args:
            plan: The part of the film to colour.
            on_frame: Called before each frame that is read; an exception that it raises ends the reading.

        Raises:
            FilmError: The film cannot be read (see ``FilmReader.frames``), or the picture area is invalid.
        """
        frames = self.reader.frames(plan.first, on_frame=on_frame)
        return self.prepared(plan.span.until_end(frames, self.reader.time_base))

    def _prepared_by_plan(
        self, frames: Iterable[av.VideoFrame], plan: ShotPlan
    ) -> Iterator[tuple[PreparedFrame, bool]]:
        """Prepare frames, with shots that begin where a plan states."""
        last = None
        for frame in frames:
            prepared = self.prepare(frame)
            number = plan.number(prepared.pts)
            yield prepared, number != last
            last = number

    def predict(self, prepared: PreparedFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the colours of a frame: those of its still, or else those that the network predicts.

        A frame that is left unchanged gets grey, and so does a blank one without hints.

        Returns:
            a*b*, float32 ``[2, h, w]`` at the size of ``PreparedFrame.small``, and the weight of each pixel in averages
            over frames, float32 ``[h, w]``: 8 for a still, 0.05 for grey, otherwise the confidence (0.05 to 1; 1 if the
            model predicts none).

        Raises:
            OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
        """
        color = self.color_options(prepared.pts)
        if (known := self.stills.get(prepared.pts)) is not None and not self.is_kept(prepared.pts):
            size = prepared.small.shape[::-1]
            ab = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in known])
            return ab, np.full(prepared.small.shape, _STILL_WEIGHT, np.float32)
        if self.is_kept(prepared.pts) or (prepared.visibility == 0 and not color.hints):
            neutral = np.zeros((2, *prepared.small.shape), np.float32)
            return neutral, np.full(prepared.small.shape, _LEAST_WEIGHT, np.float32)
        return predict_small(self.colorizer, prepared.thumbnail, prepared.small, color)

    def render(self, prepared: PreparedFrame, ab: np.ndarray) -> av.VideoFrame:
        """Return the coloured frame: the luma plane unchanged, and chroma planes upsampled along the luma's edges.

        A frame that is left unchanged gets its own chroma, or neutral chroma if the film has none. The result may be
        ``prepared.frame`` itself, changed in place.

        Args:
            prepared: The frame.
            ab: a*b*, float32 ``[2, h, w]`` at the size of ``PreparedFrame.small``; not used if the frame has a still.
        """
        if self.is_kept(prepared.pts):
            return self._as_it_is(prepared.frame)
        new = self._uncolored(prepared.frame)
        luma = luma_plane(prepared.frame)[self.area.luma]
        small, ab = self._finest(prepared, ab, luma)
        visibility = 1.0 if self.hints.get(prepared.pts) else prepared.visibility
        cb, cr = (self._chroma_of_picture(view(new, index)) for index in (1, 2))
        turns, subsampling = self.reader.turns, self.planes.subsampling
        small, ab = np.rot90(small, -turns), np.rot90(ab, -turns, axes=(1, 2))
        strength = self.color_options(prepared.pts).strength * visibility
        render = functools.partial(
            self.colorizer.render,
            thumbnail=small,
            ab=ab,
            strength=strength,
            coding=self.planes.coding,
            exact=False,
            tones=self.tones,
        )
        render_fields(render, luma, (cb, cr), interlaced=prepared.interlaced, subsampling=subsampling)
        return new

    def recycle(self, prepared: PreparedFrame) -> None:
        """Return a frame's memory to the pool if nothing else uses it; the caller must not use the frame any more."""
        if prepared.is_copy:
            pool.give_back(prepared.frame)

    def _finest(self, prepared: PreparedFrame, ab: np.ndarray, luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the luma and a*b* from which to render a frame, at the size of its still if there is one."""
        if (known := self.stills.get(prepared.pts)) is None:
            return prepared.small, ab
        turns = self.reader.turns
        height, width = known.shape[1:][:: -1 if turns % 2 else 1]  # before turning
        return self.tones.scene(np.rot90(thumbnail(luma, self.planes.coding, height, width), turns)), known

    def _as_it_is(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return a frame with its own chroma, or with neutral chroma if the film has none."""
        if self.reader.may_have_colors:
            frame.pict_type = 0  # lets the encoder decide which frames become intra frames
            return frame
        new = self._uncolored(frame)
        for index in (1, 2):
            view(new, index)[...] = self.planes.coding.neutral
        return new

    def _chroma_of_picture(self, plane: np.ndarray) -> np.ndarray:
        """Set a chroma plane to neutral outside the picture area, and return a view of the part inside."""
        if self.area.box is not None:
            plane[...] = self.planes.coding.neutral
        return plane[self.area.chroma]

    def _uncolored(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return ``frame`` or a new one with its luma and closed captions, and with chroma planes to be written."""
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
        """Compute colours that are steady over each shot.

        Args:
            frames: Decoded frames in display order. Those before ``first`` only help to find the shots.
            first: pts of the first frame to colour.
            before: ``Colors.before`` of the frame ``first``, float32 ``[h, w, 4]``; None if a shot begins there.

        Yields:
            A prepared frame, its colours, and whether a shot begins with it.

        Raises:
            FilmError, OptionError, ModelError, EngineError: As for ``prepare`` and ``predict``.
        """
        waiting: deque[tuple[PreparedFrame, bool]] = deque()

        def to_steady() -> Iterator[propagation.Frame]:
            for prepared, start in self.prepared(frames):
                if prepared.pts >= first:
                    waiting.append((prepared, start))
                    is_known = prepared.pts in self.stills and not self.is_kept(prepared.pts)
                    predict = functools.partial(self.predict, prepared)
                    yield propagation.Frame(prepared.small, start, predict, is_known)

        for colors in propagation.steady_colors(to_steady(), before, ahead=self._ahead()):
            prepared, start = waiting.popleft()
            yield prepared, colors, start

    def _ahead(self) -> int:
        """Return the number of key frames to predict ahead, at least 1, within the memory for waiting frames."""
        rows, columns = self.planes.subsampling
        frames = _WAITING_BYTES / (self.luma_bytes * (1 + 2 / (rows * columns))) - detection.REACH
        return max(1, min(propagation.AHEAD, int(frames / propagation.reach(0)) - 1))
