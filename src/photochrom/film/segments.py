"""Segments: a film is encoded in pieces of some seconds, each a file of its own, so that a job can go on.

They are NUT files, and know the numbers of their frames only: times are put on when all of them are put together.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.filter

from ..errors import FilmError
from .options import FilmOptions
from .planes import PlaneFormat
from .reader import Reel, address

TICK = Fraction(1, 1000)
"""Time base of a segment: a tick is a frame."""
_ROOM = 64  # ticks before the first frame, for decoding times: more than the frames that any codec holds back
_FIELD_ORDERS = {"": 1, "tff": 2, "bff": 3}  # of FFmpeg's AVFieldOrder


def needs_even_sizes(codec: str) -> bool:
    """Whether the codec refuses odd sizes where chroma is subsampled."""
    return codec != "ffv1"


class Segment:
    """A file that takes frames, and is whole after ``finish``.

    Raises:
        FilmError: the codec cannot hold such frames.
        OSError: the disk says no.
    """

    def __init__(self, path: Path, reel: Reel, planes: PlaneFormat, options: FilmOptions) -> None:
        self.pts: list[int] = []
        self.delay = 0
        """Frames that the codec has held back at most, to put others before them."""
        self._waiting: dict[int, int] = {}  # the number of each frame that is in the codec, by its pts
        self._written = 0
        self._time_base = reel.time_base
        self._marks = _marks(reel, planes)
        self._container = av.open(address(path), "w", format="nut")
        try:
            self._stream = _stream(self._container, reel, planes, options)
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: av.VideoFrame, pts: int) -> None:
        """Encode a frame."""
        frame.pts, frame.time_base = pts, self._time_base
        self._waiting[pts] = len(self.pts)
        self.pts.append(pts)
        if self._marks is not None:
            self._marks.push(frame)
            frame = self._marks.pull()
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        """Write packets, which come in decoding order, with their frames' numbers for times."""
        for packet in packets:
            number = self._waiting.pop(packet.pts)
            self.delay = max(self.delay, self._written - number)
            packet.time_base = TICK
            packet.pts, packet.dts = number + _ROOM, self._written
            self._written += 1
            self._container.mux_one(packet)

    def finish(self) -> None:
        """Write what is left in the codec, and close the file."""
        self._mux(self._stream.encode(None))
        if self._waiting:
            raise FilmError(f"the codec has kept {len(self._waiting)} of {len(self.pts)} frames: choose another one")
        self._container.close()

    def abandon(self) -> None:
        """Close the file as it is: it is worth nothing, so that a full disk does not matter any more."""
        with contextlib.suppress(av.error.FFmpegError):
            self._container.close()


def number_of(packet: av.Packet) -> int:
    """Of the frame, in its segment, that a packet holds."""
    return round(packet.pts * packet.time_base / TICK) - _ROOM


def decoding_times(pts: Sequence[int], delay: int) -> Iterator[int]:
    """Rising, one for each frame in decoding order, none later than the frame is shown."""
    step = min((b - a for a, b in itertools.pairwise(pts)), default=1)
    return itertools.chain((pts[0] - step * i for i in range(delay, 0, -1)), pts)


def _stream(
    container: av.container.OutputContainer, reel: Reel, planes: PlaneFormat, options: FilmOptions
) -> av.VideoStream:
    if reel.fields and options.codec == "libx265":  # it takes each frame for one field
        raise FilmError("the film is interlaced, which libx265 cannot say: choose --codec libx264, or ffv1")
    formats = {f.name for f in av.Codec(options.codec, "w").video_formats or ()}
    if planes.name not in formats:
        raise FilmError(f"{options.codec} cannot hold {planes.name}: choose --codec ffv1, or another")
    stream = container.add_stream(options.codec, rate=reel.rate, options=_settings(reel, options))
    stream.time_base = TICK
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = reel.width, reel.height, planes.name
    context.time_base = reel.time_base
    describe(context, reel, planes)
    return stream


def _marks(reel: Reel, planes: PlaneFormat) -> av.filter.Graph | None:
    """What puts the shape of the pixels and the order of the fields on frames: FFV1 and H.264 write what is there."""
    if reel.aspect == 1 and not reel.fields:
        return None
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(width=reel.width, height=reel.height, format=planes.name, time_base=reel.time_base),
        graph.add("setsar", f"{reel.aspect.numerator}/{reel.aspect.denominator}"),
        graph.add("setfield", reel.fields or "prog"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def describe(context: av.VideoCodecContext, reel: Reel, planes: PlaneFormat) -> None:
    """Say how the coloured picture is to be shown: as the source's."""
    context.sample_aspect_ratio = reel.aspect
    context.color_range = 2 if planes.coding.full_range else 1
    context.colorspace, context.color_primaries, context.color_trc = planes.colorspace, *reel.tags
    if reel.fields:
        context.field_order = _FIELD_ORDERS[reel.fields]


def _settings(reel: Reel, options: FilmOptions) -> dict[str, str]:
    if options.codec == "ffv1":
        return {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
    settings = {"crf": str(options.crf), "preset": options.preset}
    if options.codec == "libx265":
        return settings | {"x265-params": "log-level=error"}
    # Without the first, what the same frames become depends on the processor, and now and then on the run.
    parameters = ["cpu-independent=1"] + ([f"{reel.fields}=1"] if reel.fields else [])
    return settings | {"x264-params": ":".join(parameters)}
