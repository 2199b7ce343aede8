"""``FilmReader``: opens a film, finds its properties, and decodes its frames in order."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av

from ..errors import FilmError
from .damage_log import Damage
from .source import raw_streams
from .source.decoding import decoded, is_avi
from .source.keyframes import keyframe_pairs, lone_keyframes
from .source.opening import main_stream, open_container
from .source.side_data import display_matrix, fields, kinds
from .source.time_code import reel_name_of, time_code_of
from .source.timing import (
    clock_start,
    frame_rate,
    increasing,
    irregular_pts,
    is_cut_short,
    picture_length,
)
from .times import LAST_FRAME, ROUNDED, time_text

_MOST_BACKWARD = 1  # seconds by which a time stamp may decrease before the time stamps count as starting over
_MOST_NEGATIVE = 1_000  # frames: Matroska's negative times are at most 33 seconds
_MISSING = 1  # seconds without picture that are tolerated at a film's end
_LAST_PTS = Fraction(1 << 62)  # greatest time that FFmpeg can seek to


def _ignore() -> None:
    """Do nothing; the default of ``on_frame``."""


class FilmReader:
    """An opened film, with its properties and frames; a context manager that closes the file.

    All methods that read frames share one position in the file: after one of them, an iteration that was begun before
    must not go on. For the same reason, threads must not share a reader.

    Args:
        path: The film.
        max_pixels: Maximum number of pixels per frame; checked before any frame is decoded.
        rate: Frames per second of a raw stream that states none; other films keep their own.

    Raises:
        FilmError: The file is missing, cannot be read as a film, or has no picture, or its frames are too large or
            cannot be decoded.
    """

    def __init__(
        self, path: str | os.PathLike[str], max_pixels: float = math.inf, rate: Fraction | None = None
    ) -> None:
        self.path, self._max_pixels = Path(path), max_pixels
        self.tracks_file = self.path
        """The file from which sound and other tracks are copied."""
        self._demuxer_options: dict[str, str] = {}
        self.first_pts = 0
        """Presentation time stamp of the first frame."""
        self.states_rate = True
        """Whether the film or the caller states the rate; otherwise it is assumed."""
        self._open()
        try:
            first = self._first_frame()
            first = self._reopened_at_own_rate(rate) or first
        except BaseException:
            self.container.close()
            raise
        self.rate: Fraction = frame_rate(self.video)
        """Frames per second."""
        self._step = max(1, round(1 / (self.rate * self.time_base)))
        self.first_pts = first.pts or 0
        if first.pts is None and self.container.format.name.startswith("matroska"):
            self.first_pts = self._unstated_first_pts()
        self.fields = fields(first)
        """Field order of an interlaced film: ``tff`` (top field first) or ``bff``; empty if it is not interlaced."""
        self.turns = round(first.rotation / 90) % 4
        """Quarter turns counter-clockwise that make the frames upright."""
        self.display_matrix = display_matrix(first)
        context = self.video.codec_context
        self.tags: tuple[int, int] = context.color_primaries, context.color_trc
        """Codes of primaries and transfer characteristics in ITU-T H.273."""
        self.color_range: int = context.color_range or first.color_range  # MagicYUV states it for frames only
        """FFmpeg's code of the range of the code values; 0 if it is not stated."""
        self.width, self.height, self._format = first.width, first.height, first.format.name
        self.aspect: Fraction = self.video.sample_aspect_ratio or Fraction(1)
        """Width of a pixel divided by its height."""
        self.stem = self.path.stem
        """Name of the film without its suffix, used for the names of outputs."""
        self.is_sequence = False
        """Whether the film consists of numbered files."""
        self.time_code = time_code_of(self.container, first)
        """Time code of the first frame, such as ``01:00:00:00``; empty if there is none."""
        self.reel_name = reel_name_of(self.container)
        """Name of the reel to which the time code belongs; empty if there is none."""
        self.is_log = False
        """Whether the luma is logarithmic, as in film scans for printing (Cineon)."""

    def __enter__(self) -> FilmReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def _open(self) -> None:
        self.container = self._container()
        try:
            self.video = main_stream(self.container, self.path)
            self._check_pixels(self.video.codec_context.width, self.video.codec_context.height)
        except BaseException:
            self.container.close()
            raise
        self.video.thread_type = "AUTO"
        self.time_base: Fraction = self.video.time_base or Fraction(1, 90000)

    def _container(self) -> av.container.InputContainer:
        return open_container(self.path, self._demuxer_options)

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            most = f"{self._max_pixels / 1e6:g} million"
            raise FilmError(f"its picture is {width} x {height} pixels, more than {most}", path=self.path)

    def _rewind(self) -> None:
        """Return to the film's beginning by reopening the file, because not every film is seekable."""
        self.container.close()
        self._open()

    def _reopened_at_own_rate(self, given: Fraction | None) -> av.VideoFrame | None:
        """Reopen a raw stream at the frame rate that it states, or at a given one, and return its first frame.

        Args:
            given: Frame rate for a stream that states none.

        Returns:
            None if reopening is not necessary, because FFmpeg assumes no other rate.

        Raises:
            FilmError: The file cannot be read any more.
        """
        if self.container.format.name not in raw_streams.NAMES:
            return None
        rate = raw_streams.stated_rate(self.container, self.video, self._container) or given
        self.states_rate = rate is not None
        if rate in (None, self.video.average_rate):
            return None
        self._demuxer_options = {"framerate": str(rate)}
        self._rewind()
        return self._first_frame()

    @property
    def stated_frames(self) -> int:
        """Number of frames according to the file; 0 if unknown."""
        return self.video.frames

    @property
    def clock_start(self) -> Fraction:
        """Time in seconds from which a whole film counts; see ``timing.clock_start``."""
        return clock_start(self.container, self.first_pts * self.time_base)

    @property
    def profile(self) -> bytes | None:
        """ICC profile of the coloured frames; None, since the tags of the stream describe them."""
        return None

    def fingerprint(self) -> str:
        """Return a text that differs if the source has changed, so that work on another version is not resumed.

        Raises:
            OSError: The file has disappeared.
        """
        file = self.path.stat()
        return f"{self.path.resolve()}, {file.st_size} bytes, {file.st_mtime_ns}"

    def notes(self) -> list[str]:
        """Return notes about the film for the user, one line each."""
        if self.states_rate:
            return []
        return [f"the stream does not state its rate; {self.rate} frames per second are assumed: rate=18 sets another"]

    @property
    def duration(self) -> Fraction:
        """Length in seconds according to the file; 0 if unknown."""
        if self.video.duration:
            return self.video.duration * self.time_base
        return Fraction(self.container.duration or 0, av.time_base)

    def _first_frame(self) -> av.VideoFrame:
        for frame in FilmReader._decoded(self, Damage()):
            return frame
        raise FilmError("none of its frames can be decoded", path=self.path, remedy="check the file")

    def _unstated_first_pts(self) -> int:
        """Return the pts of the first frame, from that of the first one that has any; 0 if none has.

        Matroska's times may be negative, and FFmpeg leaves those out. Errors are those of ``frames``.
        """
        for number, frame in enumerate(itertools.islice(self.unchecked_frames(), _MOST_NEGATIVE)):
            if frame.pts is not None:
                return frame.pts - number * self._step
        return 0

    def frames(
        self, start: int | None = None, *, damage: Damage | None = None, on_frame: Callable[[], None] = _ignore
    ) -> Iterator[av.VideoFrame]:
        """Decode frames in display order, with strictly increasing ``pts``.

        Args:
            start: pts of the first frame to yield; None for the film's first frame. If seeking fails, the film is read
                from the beginning.
            damage: Collects damage found.
            on_frame: Called before each frame; an exception that it raises ends the reading.

        Raises:
            FilmError: The size or format of the picture changes within the film, its time stamps start over, or a file
                cannot be read.
        """
        damage = Damage() if damage is None else damage
        if start is not None and start != self.first_pts:
            # One generator decodes all frames, because it may hold further frames of the packet of the first one.
            decoded = self._decoded_from(start, damage)
            for frame in decoded:
                if frame.pts == start:
                    yield from self._checked_frames(itertools.chain([frame], decoded), damage, on_frame)
                    return
                if frame.pts is None or frame.pts > start:
                    break
        for frame in self._checked_frames(self.unchecked_frames(damage), damage, on_frame):
            if start is None or frame.pts >= start:
                yield frame

    def unchecked_frames(self, damage: Damage | None = None) -> Iterator[av.VideoFrame]:
        """Decode all frames from the film's beginning, without the checks and repairs of ``frames``.

        Args:
            damage: Collects damaged packets.

        Raises:
            FilmError: The film cannot be opened again.
        """
        self._rewind()
        yield from self._decoded(Damage() if damage is None else damage)

    def frames_near(self, pts: int) -> Iterator[av.VideoFrame]:
        """Decode frames in display order, from the keyframe at or before a pts; yield none if the film is not seekable.

        Raises:
            FilmError: As for ``frames``.
        """
        yield from self._checked_frames(self._from_keyframe(pts, Damage()), Damage(), _ignore)

    def keyframes_near(self, times: Iterable[int]) -> list[av.VideoFrame]:
        """Decode the keyframes at or before each of ``times``, which are increasing pts; each keyframe once.

        The result is empty if this fails, or if the film is interlaced, since a keyframe may then be only one field.
        """
        if self.fields or raw_streams.is_clocked(self.container):
            return []
        return lone_keyframes(self.container, self.video, times)

    def pairs_near(self, times: Iterable[int]) -> Iterator[list[av.VideoFrame]]:
        """Yield pairs of frames, ``GAP`` apart, one pair near each of ``times``, which are increasing pts.

        The last pair may lack its second frame. The pairs end at the first pts to which seeking fails, or from which on
        the film has no frames; see ``keyframe_pairs``.

        Raises:
            FilmError: The file of a numbered frame cannot be read.
        """
        if raw_streams.is_clocked(self.container):
            return iter(())
        return keyframe_pairs(self.container, self.video, times, lambda: self._decoded(Damage()))

    def pts_at(self, seconds: Fraction, *, or_last: bool = False) -> int:
        """Return the pts of the first frame at or after a time in seconds from the film's beginning.

        If there is none, and ``or_last`` is set, return that of the last frame.

        Raises:
            FilmError: The film ends before that time, and ``or_last`` is not set; or it cannot be read up to it (see
                ``frames``).
        """
        wanted = min(self.first_pts + (seconds - ROUNDED) / self.time_base, _LAST_PTS)
        last = None
        for frame in self._decoded_from(round(wanted), Damage()):
            if frame.pts is None or (frame.pts >= wanted and last is None):
                last = None  # seeking failed
                break
            if frame.pts >= wanted:
                return frame.pts
            last = frame.pts
        if last is None:
            last = self.first_pts
            for frame in self._checked_frames(self.unchecked_frames(), Damage(), _ignore):
                last = frame.pts
                if last >= wanted:
                    return last
        if or_last:
            return last
        end = time_text(self.seconds(last))
        raise FilmError(f"has no frame at {time_text(seconds)}", path=self.path, remedy=LAST_FRAME.format(end))

    def _decoded_from(self, pts: int, damage: Damage) -> Iterator[av.VideoFrame]:
        """Decode frames from about two seconds before a pts; yield none if the film is not seekable."""
        yield from self._from_keyframe(pts - round(2 / self.time_base), damage)

    def _from_keyframe(self, pts: int, damage: Damage) -> Iterator[av.VideoFrame]:
        """Decode frames from the keyframe at or before a pts; yield none if the film is not seekable."""
        if raw_streams.is_clocked(self.container) or (self.is_avi and self.video.codec_context.has_b_frames):
            return  # presentation times depend on the packets, or the delay, from the beginning
        try:
            self.container.seek(pts, stream=self.video, backward=True)
        except av.error.FFmpegError:
            return
        yield from self._decoded(damage)

    def _decoded(self, damage: Damage) -> Iterator[av.VideoFrame]:
        """Decode frames from the current position, and record damaged packets."""
        yield from decoded(self.container, self.video, self.seconds, damage)

    @property
    def is_avi(self) -> bool:
        """Whether the container is AVI.

        FFmpeg writes such files so that their first frame lasts longer, to delay the picture by the delay of MP3 sound.
        """
        return is_avi(self.container)

    def _checked_frames(
        self, frames: Iterator[av.VideoFrame], damage: Damage, on_frame: Callable[[], None]
    ) -> Iterator[av.VideoFrame]:
        """Check each frame, repair its pts (see ``increasing``), and record its side data."""

        def on_repair(last: int, pts: int) -> None:
            if (last - pts) * self.time_base > _MOST_BACKWARD:
                raise FilmError(
                    f"its time stamps start over at {time_text(self.seconds(last))}",
                    path=self.path,
                    remedy="colour the parts that were joined one by one",
                )
            damage.clocks.setdefault(self.video.index, self.seconds(last))

        for frame in increasing(frames, self.first_pts, self._step, on_repair):
            self._check_frame(frame)
            if bool(frame.interlaced_frame) != bool(self.fields):
                damage.other_fields = damage.other_fields or time_text(self.seconds(frame.pts))
            damage.side_data |= kinds(frame)
            on_frame()
            yield frame

    def _check_frame(self, frame: av.VideoFrame) -> None:
        """Raise an error if a frame differs from the first one in size or format."""
        if (frame.width, frame.height, frame.format.name) != (self.width, self.height, self._format):
            at = time_text(self.seconds(frame.pts))
            what = "format" if (frame.width, frame.height) == (self.width, self.height) else "size"
            raise FilmError(
                f"the {what} of the picture changes at {at}", path=self.path, remedy="colour the parts one by one"
            )

    def seconds(self, pts: int) -> Fraction:
        """Convert a pts to seconds from the film's beginning."""
        return (pts - self.first_pts) * self.time_base

    def check_end(self, end: int, damage: Damage) -> None:
        """Record damage if ``end``, the pts at which the last frame ends, is over a second before the stated end.

        If the index lists frames beyond the end of the file, less than a second is damage, too.
        """
        length = picture_length(self.container, self.video, self.rate, self.first_pts * self.time_base)
        missing = 0 if length is None else length - self.seconds(end)
        if missing > (0 if is_cut_short(self.video, self.tracks_file) else _MISSING) and not damage.ends_early:
            at = time_text(self.seconds(end))
            damage.ends_early = f"no picture from {at} on, for {time_text(missing)}"

    def irregular_at(self) -> Fraction | None:
        """Return the time in seconds at which the frame rate first varies; None if it is constant.

        Raises:
            FilmError: The film cannot be read again.
        """
        with self._container() as container:
            video = container.streams[self.video.index]
            pts = irregular_pts(container, video, self.first_pts, 1 / (self.rate * self.time_base))
        return None if pts is None else self.seconds(pts)

    @property
    def may_have_colors(self) -> bool:
        """Whether the film's pixel format holds chroma."""
        format = self.video.codec_context.format
        return len(format.components) >= 3 or format.has_palette
