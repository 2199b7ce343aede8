"""``SegmentEncoder``: encodes a few seconds of film to a separate file, so that work can be resumed.

Segments store frame numbers instead of times; ``mux`` replaces these numbers by the source's times.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter

from ...errors import FilmError
from ..options import FilmOptions
from ..planes import PlaneFormat
from ..reader import FilmReader
from ..source.opening import address
from .codecs import CODECS

TICK = Fraction(1, 1000)
"""Time base of a segment; one frame is one tick."""
_LEAD = 64  # ticks before the first frame, for earlier decoding times; greater than the delay of any codec
_SLICES: tuple[dict[str, str], ...] = ({"slices": "4"}, {}, {"slices": "1"})
"""Options of FFV1 for the number of slices, the best first; each of them fails for some odd frame sizes."""
_FIELD_ORDERS = {"": 1, "tff": 2, "bff": 3}  # FFmpeg's AVFieldOrder


@dataclass(frozen=True)
class EncodedSegment:
    """An encoded part of the coloured film, for the muxer."""

    path: Path
    pts: list[int]
    """Presentation time stamps of the frames, in the source's time base, strictly increasing."""
    delay: int
    """Greatest number of places by which a frame comes later in decoding order than in display order."""
    end: int
    """Time at which the last frame ends, in the source's time base."""


class SegmentEncoder:
    """Encodes frames to one file, which is complete after ``finish``.

    Args:
        path: The file to write.
        reader: The source.
        planes: Format of the frames.
        options: Codec and quality.

    Raises:
        FilmError: The codec cannot encode such frames.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path, reader: FilmReader, planes: PlaneFormat, options: FilmOptions) -> None:
        self.pts: list[int] = []
        self.delay = 0
        """As ``EncodedSegment.delay``, for the frames encoded so far."""
        self._waiting: dict[int, int] = {}  # numbers of the frames inside the codec, by pts
        self._written = 0
        self._time_base, self._source = reader.time_base, reader.path
        self._marking = _marking(reader, planes)
        self._tags = {"color_range": 2 if planes.coding.full_range else 1, "colorspace": planes.colorspace}
        self._tags |= dict(zip(("color_primaries", "color_trc"), reader.tags, strict=True))
        self._container = av.open(address(path), "w", format=CODECS[options.codec].segment)
        try:
            self._stream = _stream(self._container, reader, planes, options)
        except BaseException:
            self._container.close()
            raise

    def write(self, frame: av.VideoFrame, pts: int) -> None:
        """Encode one frame, whose time stamp is set to ``pts``.

        Raises:
            OSError, av.error.FFmpegError: The codec fails, or the file cannot be written.
        """
        frame.pts, frame.time_base = pts, self._time_base
        self._waiting[pts] = len(self.pts)
        self.pts.append(pts)
        if self._marking is not None:
            self._marking.push(frame)
            frame = self._marking.pull()
        for name, tag in self._tags.items():  # some encoders take them from the frames
            setattr(frame, name, tag)
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        """Write packets with frame numbers as times; the codec returns them in decoding order."""
        for packet in packets:
            number = self._waiting.pop(packet.pts)
            self.delay = max(self.delay, self._written - number)
            packet.time_base = TICK
            packet.pts, packet.dts = number + _LEAD, self._written
            self._written += 1
            self._container.mux_one(packet)

    def finish(self) -> None:
        """Flush the codec, and close the file.

        Raises:
            FilmError: The codec has lost frames.
            OSError, av.error.FFmpegError: The codec fails, or the file cannot be written.
        """
        self._mux(self._stream.encode(None))
        if self._waiting:
            lost = f"the codec has lost {len(self._waiting)} of {len(self.pts)} frames"
            raise FilmError(lost, path=self._source, remedy="choose another codec")
        self._container.close()

    def abandon(self) -> None:
        """Close the incomplete file; errors such as a full disk are ignored."""
        with contextlib.suppress(av.error.FFmpegError):
            self._container.close()


def number_of(packet: av.Packet) -> int:
    """Return the number of a packet's frame within its segment."""
    return round(packet.pts * packet.time_base / TICK) - _LEAD


def decoding_times(pts: Sequence[int], delay: int) -> Iterator[int]:
    """Yield increasing decoding times, one per frame in decoding order, none later than the frame's pts.

    Args:
        pts: Presentation time stamps of the frames, strictly increasing.
        delay: As ``EncodedSegment.delay``, the greatest of all segments.
    """
    step = min((b - a for a, b in itertools.pairwise(pts)), default=1)
    return itertools.chain((pts[0] - step * i for i in range(delay, 0, -1)), pts)


def _stream(
    container: av.container.OutputContainer, reader: FilmReader, planes: PlaneFormat, options: FilmOptions
) -> av.VideoStream:
    """Add a video stream with the encoder, format and settings of the coloured film.

    Raises:
        FilmError: The codec cannot mark the fields of an interlaced film, or cannot encode frames of this size.
    """
    codec = CODECS[options.codec]
    if reader.fields and not codec.fields:
        raise FilmError(
            f"the film is interlaced, which {options.codec} cannot mark",
            path=reader.path,
            remedy='choose codec="libx264" or codec="ffv1"',
        )
    stream = container.add_stream(codec.encoder, rate=reader.rate, options=_settings(reader, planes, options))
    stream.time_base = TICK
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = reader.width, reader.height, planes.name
    context.time_base = reader.time_base
    if reader.fields and options.codec == "prores":
        context.flags |= av.codec.context.Flags.interlaced_dct  # ProRes marks fields by this flag alone
    set_tags(context, reader, planes)
    return stream


def _marking(reader: FilmReader, planes: PlaneFormat) -> av.filter.Graph | None:
    """Return a filter that marks frames with pixel aspect ratio and field order; None if both are the defaults."""
    if reader.aspect == 1 and not reader.fields:
        return None
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(width=reader.width, height=reader.height, format=planes.name, time_base=reader.time_base),
        graph.add("setsar", f"{reader.aspect.numerator}/{reader.aspect.denominator}"),
        graph.add("setfield", reader.fields or "prog"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def set_tags(context: av.VideoCodecContext, reader: FilmReader, planes: PlaneFormat) -> None:
    """Tag the coloured film's stream with its pixel aspect ratio, range, matrix, primaries and field order."""
    context.sample_aspect_ratio = reader.aspect
    context.color_range = 2 if planes.coding.full_range else 1
    context.colorspace, context.color_primaries, context.color_trc = planes.colorspace, *reader.tags
    if reader.fields:
        context.field_order = _FIELD_ORDERS[reader.fields]


def _settings(reader: FilmReader, planes: PlaneFormat, options: FilmOptions) -> dict[str, str]:
    """Return the options of FFmpeg's encoder."""
    codec = CODECS[options.codec]
    if options.codec == "ffv1":
        return _ffv1_settings(reader, planes)
    settings = dict(codec.settings)
    if codec.profiles:
        profile = options.profile or codec.usual_profile
        settings["profile"] = f"dnxhr_{profile}" if options.codec == "dnxhr" else profile
    if codec.quality:
        settings |= {"crf": str(options.crf), "preset": options.preset}
    if options.codec == "libx265":
        settings["x265-params"] = "log-level=error"
    if options.codec == "libx264":
        # Without cpu-independent the encoded bytes depend on the processor, and sometimes on the run.
        parameters = ["cpu-independent=1"] + ([f"{reader.fields}=1"] if reader.fields else [])
        settings["x264-params"] = ":".join(parameters)
    return settings


def _ffv1_settings(reader: FilmReader, planes: PlaneFormat) -> dict[str, str]:
    """Return the first settings of ``_SLICES`` with which FFV1 can encode frames of this size.

    Raises:
        FilmError: None of them fits, as for some frames that are only a few columns wide.
    """
    for slices in _SLICES:
        settings = {"level": "3", "slicecrc": "1", "g": "1"} | slices
        context = av.CodecContext.create("ffv1", "w")
        context.width, context.height, context.pix_fmt = reader.width, reader.height, planes.name
        context.time_base, context.options = Fraction(1, 25), settings
        with contextlib.suppress(av.error.NotImplementedError):
            context.open()
            return settings
    raise FilmError(
        f"FFV1 cannot encode pictures of {reader.width} x {reader.height} pixels",
        path=reader.path,
        remedy='choose codec="libx264"',
    )
