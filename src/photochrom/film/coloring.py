"""Colours the frames of a film, with one thread each for predicting, rendering and encoding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import av
import numpy as np

from ..errors import FilmError
from . import propagation
from .damage_log import Damage
from .frame_buffers import frames_within, pool
from .frames import FrameColorizer, PreparedFrame
from .output.resume import FinishedSegment, ResumeFolder
from .output.segments import SegmentEncoder
from .plan import Plan
from .prefetch import prefetched
from .sequences.names import Pattern
from .sequences.writer import SequenceWriter
from .shots import detection

_RENDERED_QUEUE = 4  # most rendered frames that wait for encoding
_PREDICTED_QUEUE = 8  # most predicted frames that wait for rendering; they come in bursts, one per key frame
_QUEUE_BYTES = 32e6  # most bytes in either queue; it limits the number of large frames
_SHORTEST, _LONGEST = 5, 10  # seconds after which a segment may end before a new shot, or before any key frame


@dataclass(frozen=True)
class Progress:
    """Progress of colouring a film."""

    done: int
    """Number of frames coloured so far, including those of earlier runs."""
    total: int
    """Number of frames to colour, at least ``done``; 0 if it is unknown."""
    is_estimate: bool = False
    """Whether ``total`` was estimated, because the file does not state it."""


def color_frames(
    frame_colorizer: FrameColorizer,
    folder: ResumeFolder,
    plan: Plan,
    damage: Damage,
    label: str,
    progress: Callable[[Progress], None],
) -> list[FinishedSegment]:
    """Colour and encode all frames that earlier runs have not finished.

    Args:
        frame_colorizer: Colours the frames of the film.
        folder: Working folder that holds the finished segments and receives the new ones.
        plan: Format and span of the coloured film.
        damage: Collects damage found by this run and by earlier ones.
        label: Credit that is written into the files of an image sequence.
        progress: Called after each frame; an exception that it raises stops the colouring.

    Returns:
        All segments of the coloured film, in order.

    Raises:
        FilmError: The film cannot be read (see ``FilmReader.frames``), none of its frames can be decoded, the codec
            loses frames, or a file of the working folder is damaged.
        PhotoError: A PNG, TIFF or JPEG frame of a sequence cannot be read or written.
        OSError, av.error.FFmpegError: The codec fails, or a file of the working folder cannot be written.
        OptionError, ModelError, EngineError: As for ``Colorizer.predict``.
    """
    segments = folder.finished()
    try:
        while not segments or segments[-1].next is not None:
            segments = _fill_gap(frame_colorizer, folder, plan, damage, label, segments, progress)
    finally:
        pool.clear()
    damage.restore(segments[-1].damage)
    return segments


def _fill_gap(
    frame_colorizer: FrameColorizer,
    folder: ResumeFolder,
    plan: Plan,
    damage: Damage,
    label: str,
    segments: list[FinishedSegment],
    progress: Callable[[Progress], None],
) -> list[FinishedSegment]:
    """Colour and encode the frames from the end of ``segments`` to the next finished segment or the end of the film.

    Returns:
        All finished segments from the film's beginning to the next gap. Errors are those of ``color_frames``.
    """
    reader = frame_colorizer.reader
    count = sum(len(segment.pts) for segment in segments)
    first, warm_up = plan.first, plan.first
    if segments:
        last = segments[-1]
        damage.restore(last.damage)
        assert last.next is not None  # the film's last segment leaves no gap
        assert last.warm_up is not None
        first, warm_up = last.next, last.warm_up
    frames = plan.span.until_end(reader.frames(warm_up, damage=damage), reader.time_base)
    before = folder.propagated(len(segments) - 1) if segments else None
    writer = _SegmentWriter(frame_colorizer, folder, plan, damage, segments, label)
    luma = frame_colorizer.luma_bytes
    most_rendered = _RENDERED_QUEUE if plan.frames is None else 1  # SequenceWriter has its own queue
    predicted_ahead = frames_within(_QUEUE_BYTES, luma, _PREDICTED_QUEUE)
    rendered_ahead = frames_within(_QUEUE_BYTES, 2 * luma, most_rendered)
    try:
        # Prediction, rendering and encoding take about the same time, so each has a thread.
        with (
            prefetched(frame_colorizer.colors(frames, first, before), predicted_ahead) as predicted,
            prefetched(_rendered(frame_colorizer, predicted, writer.has), rendered_ahead) as rendered,
        ):
            for item in rendered:
                if not writer.write(item):
                    return folder.finished()
                count += 1
                progress(Progress(count, plan.total and max(plan.total, count), plan.is_estimate))
        writer.finish(None, None)
    except BaseException:
        writer.abandon()
        raise
    return writer.segments


@dataclass(frozen=True)
class _Rendered:
    """A coloured frame before it is encoded."""

    pts: int
    duration: int
    """Duration in the film's time base; 0 if unknown."""
    frame: av.VideoFrame | None
    """The frame; None if an earlier run has already written its file."""
    is_new: bool
    """Whether ``frame`` is not the decoded frame itself, so that its memory may be reused."""
    colors: propagation.Colors
    starts_shot: bool


def _rendered(
    frame_colorizer: FrameColorizer,
    predicted: Iterator[tuple[PreparedFrame, propagation.Colors, bool]],
    is_written: Callable[[int], bool],
) -> Iterator[_Rendered]:
    """Render each frame, unless an earlier run has written its file, and recycle the memory of the uncoloured frame."""
    for prepared, colors, start in predicted:
        frame = None if is_written(prepared.pts) else frame_colorizer.render(prepared, colors.ab)
        is_new = frame is not prepared.frame
        rendered = _Rendered(prepared.pts, prepared.frame.duration or 0, frame, is_new, colors, start)
        frame_colorizer.recycle(prepared)
        yield rendered


class _SegmentWriter:
    """Writes coloured frames to segments, and ends each segment where a resumed run can begin the next."""

    def __init__(
        self,
        frame_colorizer: FrameColorizer,
        folder: ResumeFolder,
        plan: Plan,
        damage: Damage,
        segments: list[FinishedSegment],
        label: str,
    ) -> None:
        self.segments = segments
        self._label = label
        self._options, self._reader = frame_colorizer.options, frame_colorizer.reader
        self._folder, self._plan, self._damage = folder, plan, damage
        self._encoder: SegmentEncoder | SequenceWriter | None = None
        self._work: Pattern | None = None
        if plan.frames is not None:
            folder.frames.mkdir(exist_ok=True)
            self._work = replace(plan.frames, folder=folder.frames)
        self._shots: list[int] = []
        self._lately = deque((pts for segment in segments for pts in segment.pts), maxlen=detection.REACH)
        self._end = 0
        rate = self._reader.rate
        self._usual_duration = max(1, round(1 / (rate * self._reader.time_base)))
        self._shortest, self._longest = round(_SHORTEST * float(rate)), round(_LONGEST * float(rate))
        if self._options.keep_parts:
            self._shortest = 1  # one shot per segment, so that shots can be recoloured one by one

    def has(self, pts: int) -> bool:
        """Return whether an earlier run has written this frame's file; always False if the output is one file."""
        if self._work is None:
            return False
        return self._work.file(self._plan.number(self._reader, pts)).is_file()

    def write(self, rendered: _Rendered) -> bool:
        """Encode a frame, and begin a new segment with it if the current one may end here.

        Returns:
            False if the next segment is already finished and begins with this frame, which is then not encoded.

        Raises:
            FilmError, OptionError, PhotoError, OSError, av.error.FFmpegError: As for ``color_frames``.
        """
        pts, frame = rendered.pts, rendered.frame
        if self._encoder and self._may_end(self._encoder, rendered):
            self.finish(pts, rendered.colors.before)
            following = self._folder.segment(len(self.segments))
            if following is not None and following.pts[0] == pts:
                return False
        if self._encoder is None:
            self._encoder = self._new_encoder()
        if rendered.starts_shot:
            self._shots.append(pts)
        if isinstance(self._encoder, SequenceWriter):
            self._encoder.write(frame, pts)
        else:
            assert frame is not None  # only frames of sequences are skipped
            self._encoder.write(frame, pts)
            if rendered.is_new:
                pool.give_back(frame)
        self._lately.append(pts)
        self._end = pts + (rendered.duration or self._usual_duration)
        return True

    def _new_encoder(self) -> SegmentEncoder | SequenceWriter:
        if self._work is not None:
            first = self._plan.first_number
            return SequenceWriter(self._work, first, self._reader, self._plan.planes, self._label)
        path = self._folder.segment_path(len(self.segments))
        return SegmentEncoder(path, self._reader, self._plan.planes, self._options)

    def _may_end(self, encoder: SegmentEncoder | SequenceWriter, rendered: _Rendered) -> bool:
        """Return whether the current segment may end before this frame."""
        count = len(encoder.pts)
        ends_shot = rendered.starts_shot and count >= self._shortest
        return ends_shot or (rendered.colors.is_key and count >= self._longest)

    def finish(self, following: int | None, propagated: np.ndarray | None) -> None:
        """Finish the current segment and record it in the working folder.

        Args:
            following: pts of the next segment's first frame; None at the end of the film.
            propagated: ``Colors.before`` of that frame; None if a shot begins there.

        Raises:
            FilmError: The segment has no frame, or the codec has lost frames.
            FilmError, OptionError, PhotoError: A numbered frame cannot be written.
            OSError, av.error.FFmpegError: The segment cannot be written.
        """
        if self._encoder is None:
            raise FilmError("none of its frames can be decoded", path=self._reader.path, remedy="check the file")
        self._encoder.finish()
        if following is None and self._plan.span.end is None:
            self._reader.check_end(self._end, self._damage)
        segment = FinishedSegment(
            pts=self._encoder.pts,
            shots=self._shots,
            delay=self._encoder.delay,
            end=self._end,
            damage=self._damage.facts() | ({} if following is None else {"ends_early": ""}),
            next=following,
            warm_up=None if following is None else self._lately[0],
        )
        self._folder.finish(len(self.segments), segment, propagated)
        self.segments.append(segment)
        self._encoder, self._shots = None, []

    def abandon(self) -> None:
        """Discard the unfinished segment, whose frames a later run colours again."""
        if self._encoder is not None:
            self._encoder.abandon()
