"""The film that is to be coloured: what it is, and its frames in order."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av

from ..errors import FilmError, OptionError
from .damage import Damage
from .frame_facts import display_matrix, fields, has_colors
from .options import ROUNDED, parse_time, time_text

_SAMPLES = 8  # frames looked at for colours
_FAR = 500  # frames read at most to come to another than a key frame that was seen
_APART = 50  # frames between two of them in a film that cannot be sought in
_BACK = 1  # seconds that a time stamp may lie before the last; more is another clock, and sound would not fit
_MISSING = 1  # seconds of a film's end that may be without a picture
_SAY_THEIR_LENGTH = ("matroska", "mov")  # containers in whose headers it stands; that of others is a guess


class Reel:
    """An opened film. A context manager.

    Args:
        path: of the file.
        max_pixels: refuse larger frames, before one is decoded.

    Raises:
        FilmError: it is missing, is no film, has no picture, or too large a one.
    """

    def __init__(self, path: str | os.PathLike[str], max_pixels: float = math.inf) -> None:
        self.path, self._max_pixels = Path(path), max_pixels
        self.watch: Callable[[], None] = lambda: None
        """Called before each frame that is read, or shown in a preview; what it raises ends it."""
        self._open()
        try:
            first = self._first_frame()
        except BaseException:
            self.container.close()
            raise
        self.time_base: Fraction = self.video.time_base or Fraction(1, 90000)
        self.first_pts = first.pts or 0
        self.fields = fields(first)
        """Which of a frame's two fields is the earlier: ``tff`` or ``bff``, FFmpeg's names; empty if it has none."""
        self.turns = round(first.rotation / 90) % 4
        """Quarter turns counter-clockwise that make the frames upright."""
        self.display_matrix = display_matrix(first)
        context = self.video.codec_context
        self.tags: tuple[int, int] = context.color_primaries, context.color_trc
        """Primaries and transfer, as numbers of ITU-T H.273."""
        self.width, self.height, self._format = first.width, first.height, first.format.name
        self.aspect: Fraction = self.video.sample_aspect_ratio or Fraction(1)
        """Width of a pixel over its height."""
        self.rate: Fraction = self.video.average_rate or self.video.guessed_rate or Fraction(24)
        self.damage = Damage()

    def __enter__(self) -> Reel:
        return self

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def _open(self) -> None:
        self.container = _opened(self.path)
        try:
            self.video = _main_stream(self.container, self.path)
            self._check_size()
        except BaseException:
            self.container.close()
            raise
        self.video.thread_type = "AUTO"

    def _check_size(self) -> None:
        width, height = self.video.codec_context.width, self.video.codec_context.height
        if width * height > self._max_pixels:
            most = f"{self._max_pixels / 1e6:g} million"
            raise FilmError(f"{self.path}: its picture is {width} x {height} pixels, more than {most}")

    def _rewind(self) -> None:
        """To the beginning: by opening the film anew, because not in every one can be sought."""
        self.container.close()
        self._open()

    @property
    def duration(self) -> Fraction:
        """Seconds, as the file says; 0 where it does not."""
        if self.video.duration:
            return self.video.duration * self.time_base
        return Fraction(self.container.duration or 0, av.time_base)

    def _first_frame(self) -> av.VideoFrame:
        with contextlib.suppress(av.error.FFmpegError):
            for packet in self.container.demux(self.video):
                with contextlib.suppress(av.error.InvalidDataError):
                    for frame in packet.decode():
                        return frame
        raise FilmError(f"{self.path}: not one frame of it can be decoded: check the file")

    def frames(self, start: int | None = None) -> Iterator[av.VideoFrame]:
        """All frames from one on, in the order they are shown; their ``pts`` rise strictly.

        Args:
            start: pts of the first frame wanted; None for the film's first. It is looked for by seeking, and where
                that leads astray by reading the film from its beginning.
        """
        if start is not None:
            decoded = self._decoded_from(start)  # to the end by this one: it holds frames that its packet gave besides
            for frame in decoded:
                if frame.pts == start:
                    yield from self._rising(itertools.chain([frame], decoded), None)
                    return
                if frame.pts is None or frame.pts > start:
                    break
        self._rewind()
        for frame in self._rising(self._decoded(), None):
            if start is None or frame.pts >= start:
                yield frame

    def pts_at(self, seconds: Fraction) -> int:
        """The pts of the first frame that is shown at a time, or later.

        Raises:
            FilmError: the film has ended by then.
        """
        wanted = self.first_pts + (seconds - ROUNDED) / self.time_base
        before = False
        for frame in self._decoded_from(round(wanted)):
            if frame.pts is None or (frame.pts >= wanted and not before):
                break  # led astray
            if frame.pts >= wanted:
                return frame.pts
            before = True
        self._rewind()
        last = self.first_pts
        for frame in self._rising(self._decoded(), None):
            last = frame.pts
            if last >= wanted:
                return last
        end = time_text(self.seconds(last))
        raise FilmError(f"{self.path} has no frame at {time_text(seconds)}: it is shorter, its last begins at {end}")

    def _decoded_from(self, pts: int) -> Iterator[av.VideoFrame]:
        """Frames from a little before a time on, if the film can be sought in."""
        if self.container.format.name == "avi" and self.video.codec_context.has_b_frames:
            return  # it has but a time of decoding for each: what is made of them depends on all before
        try:
            self.container.seek(pts - round(2 / self.time_base), stream=self.video, backward=True)
        except av.error.FFmpegError:
            return
        yield from self._decoded()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self.container.demux(self.video)
        time = Fraction(0)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as exc:
                self.damage.ends_early = f"{exc.strerror} at {time_text(time)}"
                return
            if packet.pts is not None:
                time = self.seconds(packet.pts)
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.damage.note(time)
                continue
            if packet.is_corrupt or any(frame.is_corrupt for frame in frames):
                self.damage.note(time)
            yield from frames

    def _rising(self, frames: Iterator[av.VideoFrame], last: int | None) -> Iterator[av.VideoFrame]:
        """The frames with time stamps that can be written: where they are missing or do not rise, made up."""
        step = max(1, round(1 / (self.rate * self.time_base)))
        for frame in frames:
            if (frame.width, frame.height, frame.format.name) != (self.width, self.height, self._format):
                at = time_text(self.seconds(frame.pts or 0))
                what = "format" if (frame.width, frame.height) == (self.width, self.height) else "size"
                raise FilmError(f"{self.path}: the {what} of the picture changes at {at}: colour the parts one by one")
            if frame.pts is not None and last is not None and (last - frame.pts) * self.time_base > _BACK:
                at = time_text(self.seconds(last))
                raise FilmError(
                    f"{self.path}: the clock starts anew at {at}: colour the parts that were joined one by one"
                )
            if frame.pts is None or (last is not None and frame.pts <= last):
                frame.pts = self.first_pts if last is None else last + (step if frame.pts is None else 1)
            last = frame.pts
            if bool(frame.interlaced_frame) != bool(self.fields):
                self.damage.other_fields = self.damage.other_fields or time_text(self.seconds(last))
            self.watch()
            yield frame

    def seconds(self, pts: int) -> Fraction:
        """Of a time stamp, from the film's beginning."""
        return (pts - self.first_pts) * self.time_base

    def check_end(self, end: int) -> None:
        """Note it if the picture ends (``end``: a time stamp) long before the film should."""
        length = self._picture_length()
        missing = 0 if length is None else length - self.seconds(end)
        if missing > _MISSING and not self.damage.ends_early:
            at = time_text(self.seconds(end))
            self.damage.ends_early = f"no picture from {at} on, for {time_text(missing)}"

    def _picture_length(self) -> Fraction | None:
        """Seconds from the first frame to the end of the last, by the file; None where it does not say, or guesses."""
        if not self.container.format.name.startswith(_SAY_THEIR_LENGTH):
            return None
        if self.video.duration:
            return self.video.duration * self.time_base
        if tag := self.video.metadata.get("DURATION"):  # Matroska's, of a track
            with contextlib.suppress(OptionError):
                return parse_time(tag) - self.first_pts * self.time_base  # its clock begins at 0
        if len(self.container.streams) > 1:
            return None  # of the longest track, which may be another
        return self.duration - self.first_pts * self.time_base

    def is_colored(self) -> bool:
        """Whether some of the film's frames, spread over it, have colours: more than a tint, or one for each luma."""
        format = self.video.codec_context.format
        if len(format.components) < 3 and not format.has_palette:
            return False
        colored = any(has_colors(frame) for frame in self._spread())
        self.damage = Damage()
        return colored

    def _spread(self) -> Iterator[av.VideoFrame]:
        """Some frames from all over the film; where it cannot be sought in, by reading it."""
        span = self.video.duration or round(self.duration / self.time_base)
        last, found = None, 0
        for i in range(_SAMPLES if span else 0):
            frame = self._near(self.first_pts + span * i // _SAMPLES, last)
            if frame is None:
                break
            last, found = frame.pts, found + 1
            yield frame
        if found > 1:
            return
        self._rewind()
        for number, frame in enumerate(self._decoded()):
            self.watch()
            if number % _APART == 0:
                yield frame

    def _near(self, pts: int, last: int | None) -> av.VideoFrame | None:
        """The key frame before a time; where that was the last one already, a frame behind it. None: none is found."""
        with contextlib.suppress(av.error.FFmpegError):
            self.container.seek(pts, stream=self.video, backward=True)
            return self._behind(last, pts)
        return None

    def _behind(self, last: int | None, pts: int) -> av.VideoFrame | None:
        found = None
        for found in itertools.islice(self._decoded(), _FAR):
            if last is None or found.pts is None or (found.pts > last and (found.key_frame or found.pts >= pts)):
                break
        return found


def address(path: Path) -> str:
    """What FFmpeg is to be given for a file: what stands before a colon in a relative name would be a protocol."""
    return str(path.absolute())


def _opened(path: Path) -> av.container.InputContainer:
    try:
        return av.open(address(path), metadata_errors="replace")
    except FileNotFoundError as exc:
        raise FilmError(f"{path} does not exist: check the path") from exc
    except (IsADirectoryError, PermissionError) as exc:
        raise FilmError(f"{path} cannot be read ({exc.strerror})") from exc
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc  # what FFmpeg calls invalid data is no OSError
        raise FilmError(f"{path} is no film that can be read ({reason}): check that the file is whole") from exc


def _main_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise FilmError(f"{path} has no picture: it is no film")
