"""The film that is to be coloured: what it is, its frames in order, and what of it is damaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData

from ..errors import FilmError
from .options import time_text

_SAMPLES = 8  # frames looked at for colours
_COLORED = 2.0  # mean distance of chroma from a tint, in steps of 8 bits, beyond which a frame has colours
_TINTS = 16  # of a toned film: levels of luma that have one each
_MISSING = 1  # seconds of a film's end that may be without a picture
_SAY_THEIR_LENGTH = ("matroska", "mov")  # containers in whose headers it stands; that of others is a guess


@dataclass
class Damage:
    """What of a film could not be read."""

    packets: list[Fraction] = field(default_factory=list)
    """Seconds, of packets that could not be decoded."""
    ends_early: str = ""
    """Why reading stopped before the end; empty if it did not."""

    def note(self, seconds: Fraction) -> None:
        """A packet that could not be decoded; the same one counts once, however often it is read."""
        if seconds not in self.packets:
            self.packets.append(seconds)

    def restore(self, packets: Iterable[str], ends_early: str) -> None:
        """What an earlier run has noted."""
        for seconds in packets:
            self.note(Fraction(seconds))
        self.ends_early = ends_early

    def lines(self) -> list[str]:
        """One line for each kind of damage, for people."""
        found = []
        if self.packets:
            times = ", ".join(time_text(t) for t in self.packets[:5]) + (", ..." if len(self.packets) > 5 else "")
            found.append(f"{len(self.packets)} damaged packets, left out or repaired by the decoder, at {times}")
        if self.ends_early:
            found.append(f"the file ends early or is damaged from there on ({self.ends_early})")
        return found


class Reel:
    """An opened film. A context manager.

    Args:
        path: of the file.

    Raises:
        FilmError: it is missing, is no film, or has no picture.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._open()
        try:
            first = self._first_frame()
        except BaseException:
            self.container.close()
            raise
        self.time_base: Fraction = self.video.time_base or Fraction(1, 90000)
        self.first_pts = first.pts or 0
        self.interlaced = bool(first.interlaced_frame)
        self.turns = round(first.rotation / 90) % 4
        """Quarter turns counter-clockwise that make the frames upright."""
        self.display_matrix = _display_matrix(first)
        context = self.video.codec_context
        self.field_order: int = context.field_order
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
        except BaseException:
            self.container.close()
            raise
        self.video.thread_type = "AUTO"

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
            for frame in self._decoded_from(start):
                if frame.pts == start:
                    yield frame
                    yield from self._rising(self._decoded(), start)
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
        wanted = self.first_pts + seconds / self.time_base
        before = False
        for frame in self._decoded_from(round(wanted)):
            if frame.pts is None or (frame.pts >= wanted and not before):
                break  # led astray
            if frame.pts >= wanted:
                return frame.pts
            before = True
        self._rewind()
        for frame in self._rising(self._decoded(), None):
            if frame.pts >= wanted:
                return frame.pts
        raise FilmError(f"{self.path} has no frame at {time_text(seconds)}: it is shorter")

    def _decoded_from(self, pts: int) -> Iterator[av.VideoFrame]:
        """Frames from a little before a time on, if the film can be sought in."""
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
            if frame.pts is None or (last is not None and frame.pts <= last):
                frame.pts = self.first_pts if last is None else last + (step if frame.pts is None else 1)
            last = frame.pts
            yield frame

    def seconds(self, pts: int) -> Fraction:
        """Of a time stamp, from the film's beginning."""
        return (pts - self.first_pts) * self.time_base

    def check_end(self, end: int) -> None:
        """Note it if the picture ends (``end``: a time stamp) long before the film should."""
        missing = self.duration - self.seconds(end)
        if not self.video.duration:
            missing -= self.first_pts * self.time_base  # the file's own clock begins at 0
        says = self.container.format.name.startswith(_SAY_THEIR_LENGTH)
        if says and missing > _MISSING and not self.damage.ends_early:
            at = time_text(self.seconds(end))
            self.damage.ends_early = f"no picture from {at} on, for {time_text(missing)}"

    def is_colored(self) -> bool:
        """Whether some of the film's frames, spread over it, have colours: more than a tint, or one for each luma."""
        if len(self.video.codec_context.format.components) < 3:
            return False
        span = self.video.duration or round(self.duration / self.time_base)
        colored = False
        for i in range(_SAMPLES):
            with contextlib.suppress(av.error.FFmpegError):
                self.container.seek(self.first_pts + span * i // _SAMPLES, stream=self.video, backward=True)
            frame = next(self._decoded(), None)
            colored = colored or (frame is not None and _has_colors(frame))
        self.damage = Damage()
        return colored


def _opened(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path), metadata_errors="replace")
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


def _display_matrix(frame: av.VideoFrame) -> list[int] | None:
    found = frame.side_data.get(SideData.DISPLAYMATRIX)
    return None if found is None else np.frombuffer(bytes(found), np.int32).tolist()


def _has_colors(frame: av.VideoFrame) -> bool:
    small = frame.reformat(
        width=min(frame.width, 320) // 2 * 2, height=min(frame.height, 240) // 2 * 2, format="yuv444p"
    )
    luma, *planes = small.to_ndarray()
    level = (luma // (256 // _TINTS)).ravel()
    pixels = np.maximum(np.bincount(level, minlength=_TINTS), 1)
    away = [p.ravel() - (np.bincount(level, p.ravel(), _TINTS) / pixels)[level] for p in planes]
    return float(np.hypot(*away).mean()) > _COLORED
