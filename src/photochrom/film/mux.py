"""The finished film: the coloured segments and everything else of the source, put together without a change."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from ..errors import FilmError
from ..provenance import stated_behind
from . import tracks
from .planes import PlaneFormat
from .reader import Reel, address
from .segments import decoding_times, describe, number_of
from .span import Span, later_timecode
from .tracks import Item

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".nut": "nut",
}
"""Of coloured films, by the end of their names."""

# Matroska's muxer would move pictures and sound, but not chapters, until the silence that AAC begins with is at 0.
_FASTSTART = {"movflags": "+faststart"}
_OPTIONS = {"mp4": _FASTSTART, "mov": _FASTSTART, "matroska": {"avoid_negative_ts": "disabled"}}
# Metadata that is no longer true of the new file, and of the new picture.
_OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder")
_OF_THE_CODEC = ("encoder", "BPS", "NUMBER_OF_BYTES", "NUMBER_OF_FRAMES")


@dataclass(frozen=True)
class Segmented:
    """A part of the coloured film."""

    path: Path
    pts: list[int]
    """Of its frames, in the source's time base, rising."""
    delay: int
    """Frames that the codec held back at most, to put others before them."""
    end: int
    """Where its last frame ends, in the same time base."""


def mux(
    reel: Reel,
    planes: PlaneFormat,
    segments: Sequence[Segmented],
    path: Path,
    name: str,
    span: Span,
    model: str,
    *,
    rehearsal: bool = False,
) -> None:
    """Write the film.

    Args:
        reel: the source.
        planes: how the coloured film's are stored.
        segments: of the coloured film, in order.
        path: to write to.
        name: of the container format.
        span: what part of the source it is.
        model: whose colours these are, for the metadata.
        rehearsal: leave the other tracks empty: it is only to be seen whether all of this goes together.

    Raises:
        FilmError: the container cannot hold a stream of the source.
        OSError: the disk says no.
    """
    options = _OPTIONS.get(name, {})
    with (
        av.open(address(segments[0].path)) as first,
        av.open(address(reel.path), metadata_errors="replace") as source,
        av.open(address(path), "w", format=name, container_options=options) as out,
    ):
        streams = _add_streams(out, first.streams.video[0], source, reel)
        describe(streams[reel.video.index].codec_context, reel, planes)  # a segment's file does not hold all of it
        _describe(out, source, span, model)
        if span.shift:
            for metadata in (out.metadata, streams[reel.video.index].metadata):
                _move_timecode(metadata, reel, span)
        video = streams.pop(reel.video.index)
        colored = _colored(segments, reel.time_base, video, span)
        kept = iter(()) if rehearsal else tracks.packets(source, streams, span, reel)
        for _, _, packet in heapq.merge(colored, kept, key=lambda item: item[:2]):
            if not rehearsal:
                reel.watch()
            out.mux_one(packet)


def way_out(name: str) -> str:
    """What to do where a container of that name cannot hold everything."""
    return "make a copy of the film without it first" if name == "matroska" else "write to a .mkv file (-o)"


def _add_streams(
    out: av.container.OutputContainer,
    template: av.VideoStream,
    source: av.container.InputContainer,
    reel: Reel,
) -> dict[int, av.stream.Stream]:
    """Streams of the new film by the index that they have in the source, in the source's order."""
    copied = {stream.index for stream in tracks.kept(source, reel.video.index)[0]}
    streams: dict[int, av.stream.Stream] = {}
    for stream in source.streams:
        if stream.index == reel.video.index:
            streams[stream.index] = _add_video(out, template, stream, reel)
        elif stream.index in copied:
            streams[stream.index] = _add_copy(out, stream, reel.path)
    return streams


def _add_video(
    out: av.container.OutputContainer, template: av.VideoStream, source: av.VideoStream, reel: Reel
) -> av.VideoStream:
    video = out.add_stream_from_template(template, opaque=True)
    video.time_base = reel.time_base
    video.codec_context.framerate = reel.rate
    video.metadata.clear()  # of the segment
    video.metadata.update({k: v for k, v in source.metadata.items() if k.partition("-")[0] not in _OF_THE_CODEC})
    video.disposition = int(source.disposition)
    if reel.display_matrix is not None:
        video.set_display_matrix(reel.display_matrix)
    elif reel.turns:
        video.set_display_rotation(90 * reel.turns)
    if template.codec_context.name in ("hevc", "libx265") and out.format.name in ("mp4", "mov"):
        video.codec_context.codec_tag = "hvc1"  # what players of these containers look for
    return video


def _add_copy(out: av.container.OutputContainer, stream: av.stream.Stream, path: Path) -> av.stream.Stream:
    try:
        copy = out.add_stream_from_template(stream, opaque=True)
    except ValueError as exc:
        name = out.format.name
        raise FilmError(
            f"{path}: {name} cannot hold its {stream.type} track {stream.index} ({exc}): {way_out(name)}"
        ) from exc
    copy.metadata.update(stream.metadata)
    copy.disposition = int(stream.disposition)
    return copy


def _describe(out: av.container.OutputContainer, source: av.container.InputContainer, span: Span, model: str) -> None:
    former = ""
    for key, value in source.metadata.items():
        if key.lower() == "comment":  # Matroska's tags are in capitals
            former = value
        elif key.lower() not in _OF_THE_FILE:
            out.metadata[key] = value
    out.metadata["comment"] = stated_behind(former, model)
    out.set_chapters([moved for chapter in source.chapters() if (moved := span.chapter(chapter))])


def _move_timecode(metadata: dict[str, str], reel: Reel, span: Span) -> None:
    """That of the whole film becomes that of its part; what cannot be understood goes."""
    passed = round((span.start - reel.first_pts * reel.time_base) * reel.rate)
    for key in [key for key in metadata if key.lower() == "timecode"]:
        if (moved := later_timecode(metadata.pop(key), passed, reel.rate)) is not None:
            metadata[key] = moved


def _colored(segments: Sequence[Segmented], time_base: Fraction, stream: av.VideoStream, span: Span) -> Iterator[Item]:
    """The packets of the coloured film, with the source's times."""
    pts = [time for segment in segments for time in segment.pts]
    after = [*pts[1:], segments[-1].end]
    shift = round(span.start / time_base) if span.shift else 0
    dts = decoding_times(pts, max(segment.delay for segment in segments))
    first = 0
    for segment in segments:
        for packet in _packets(segment.path):
            number = first + number_of(packet)
            packet.time_base = time_base
            packet.pts, packet.dts = pts[number] - shift, next(dts) - shift
            packet.duration = after[number] - pts[number]
            packet.stream = stream
            yield packet.dts * time_base, 0, packet
        first += len(segment.pts)


def _packets(path: Path) -> Iterator[av.Packet]:
    with av.open(address(path)) as container:
        yield from (packet for packet in container.demux(video=0) if packet.size)
