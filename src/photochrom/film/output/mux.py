"""Muxes the coloured segments with the source's other tracks and metadata into the finished film."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av

from ...errors import FilmError
from ...label import with_statement
from ..damage_log import Damage
from ..options import FilmOptions
from ..planes import PlaneFormat
from ..reader import FilmReader
from ..source.opening import address
from ..span import Span
from . import subtitles, tracks
from .codecs import CODECS, CONSTANT_RATE, MXF_HERTZ, MXF_SOUND, REFUSED_SOUND, UNTIMED, codec_tag
from .metadata import is_of_the_codec, name_for_mxf, set_metadata, set_time_code
from .pixel_aspect import write_aspect
from .segments import EncodedSegment, decoding_times, number_of, set_tags
from .sound import SoundTranscoder, is_pcm, lossless_codec
from .tracks import Item, Transcoder

_FASTSTART = {"movflags": "+faststart"}
# By default, Matroska's muxer shifts picture and sound, but not chapters, so that the priming of AAC begins at 0.
_OPTIONS = {"mp4": _FASTSTART, "mov": _FASTSTART, "matroska": {"avoid_negative_ts": "disabled"}}
_OPTIONS["mxf"] = {"strict": "unofficial"}  # permits rates not in SMPTE ST 377, such as 18 frames/s


def mux(
    reader: FilmReader,
    planes: PlaneFormat,
    segments: Sequence[EncodedSegment],
    path: Path,
    name: str,
    options: FilmOptions,
    span: Span,
    credit: str,
    *,
    damage: Damage | None = None,
    on_packet: Callable[[], None] = lambda: None,
    rehearsal: bool = False,
) -> list[str]:
    """Write the finished film: the coloured segments joined, and the source's other tracks and metadata.

    Args:
        reader: The source.
        planes: Format of the coloured film.
        segments: The coloured film's segments, in order.
        path: The file to write.
        name: FFmpeg's name of the container format.
        options: Codec and profile.
        span: The coloured part of the source.
        credit: The label's text, for the metadata.
        damage: Collects damage found in the source's other tracks; None if it need not be recorded.
        on_packet: Called before each packet; an exception that it raises ends the writing.
        rehearsal: Whether to leave the other tracks empty, to test whether the container can hold them.

    Returns:
        Notes for the user: one line for each sound track that is re-encoded, because the container cannot hold its
        codec, for subtitles that are converted, and for a pixel aspect ratio that the header lacks.

    Raises:
        FilmError: The container cannot hold a track of the source, or the source cannot be read.
        OSError, av.error.FFmpegError: The file cannot be written.
    """
    with (
        contextlib.ExitStack() as stack,
        av.open(address(segments[0].path)) as first,
        _source(reader) as source,
        _output(path, name, reader) as out,
    ):
        streams, transcoders = _add_streams(out, first.streams.video[0], source, reader, options, span)
        set_tags(streams[reader.video.index].codec_context, reader, planes)  # segments do not store all tags
        set_metadata(out, source, span, credit)
        set_time_code(out, streams[reader.video.index].metadata, reader, span)
        video = streams.pop(reader.video.index)
        colored = _colored(segments, reader.time_base, video, span)
        damage = damage or Damage()
        if name in UNTIMED:
            length = sum(len(segment.pts) for segment in segments) / reader.rate
            kept = stack.enter_context(_continuous(streams, transcoders, span, reader, damage, length))
        else:
            kept = tracks.packets(source, streams, transcoders, span, reader, damage)
        if rehearsal:  # MXF's muxer fails if a track has no packet at all
            kept = _first_of_each(kept, len(streams)) if name == "mxf" else iter(())
        ends = {"video": Fraction(0), "audio": Fraction(0)}
        for _, _, packet in heapq.merge(colored, kept, key=lambda item: item[:2]):
            if not rehearsal:
                on_packet()
            if packet.stream.type in ends and packet.pts is not None:
                ends[packet.stream.type] = (packet.pts + (packet.duration or 0)) * packet.time_base
            out.mux_one(packet)
        if name == "mxf" and (excess := ends["audio"] - ends["video"]) > 0:
            damage.cut_sound = excess
        notes = [_reencoding_note(source.streams[index], name, span) for index in transcoders]
        copied = [source.streams[index] for index in streams]
        notes += [subtitles.note(stream, name) for stream in copied if subtitles.becomes_subrip(stream, name)]
    if not write_aspect(path, name, reader.width, reader.height, reader.aspect):
        frames = "; the frames do" if name == "matroska" else ""
        notes.append(f"the header does not state the pixel aspect ratio {reader.aspect}{frames}")
    return notes


def mux_picture(
    reader: FilmReader, planes: PlaneFormat, segment: Path, path: Path, name: str, options: FilmOptions, credit: str
) -> None:
    """Write a film of the coloured picture alone, at a constant frame rate, from one encoded segment.

    Args:
        reader: The source.
        planes: Format of the coloured film.
        segment: File with the encoded frames.
        path: The file to write.
        name: FFmpeg's name of the container format.
        options: Codec and profile.
        credit: The label's text, for the metadata.

    Raises:
        OSError, av.error.FFmpegError: The file cannot be written.
    """
    with av.open(address(segment)) as encoded, _source(reader) as source, _output(path, name, reader) as out:
        original = source.streams[reader.video.index]
        video = _add_video(out, encoded.streams.video[0], original, reader, options)
        video.time_base = 1 / reader.rate
        set_tags(video.codec_context, reader, planes)
        out.metadata["comment"] = with_statement("", credit)
        name_for_mxf(out)
        packets = list(_packets(segment))
        delay = max(number - number_of(packet) for number, packet in enumerate(packets))
        for number, packet in enumerate(packets):
            packet.pts, packet.dts, packet.duration = number_of(packet), number - delay, 1
            packet.time_base, packet.stream = 1 / reader.rate, video
            out.mux_one(packet)
    write_aspect(path, name, reader.width, reader.height, reader.aspect)


def _output(path: Path, name: str, reader: FilmReader) -> av.container.OutputContainer:
    settings = _OPTIONS.get(name, {})
    if name == "matroska" and reader.aspect != 1:
        settings = settings | {"write_crc32": "0"}  # write_aspect changes the header afterwards
    return av.open(address(path), "w", format=name, container_options=settings)


def _reencoding_note(track: av.stream.Stream, container: str, span: Span) -> str:
    if track.type == "subtitle":
        return subtitles.note(track, container)
    late = " that begins after the picture" if container == "avi" and _begins_late(track, span) else ""
    return (
        f"the sound of track {track.index} is re-encoded without loss as {lossless_codec(container)}, because "
        f"{container} cannot hold {track.codec_context.name}{late}"
    )


def _source(reader: FilmReader) -> av.container.InputContainer:
    return av.open(address(reader.tracks_file), metadata_errors="replace")


@contextlib.contextmanager
def _continuous(
    streams: Mapping[int, av.stream.Stream],
    transcoders: Mapping[int, Transcoder],
    span: Span,
    reader: FilmReader,
    damage: Damage,
    length: Fraction,
) -> Iterator[Iterator[Item]]:
    """Yield the packets of tracks without gaps, in order of time; the source is opened once for each track.

    If all tracks were read together, those that begin late or end early would get their silence late. Until then, MXF's
    muxer would hold the packets of all other tracks in memory.
    """
    with contextlib.ExitStack() as stack:
        found = []
        for index, stream in streams.items():
            mine = {index: transcoders[index]} if index in transcoders else {}
            source = stack.enter_context(_source(reader))
            items = tracks.packets(source, {index: stream}, mine, span, reader, damage)
            found.append(tracks.continuous(items, stream, length))
        yield heapq.merge(*found, key=lambda item: item[:2])


def _first_of_each(items: Iterator[Item], tracks: int) -> Iterator[Item]:
    """Yield packets until each track has had one; ``tracks`` is the number of tracks."""
    found: set[int] = set()
    while len(found) < tracks and (item := next(items, None)):
        found.add(item[2].stream_index)
        yield item


def remedy_for(name: str, codec: str) -> str:
    """Return advice for a film with a track that the container ``name`` cannot hold."""
    other = next((c for c in ("matroska", "mov") if c in CODECS[codec].containers), name)
    if name == other:
        return "first make a copy of the film without that track"
    return f"write to a {'.mkv' if other == 'matroska' else '.mov'} file"


def _add_streams(
    out: av.container.OutputContainer,
    template: av.VideoStream,
    source: av.container.InputContainer,
    reader: FilmReader,
    options: FilmOptions,
    span: Span,
) -> tuple[dict[int, av.stream.Stream], dict[int, Transcoder]]:
    """Add the coloured video and all streams to copy (see ``tracks.streams_to_copy``) to the coloured film.

    Returns:
        The streams, and transcoders for those that cannot be copied; each by its index in the source.

    Raises:
        FilmError: The container cannot hold a stream.
    """
    copied = {stream.index for stream in tracks.streams_to_copy(source, reader.video.index)[0]}
    streams: dict[int, av.stream.Stream] = {}
    transcoders: dict[int, Transcoder] = {}
    for stream in source.streams:
        if stream.index == reader.video.index:
            streams[stream.index] = _add_video(out, template, stream, reader, options)
        elif stream.index in copied:
            try:
                _check_track(out, stream, span)
                streams[stream.index] = (
                    out.add_mux_stream(subtitles.SUBRIP)
                    if subtitles.becomes_subrip(stream, out.format.name)
                    else out.add_stream_from_template(stream, opaque=True)
                )
            except ValueError as exc:
                transcoders[stream.index] = _transcoder(out, stream, reader.path, options.codec, exc)
                streams[stream.index] = transcoders[stream.index].stream
            streams[stream.index].metadata.update(tracks.tags(stream))
            streams[stream.index].disposition = int(stream.disposition)
        if stream.index in streams and (code := tracks.language(stream, out.format.name)):
            streams[stream.index].metadata["language"] = code
    return streams, transcoders


def _add_video(
    out: av.container.OutputContainer,
    template: av.VideoStream,
    source: av.VideoStream,
    reader: FilmReader,
    options: FilmOptions,
) -> av.VideoStream:
    """Add a stream for the coloured picture, with the metadata, disposition and rotation of the stream ``source``."""
    video = out.add_stream_from_template(template, opaque=True)
    constant = out.format.name in CONSTANT_RATE
    video.time_base = 1 / reader.rate if constant else reader.time_base
    video.codec_context.framerate = reader.rate
    video.metadata.clear()  # removes that of the segment
    video.metadata.update({k: v for k, v in tracks.tags(source).items() if not is_of_the_codec(k)})
    video.disposition = int(source.disposition)
    if reader.display_matrix is not None:
        video.set_display_matrix(reader.display_matrix)
    elif reader.turns:
        video.set_display_rotation(90 * reader.turns)
    if out.format.name in ("mp4", "mov") and (tag := codec_tag(options.codec, options.profile)):
        video.codec_context.codec_tag = tag
    return video


def _check_track(out: av.container.OutputContainer, stream: av.stream.Stream, span: Span) -> None:
    """Raise ValueError if the container cannot hold a track, which FFmpeg would report only when it writes the file."""
    name = None if stream.codec_context is None else stream.codec_context.name
    if name in REFUSED_SOUND.get(out.format.name, ()):
        raise ValueError(f"it cannot hold {name}")
    if out.format.name in UNTIMED and stream.type == "audio" and not is_pcm(stream) and _begins_late(stream, span):
        raise ValueError("it stores no time stamps, and the sound begins after the picture")
    if out.format.name != "mxf":
        return
    if not isinstance(stream, av.AudioStream):
        raise ValueError("it holds one video track, and sound")
    context = stream.codec_context
    if context is None or context.name not in MXF_SOUND or context.sample_rate != MXF_HERTZ:
        raise ValueError(f"it holds PCM of {MXF_HERTZ} Hz only")


def _begins_late(stream: av.stream.Stream, span: Span) -> bool:
    """Return whether the sound of a track begins after the picture, so that it needs silence before it."""
    return (stream.start_time or 0) * (stream.time_base or 0) - span.start > tracks.LEAST_GAP


def _transcoder(
    out: av.container.OutputContainer, stream: av.stream.Stream, path: Path, codec: str, reason: Exception
) -> Transcoder:
    """Return a transcoder for a track whose codec the container cannot hold.

    Raises:
        FilmError: The track is neither sound nor text, or FFmpeg cannot decode it; or its sample rate is not 48 kHz,
            which MXF requires.
    """
    name = out.format.name
    if subtitles.becomes_timed_text(stream, name):
        return subtitles.TimedTextTranscoder(out, stream)
    if isinstance(stream, av.AudioStream) and stream.codec_context is not None and stream.codec_context.format:
        if name == "mxf" and stream.codec_context.sample_rate != MXF_HERTZ:
            raise FilmError(
                f"mxf holds sound of {MXF_HERTZ} Hz only, and track {stream.index} has "
                f"{stream.codec_context.sample_rate} Hz",
                path=path,
                remedy=remedy_for(name, codec),
            )
        return SoundTranscoder(out, stream)
    raise FilmError(
        f"{name} cannot hold its {stream.type} track {stream.index} ({reason})",
        path=path,
        remedy=remedy_for(name, codec),
    ) from reason


def _colored(
    segments: Sequence[EncodedSegment], time_base: Fraction, stream: av.VideoStream, span: Span
) -> Iterator[Item]:
    """Yield the packets of the segments, with times instead of frame numbers.

    They are the source's times; if only a part of it is coloured, they count from the beginning of that part.
    """
    pts = [time for segment in segments for time in segment.pts]
    ends = [*pts[1:], segments[-1].end]
    shift = round(span.start / time_base) if span.is_part else 0
    dts = decoding_times(pts, max(segment.delay for segment in segments))
    first = 0
    for segment in segments:
        for packet in _packets(segment.path):
            number = first + number_of(packet)
            packet.time_base = time_base
            packet.pts, packet.dts = pts[number] - shift, next(dts) - shift
            packet.duration = ends[number] - pts[number]
            packet.stream = stream
            yield packet.dts * time_base, 0, packet
        first += len(segment.pts)


def _packets(path: Path) -> Iterator[av.Packet]:
    with av.open(address(path)) as container:
        yield from (packet for packet in container.demux(video=0) if packet.size)
