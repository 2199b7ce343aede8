"""``SequenceReader``: reads numbered frames as a film, decoding in parallel."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av

from ...color.bands import thread_limit
from ...errors import FilmError, PhotoError
from ...photo.formats import icc
from ..damage_log import Damage
from ..frame_buffers import frames_within
from ..options import FilmOptions
from ..reader import FilmReader
from ..source.color_detection import GAP
from ..source.opening import reading
from ..times import LAST_FRAME, ROUNDED, time_text
from . import exr, frame_metadata, jpegs
from .headers import REMEDY, Header, check_png, difference, read_header
from .names import Pattern, find_sequence, frames_in_words, is_alone, missing
from .pixels import encoded, turned

_USUAL_RATE = Fraction(24)  # frames per second if neither the user nor the headers state a rate
_DECODERS = {"dpx": "dpx", "tiff": "tiff", "png": "png", "jpeg": "mjpeg", "jp2": "jpeg2000"}
# Codes of primaries and transfer characteristics in ITU-T H.273.
_BT709 = (1, 1)  # assumed for scans, which seldom state them
_SRGB = (1, 13)  # for scene-linear frames, which are converted to sRGB
_UNSPECIFIED = (2, 2)
_READ_BYTES = 128e6  # limit on the frames that are read in parallel
_FLOATS = ("f16", "f32")  # parts of FFmpeg's names of pixel formats with floating-point samples


def open_film(path: str | os.PathLike[str], options: FilmOptions, max_pixels: float = math.inf) -> FilmReader:
    """Open a film: a file, a folder of numbered frames, or a pattern of their names.

    Args:
        path: The film.
        options: Options of the film; only ``rate`` and ``fill_gaps`` matter.
        max_pixels: Maximum number of pixels per frame.

    Returns:
        A ``SequenceReader`` for numbered frames, otherwise a ``FilmReader``.

    Raises:
        FilmError: The film cannot be read, or frames of a sequence are missing.
    """
    rate = options.rate
    assert rate is None or isinstance(rate, Fraction)
    try:
        pattern = find_sequence(Path(path))
        if pattern is None:
            return FilmReader(path, max_pixels, rate)
        return SequenceReader(pattern, Path(path), rate=rate, fill_gaps=options.fill_gaps, max_pixels=max_pixels)
    except OSError as exc:
        raise FilmError(
            f"cannot be read ({exc.strerror})", path=exc.filename or path, remedy="check the path and its permissions"
        ) from exc


class SequenceReader(FilmReader):
    """Numbered frames, read as a film; a context manager. Frames that are turned or mirrored are read upright.

    Args:
        pattern: Pattern of the frames' names.
        path: The sequence as the user named it, for messages.
        rate: Frames per second; None for the rate in the headers, or 24.
        fill_gaps: Whether to replace missing frames by the frames before them.
        max_pixels: Maximum number of pixels per frame.

    Raises:
        FilmError: There are no frames; some are missing, or differ in size or depth; or they cannot be decoded, are too
            large, or have samples of an unsupported kind.
        OSError: The folder cannot be read.
    """

    def __init__(
        self,
        pattern: Pattern,
        path: Path,
        *,
        rate: Fraction | None = None,
        fill_gaps: bool = False,
        max_pixels: float = math.inf,
    ) -> None:
        self.pattern = pattern
        self.numbers = _numbers(pattern, path)
        """Numbers of the files that exist, in increasing order."""
        self.gaps = missing(self.numbers)
        """Ranges of missing frame numbers."""
        if self.gaps and not fill_gaps:
            raise FilmError(
                f"lacks {frames_in_words(self.gaps)}",
                path=path,
                remedy="add what is missing, or repeat the frame before each gap with fill_gaps=True",
            )
        self.path, self._max_pixels = path, max_pixels
        self._dropped: tuple[str, ...] = ()
        header = self._headers()
        self._thread_data = threading.local()
        self._position = 0  # position of the next frame to decode
        super().__init__(pattern.file(self.numbers[0]), max_pixels)
        self.path = path
        self.stem = pattern.folder.absolute().name if is_alone(pattern) else pattern.prefix.rstrip("._- ")
        self.is_sequence = True
        self.metadata = frame_metadata.read_metadata(self.file(0), pattern.format)
        """Metadata of the first frame; empty unless the frames are PNG, TIFF or JPEG."""
        self.orientation: int = (header and header.orientation) or 1
        """EXIF orientation in which the frames are stored, 1 to 8, by that of the first one."""
        self.turns, self.display_matrix = 0, None
        self.states_rate = rate is not None or (header is not None and header.rate is not None)
        self.rate = rate or (header and header.rate) or _USUAL_RATE
        self.time_base, self.first_pts = 1 / self.rate, 0
        self.aspect = frame_metadata.aspect(self.metadata.density) or (header and header.aspect) or self.aspect
        if self.orientation != 1:
            self._turn()
        self.is_log = header is not None and header.is_log
        self.tags = _SRGB if self.is_linear else _UNSPECIFIED if self.is_log else _BT709
        self.time_code = header.time_code if header else ""
        self.reel_name = header.reel_name if header else ""
        if any(part in self._format for part in _FLOATS) or self._format.startswith("xyz"):
            raise FilmError(
                f"has samples of an unusual kind ({self._format})", path=self.path, remedy="convert it to DPX or TIFF"
            )

    def _turn(self) -> None:
        """Adopt size, format and pixel aspect ratio of the upright frames; errors are those of ``_read``."""
        first = self._read(self.file(0))
        self.width, self.height, self._format = first.width, first.height, first.format.name
        if self.orientation >= 5:
            self.aspect = 1 / self.aspect

    def _headers(self) -> Header | None:
        """Read the headers of all frames, to find differences before the film is coloured; return the first valid one.

        Raises:
            FilmError: A frame cannot be read, or differs from the first in size or pixel format; or an OpenEXR frame is
                too large.
        """
        first: Header | None = None
        self.has_overscan = False
        """Whether OpenEXR frames store pixels outside their display windows."""
        for number in self.numbers:
            path = self.pattern.file(number)
            is_first = first is None
            header = (
                exr.read_header(path) if self.is_linear else read_header(path, self.pattern.format, is_first=is_first)
            )
            if header is None:
                continue  # damaged, which decoding the frame will report
            first = first or header
            if problem := difference(header, first):
                raise FilmError(problem, path=path, remedy=REMEDY)
            self.has_overscan |= header.overscan
        if first is not None and self.is_linear:
            self._check_pixels(first.width, first.height)  # before the first frame is decoded
            self._dropped = first.dropped
        return first

    @property
    def is_linear(self) -> bool:
        """Whether the files hold scene-linear light, which is converted to display values when it is read."""
        return self.pattern.format == "exr"

    @property
    def profile(self) -> bytes | None:
        """ICC profile that describes the RGB values of the coloured frames, as for a photograph; None for sRGB.

        Raises:
            FilmError: The profile of the first frame is damaged.
        """
        try:
            return icc.for_rgb(self.metadata.icc)
        except PhotoError as exc:
            raise FilmError(exc.problem, path=self.file(0), remedy=exc.remedy) from exc

    @property
    def count(self) -> int:
        """Number of frames, including filled gaps."""
        return self.numbers[-1] - self.numbers[0] + 1

    def number(self, pts: int) -> int:
        """Return the number in the file name of the frame with this pts."""
        return self.numbers[0] + pts

    def file(self, pts: int) -> Path:
        """Return the file of the frame with this pts; for a filled gap, the file of the frame before the gap."""
        return self.pattern.file(self.numbers[bisect_right(self.numbers, self.number(pts)) - 1])

    @functools.cached_property
    def at_once(self) -> int:
        """Number of frames that are read in parallel.

        Raises:
            FilmError: The file of the first frame cannot be read.
        """
        pixels = self.width * self.height * self.video.codec_context.format.padded_bits_per_pixel // 8
        with reading(self.file(0)):
            stored = self.file(0).stat().st_size
        return frames_within(_READ_BYTES, pixels + stored, thread_limit() or os.cpu_count() or 1)

    def is_filled(self, pts: int) -> bool:
        """Return whether the file of the frame with this pts is missing, so that an earlier frame replaces it."""
        number = self.number(pts)
        return self.numbers[bisect_right(self.numbers, number) - 1] != number

    @property
    def stated_frames(self) -> int:
        """Number of frames, including filled gaps."""
        return self.count

    @property
    def duration(self) -> Fraction:
        """Length in seconds."""
        return self.count / self.rate

    def fingerprint(self) -> str:
        """Return a text that differs if a file has changed, so that work on another version is not resumed.

        Raises:
            OSError: A file has disappeared.
        """
        sizes = hashlib.sha256()
        for number in self.numbers:
            stat = self.pattern.file(number).stat()
            sizes.update(f"{number} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return f"{self.pattern.path.absolute()}, {len(self.numbers)} files, {sizes.hexdigest()[:16]}, {self.rate}"

    def notes(self) -> list[str]:
        """Return notes about the sequence for the user, one line each."""
        found = [f"missing {frames_in_words(self.gaps)}: the frame before is repeated"] if self.gaps else []
        if self.numbers[0] < 0:
            found.append(f"the frames are numbered from {self.numbers[0]} to {self.numbers[-1]}, in this order")
        if not self.states_rate:
            found.append(f"the frames do not state their rate; {self.rate} per second is assumed: rate=18 sets another")
        if self.is_log:
            found.append("the frames are logarithmic (Cineon) according to their header; so is the output")
        if self.is_linear:
            found.append("the frames are scene-linear; the network sees them through the sRGB curve")
        found += [f"not kept: the channel {name}, which the new colours replace" for name in self._dropped]
        return found

    # The following methods replace those of FilmReader, which read a single file.

    def _container(self) -> av.container.InputContainer:
        if not self.is_linear:
            return super()._container()
        # FFmpeg supports only some OpenEXR files, so it gets the properties of the film from a PNG of the first frame.
        picture = encoded(exr.read_displayed(self.file(0)), "png", {"compression_level": "1"})
        return av.open(BytesIO(picture))

    def _rewind(self) -> None:
        self._position = 0

    def _decoded_from(self, pts: int, damage: Damage) -> Iterator[av.VideoFrame]:
        self._position = min(max(pts, 0), self.count)
        yield from self._decoded(damage)

    def keyframes_near(self, times: Iterable[int]) -> list[av.VideoFrame]:
        """Return an empty list, since a pair of frames takes no longer to decode than its two files."""
        return []

    def pairs_near(self, times: Iterable[int]) -> Iterator[list[av.VideoFrame]]:
        """Yield a pair for each pts: the frame with that pts, and the one ``GAP`` frames later, or the last one.

        Raises:
            FilmError: The file of a frame cannot be read or decoded.
        """
        for pts in times:
            both = (pts, min(pts + GAP, self.count - 1))
            yield [frame for each in both for frame in itertools.islice(self._decoded_from(each, Damage()), 1)]

    def pts_at(self, seconds: Fraction, *, or_last: bool = False) -> int:
        """Return the pts of the first frame at or after a time in seconds from the film's beginning.

        If there is none, and ``or_last`` is set, return that of the last frame.

        Raises:
            FilmError: The film ends before that time, and ``or_last`` is not set.
        """
        found = math.ceil((seconds - ROUNDED) * self.rate)
        if or_last:
            found = min(found, self.count - 1)
        if found >= self.count:
            end = time_text(self.seconds(self.count - 1))
            raise FilmError(f"has no frame at {time_text(seconds)}", path=self.path, remedy=LAST_FRAME.format(end))
        return max(0, found)

    def irregular_at(self) -> Fraction | None:
        """Return None, since numbered frames have a constant rate."""
        return None

    def _decoded(self, damage: Damage) -> Iterator[av.VideoFrame]:
        waiting: deque[tuple[int, Future[av.VideoFrame]]] = deque()
        with ThreadPoolExecutor(self.at_once) as pool:
            try:
                while waiting or self._position < self.count:
                    while self._position < self.count and len(waiting) < self.at_once:
                        waiting.append((self._position, pool.submit(self._read, self.file(self._position))))
                        self._position += 1
                    pts, future = waiting.popleft()
                    frame = future.result()
                    frame.pts, frame.time_base = pts, self.time_base
                    yield frame
            finally:
                for _, future in waiting:
                    future.cancel()

    def _read(self, path: Path) -> av.VideoFrame:
        if self.is_linear:
            return exr.read_displayed(path)
        try:
            with reading(path), path.open("rb") as stream:
                packet = self._packet(os.fstat(stream.fileno()).st_size)
                stream.readinto(memoryview(packet))
                frames = self._decoder().decode(packet)
        except av.error.FFmpegError as exc:
            raise FilmError(f"cannot be decoded ({exc.strerror})", path=path, remedy="replace the file") from exc
        if len(frames) != 1 or not isinstance(frames[0], av.VideoFrame):
            raise FilmError("cannot be decoded", path=path, remedy="replace the file")
        if self.pattern.format == "jpeg":
            jpegs.set_luma(frames[0], memoryview(packet), path)
        elif self.pattern.format == "png":
            check_png(memoryview(packet), self.orientation, path)
        return frames[0] if self.orientation == 1 else turned(frames[0], self.orientation)

    def _packet(self, size: int) -> av.Packet:
        """Return a packet to read a file into. Each thread reuses its packet if the size is the same, as for DPX."""
        packet: av.Packet | None = getattr(self._thread_data, "packet", None)
        if packet is None or packet.size != size:
            packet = self._thread_data.packet = av.Packet(size)
        return packet

    def _decoder(self) -> av.CodecContext:
        """Return a decoder: for DPX, the thread's own; for other formats a new one, since they keep state."""
        if hasattr(self._thread_data, "decoder"):
            decoder: av.CodecContext = self._thread_data.decoder
            return decoder
        decoder = av.CodecContext.create(_DECODERS[self.pattern.format], "r")
        decoder.thread_count = 1  # several files are decoded at once
        if self.pattern.format == "dpx":
            self._thread_data.decoder = decoder
        return decoder

    def _checked_frames(
        self, frames: Iterator[av.VideoFrame], damage: Damage, on_frame: Callable[[], None]
    ) -> Iterator[av.VideoFrame]:
        for frame in frames:
            self._check_frame(frame)
            on_frame()
            yield frame

    def _check_frame(self, frame: av.VideoFrame) -> None:
        if (frame.width, frame.height, frame.format.name) != (self.width, self.height, self._format):
            raise FilmError(
                f"has {frame.width} x {frame.height} pixels of {frame.format.name}, and the first frame has "
                f"{self.width} x {self.height} of {self._format}",
                path=self.file(frame.pts or 0),
                remedy=REMEDY,
            )


def _numbers(pattern: Pattern, path: Path) -> list[int]:
    if not pattern.folder.is_dir():
        raise FilmError("does not exist", path=pattern.folder, remedy="check the path")
    if not (numbers := pattern.numbers()):
        raise FilmError("names no frame that exists", path=path, remedy="check the pattern")
    return numbers
