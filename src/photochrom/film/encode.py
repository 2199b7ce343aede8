"""Segments: a film is encoded in pieces of some seconds, each a file of its own, so that a job can go on.

They are NUT files, and know the numbers of their frames only: times are put on when all of them are put together.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

from ..errors import FilmError
from .options import FilmOptions
from .planes import PlaneFormat
from .source import Reel

TICK = Fraction(1, 1000)
"""Time base of a segment: a tick is a frame."""
_TOP_FIRST = (2, 4)  # of FFmpeg's AVFieldOrder


def needs_even_sizes(codec: str) -> bool:
    """Whether the codec refuses odd sizes where chroma is subsampled."""
    return codec != "ffv1"


class Segment:
    """A file that takes frames; it is written by ``finish``.

    Raises:
        FilmError: the codec cannot hold such frames.
        OSError: the disk says no.
    """

    def __init__(self, path: Path, reel: Reel, planes: PlaneFormat, options: FilmOptions) -> None:
        self.pts: list[int] = []
        self._packets: list[av.Packet] = []
        self._container = av.open(str(path), "w", format="nut")
        try:
            self._stream = _stream(self._container, reel, planes, options)
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: av.VideoFrame, pts: int) -> None:
        """Encode a frame."""
        frame.pts, frame.time_base = pts, self._stream.time_base
        self.pts.append(pts)
        self._packets += self._stream.encode(frame)

    def finish(self) -> int:
        """Write the file; how many frames the codec held back at most, to put others before them."""
        self._packets += self._stream.encode(None)
        delay = _number(self._packets, self.pts)
        self._stream.time_base = TICK
        self._container.mux(self._packets)
        self._container.close()
        return delay

    def abandon(self) -> None:
        """Close the file as it is: it is worth nothing."""
        self._container.close()


def _number(packets: Sequence[av.Packet], pts: Sequence[int]) -> int:
    """Put the frames' numbers in place of the times of their packets, which are in decoding order; their delay."""
    if sorted(packet.pts for packet in packets) != list(pts):
        raise FilmError(f"the codec returned {len(packets)} of {len(pts)} frames: choose another --codec")
    rank = {time: i for i, time in enumerate(pts)}
    numbers = [rank[packet.pts] for packet in packets]
    delay = max(i - number for i, number in enumerate(numbers))
    for i, (packet, number) in enumerate(zip(packets, numbers, strict=True)):
        packet.time_base = TICK
        packet.pts, packet.dts = number + delay, i
    return delay


def decoding_times(pts: Sequence[int], delay: int) -> Iterator[int]:
    """Rising, one for each frame in decoding order, none later than the frame is shown."""
    step = min((b - a for a, b in itertools.pairwise(pts)), default=1)
    return itertools.chain((pts[0] - step * i for i in range(delay, 0, -1)), pts)


def _stream(
    container: av.container.OutputContainer, reel: Reel, planes: PlaneFormat, options: FilmOptions
) -> av.VideoStream:
    formats = {f.name for f in av.Codec(options.codec, "w").video_formats or ()}
    if planes.name not in formats:
        raise FilmError(f"{options.codec} cannot hold {planes.name}: choose --codec ffv1, or another")
    stream = container.add_stream(options.codec, rate=reel.rate, options=_settings(reel, options))
    context, source = stream.codec_context, reel.video.codec_context
    context.width, context.height, context.pix_fmt = reel.width, reel.height, planes.name
    context.time_base = stream.time_base = reel.time_base
    context.sample_aspect_ratio = reel.aspect
    context.color_range = 2 if planes.coding.full_range else 1
    context.colorspace, context.color_primaries, context.color_trc = (
        source.colorspace,
        source.color_primaries,
        source.color_trc,
    )
    if options.codec == "ffv1" and reel.interlaced:
        context.field_order = source.field_order
    return stream


def _settings(reel: Reel, options: FilmOptions) -> dict[str, str]:
    if options.codec == "ffv1":
        return {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"}
    settings = {"crf": str(options.crf), "preset": options.preset}
    fields = "tff=1" if reel.video.codec_context.field_order in _TOP_FIRST else "bff=1"
    if options.codec == "libx265":
        return settings | {"x265-params": "log-level=error" + (f":interlace={fields[:3]}" if reel.interlaced else "")}
    return settings | ({"x264-params": fields} if reel.interlaced else {})
