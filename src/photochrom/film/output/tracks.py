"""Selects the tracks of a film that are copied, such as sound and subtitles, and yields their packets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

import av
from av.format import Flags

from ..damage_log import Damage
from ..reader import FilmReader
from ..source.opening import reading
from ..span import Span
from ..times import time_text
from .sound import SoundTranscoder, after, has_part_of_a_sample, is_pcm, length, silence
from .subtitles import TimedTextTranscoder, as_subrip, becomes_subrip

LEAST_GAP = Fraction(1, 10)
"""Seconds; shorter gaps in sound come from rounded times, or from clocks that differ a little."""
Transcoder = SoundTranscoder | TimedTextTranscoder
"""Converts the packets of a track that the container cannot hold."""
Item = tuple[Fraction, int, av.Packet]
"""A packet to mux: the time in seconds by which packets are ordered, a number that orders those of equal time, and the
packet."""
_MOV_LANGUAGES = (
    "alb amh ara arm asm aym aze baq bel ben bul bur cat ces chi dan dut dzo eng epo est fin fra geo ger gre grn "
    "guj heb hin hun ice ind iri ita jav jpn kan kas kaz khm kin kir kor kur lao lat lav lit mac mal mar may mlg "
    "mlt mol mon nep nor nya ori orm per pol por pus que ron run rus san sin slk slv smi snd som spa sve swa tam "
    "tat tel tgk tgl tha tib tir tuk tur uig ukr urd uzb vie wel yid"
)
"""Codes of the languages that FFmpeg can write to MOV, which numbers its languages."""
_MOV_NAMES = {
    "deu": "ger", "nld": "dut", "ell": "gre", "zho": "chi", "cym": "wel", "isl": "ice", "sqi": "alb", "hye": "arm",
    "eus": "baq", "mya": "bur", "kat": "geo", "mkd": "mac", "msa": "may", "bod": "tib", "fas": "per", "swe": "sve",
    "fre": "fra", "cze": "ces", "rum": "ron", "slo": "slk", "gle": "iri", "fao": "fo ", "pan": "pa ", "hrv": "hr ",
    "scr": "hr ", "srp": "sr ", "scc": "sr ",
}  # fmt: skip
"""FFmpeg's codes in MOV of languages that have another code in ISO 639-2."""
_FROM_MOV = {"sve": "swe", "iri": "gle", "fo ": "fao", "pa ": "pan", "hr ": "hrv", "sr ": "srp"}
"""Codes in ISO 639-2 of languages for which FFmpeg reads another from MOV."""


def language(stream: av.stream.Stream, container: str) -> str:
    """Return the code with which a container states the language of a stream of the source.

    It is empty if the source states no language, or the container cannot hold it.
    """
    stated = stream.metadata.get("language", "")
    code = _FROM_MOV.get(stated, stated)
    if container == "mov":
        return _MOV_NAMES.get(code, code if code in _MOV_LANGUAGES.split() else "")
    if container == "mp4":
        return code if re.fullmatch("[a-z]{3}", code) else ""
    return "" if container in ("avi", "mxf") else code


def tags(stream: av.stream.Stream) -> dict[str, str]:
    """Return the metadata of a stream of the source; its title is ``title``, for which FFmpeg reads ``name`` from MP4.

    Matroska and AVI would store a name as another entry, which players do not show.
    """
    return {"title" if key == "name" else key: value for key, value in stream.metadata.items()}


def streams_to_copy(container: av.container.InputContainer, main: int) -> tuple[list[av.stream.Stream], list[str]]:
    """Return the streams to copy, and a description of each stream that is lost.

    Data tracks that FFmpeg's muxer recreates are in neither list.

    Args:
        container: The film.
        main: Index of the stream to colour, which is in neither list.
    """
    copied, lost = [], []
    for stream in container.streams:
        if stream.index == main:
            continue
        if stream.type not in ("data", "unknown"):
            copied.append(stream)
        elif not _is_rebuilt(stream, container):
            lost.append(f"track {stream.index}, {getattr(stream, 'name', None) or 'unknown'} data")
    return copied, lost


def _is_rebuilt(stream: av.stream.Stream, container: av.container.InputContainer) -> bool:
    """Return whether FFmpeg's muxer recreates a data track itself: QuickTime's time code and chapter names."""
    # A stream of unknown kind, as in a damaged transport stream, has no name.
    return "timecode" in stream.metadata or (getattr(stream, "name", None) == "bin_data" and bool(container.chapters()))


def packets(
    source: av.container.InputContainer,
    streams: Mapping[int, av.stream.Stream],
    transcoders: Mapping[int, Transcoder],
    span: Span,
    reader: FilmReader,
    damage: Damage,
) -> Iterator[Item]:
    """Yield the packets of the copied tracks that lie in the span, with their times in the coloured film.

    Args:
        source: The source.
        streams: Streams of the coloured film, by index in the source.
        transcoders: Transcoders of the streams to re-encode, by index in the source.
        span: The coloured part of the source.
        reader: Reader of the source.
        damage: Collects damage found.

    Raises:
        FilmError: The operating system reports an error while the file is read.
    """
    chosen = [source.streams[index] for index in streams if source.streams[index].type != "attachment"]
    last = Fraction(0)
    last_dts: dict[int, int] = {}

    def note_damage() -> None:
        if span.start <= last and span.is_before_end(last):
            damage.note(last - reader.first_pts * reader.time_base)

    for number, packet in enumerate(_read(source, chosen, reader, damage), 1):
        time = packet.pts if packet.pts is not None else packet.dts
        seconds = last if time is None else time * packet.time_base
        cut = is_pcm(packet.stream) and has_part_of_a_sample(packet)
        if cut:
            last = max(last, seconds)
            note_damage()
        if transcoder := transcoders.get(packet.stream.index):
            last = max(last, seconds)
            for encoded in _encoded(transcoder, packet, span, note_damage):
                yield _output_time(last, span), number, encoded
            continue
        if cut:
            if (whole := after(packet, Fraction(0))) is None:
                continue
            packet = whole
        attached = packet.stream.disposition & av.stream.Disposition.attached_pic
        if not attached:
            if (adjusted := _adjusted(packet, seconds, span)) is None:
                continue
            packet = adjusted
        last = max(last, seconds)
        index = packet.stream.index
        if _repair_times(packet, streams[index], last_dts):
            damage.clocks.setdefault(index, last - reader.first_pts * reader.time_base)
        if becomes_subrip(packet.stream, streams[index].container.format.name):
            packet = as_subrip(packet)
        packet.stream = streams[index]
        yield _output_time(last, span), number, packet
    for transcoder in transcoders.values():
        for encoded in _encoded(transcoder, None, span, note_damage):
            yield _output_time(last, span), 0, encoded


def continuous(items: Iterator[Item], stream: av.stream.Stream, end: Fraction) -> Iterator[Item]:
    """Yield the packets of a track; PCM lasts from 0 to ``end``, with silence in its gaps, for ``UNTIMED`` containers.

    Args:
        items: Packets of the track, as ``packets`` yields them.
        stream: The track in the coloured film.
        end: Time in seconds at which the picture ends; so does an MXF file with shorter sound.
    """
    if not is_pcm(stream):
        yield from items
        return
    reached = Fraction(0)
    for time, number, packet in items:
        if packet.pts is not None:
            begins = packet.pts * packet.time_base
            if begins - reached > (LEAST_GAP if reached else 0):
                yield from _silence(stream, reached, begins)
                reached = begins
            reached += length(packet)
        yield time, number, packet
    yield from _silence(stream, reached, end)


def _silence(stream: av.stream.Stream, start: Fraction, end: Fraction) -> Iterator[Item]:
    return ((packet.pts * packet.time_base, 0, packet) for packet in silence(stream, start, end))


def _output_time(time: Fraction, span: Span) -> Fraction:
    return max(time, span.start) - span.start if span.is_part else time


def _encoded(
    transcoder: Transcoder, packet: av.Packet | None, span: Span, on_damage: Callable[[], None]
) -> Iterator[av.Packet]:
    """Re-encode a packet, and yield the results that lie in the span."""
    for encoded in transcoder.packets(packet, on_damage):
        if encoded.pts is None:
            yield encoded
        elif (adjusted := _adjusted(encoded, encoded.pts * encoded.time_base, span)) is not None:
            yield adjusted


def _adjusted(packet: av.Packet, begins: Fraction, span: Span) -> av.Packet | None:
    """Return a packet with its times in the coloured film, without PCM samples before the span; None if outside.

    Other sound that begins before the span is kept whole; players leave out what comes before 0.
    """
    if span.is_part and begins < span.start and is_pcm(packet.stream):
        rest = after(packet, span.start - begins)
        return rest if rest is not None and span.adjust(rest, span.start) else None
    return packet if span.adjust(packet, begins) else None


def _read(
    source: av.container.InputContainer, chosen: list[av.stream.Stream], reader: FilmReader, damage: Damage
) -> Iterator[av.Packet]:
    """Yield the packets of the chosen streams, up to the end of the file or the first error in its data."""
    if not chosen:  # given none, demux would read all streams
        return
    last = Fraction(0)
    try:
        with reading(reader.path):  # after a system error, the file may be undamaged, and readable later
            for packet in source.demux(chosen):
                if packet.size and not _is_gap(packet):
                    yield packet
                if packet.dts is not None:
                    last = max(last, packet.dts * packet.time_base)
    except av.error.FFmpegError as exc:
        damage.ends_early = damage.ends_early or f"{exc.strerror} at {time_text(last)}"


def _is_gap(packet: av.Packet) -> bool:
    """Return whether a packet only marks a gap between subtitles, which MP4's muxer writes itself."""
    context = packet.stream.codec_context
    return context is not None and context.name == "mov_text" and bytes(packet) == bytes(2)


def _repair_times(packet: av.Packet, stream: av.stream.Stream, last_dts: dict[int, int]) -> bool:
    """Increase a packet's times if the time stamps of its track go back, as in films that were joined.

    Args:
        packet: The packet, which may be changed in place.
        stream: The packet's stream in the coloured film.
        last_dts: Decoding time of the last packet of each stream, by index; updated in place.

    Returns:
        Whether the packet was changed.
    """
    if packet.dts is None:
        return False
    may_repeat = stream.type == "subtitle" or stream.container.format.flags & Flags.ts_nonstrict.value
    before = last_dts.get(stream.index)
    is_late = before is not None and (packet.dts < before or (packet.dts == before and not may_repeat))
    if is_late:
        packet.dts = before if may_repeat else before + max(1, math.ceil(stream.time_base / packet.time_base))
        packet.pts = None if packet.pts is None else max(packet.pts, packet.dts)
    last_dts[stream.index] = packet.dts
    return is_late
