"""Converts subtitles that a container cannot hold: to SubRip in Matroska, to timed text (3GPP) in MP4 and MOV."""

from __future__ import annotations

import codecs
import itertools
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import av
from av.subtitles.subtitle import SubtitleSet

SUBRIP = "subrip"
_TAGS = {4: "u", 2: "i", 1: "b"}  # tags of SubRip by the flags of timed text
_DEFAULT = 24  # position of the flags of the default style in a track's description
_RUN = struct.Struct(">HHxxB5x")  # first character of a run of text, the one behind it, and the flags of its style
_TIMED_TEXT: Final = "mov_text"
_CONTAINERS: Final = ("mp4", "mov")
_CODECS: Final = ("subrip", "srt", "ass", "ssa", "webvtt", "text")  # FFmpeg has two decoders of SubRip
_UNSTATED: Final = 4  # seconds for which a subtitle without a duration is shown
_LATEST: Final = 1 << 62  # greatest time of a packet
_OVERRIDE: Final = re.compile(r"\{[^}]*\}")
_CODE: Final = re.compile(r"\\(r|[biu](?![a-z]))([^\\}]*)")  # changes the style, or bold, italic or underlined text
_PLAIN: Final = r"\b0\i0\u0"  # FFmpeg's encoder does not end such text where \r changes the style
_DRAWING: Final = re.compile(r"(\{[^}]*\\p[1-9][^}]*\})[^{]*")  # a code that begins a drawing, and the drawing


def note(stream: av.stream.Stream, container: str) -> str:
    """Return the line that tells the user of the conversion of a track."""
    new, old = "SubRip" if container == "matroska" else "timed text", stream.codec_context.codec.canonical_name
    return (
        f"the subtitles of track {stream.index} become {new}, without fonts, colours and positions, because "
        f"{container} cannot hold {old}"
    )


def becomes_subrip(stream: av.stream.Stream, container: str) -> bool:
    """Return whether a track must be converted to SubRip to be stored in a container format of FFmpeg's name."""
    context = stream.codec_context
    return container == "matroska" and context is not None and context.name == "mov_text"


def as_subrip(packet: av.Packet) -> av.Packet:
    """Return a packet of timed text as a packet of SubRip; of its styles, it has bold, italic and underlined text.

    Timed text begins with its length in bytes, and is UTF-16 if it has a byte order mark, otherwise UTF-8. Boxes with
    styles follow.
    """
    data, description = bytes(packet), packet.stream.codec_context.extradata or b""
    end = 2 + int.from_bytes(data[:2], "big")
    text = data[2:end]
    is_wide = text.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    plain = text.decode("utf-16" if is_wide else "utf-8", "replace")
    flags = [description[_DEFAULT] if len(description) > _DEFAULT else 0] * len(plain)
    for first, behind, style in _runs(data[end:]):
        flags[first:behind] = [style] * len(flags[first:behind])
    found = av.Packet(_tagged(plain, flags).encode())
    found.pts, found.dts, found.duration = packet.pts, packet.dts, packet.duration
    found.time_base, found.stream, found.is_keyframe = packet.time_base, packet.stream, True
    return found


def _runs(boxes: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the first character of each run of text with a style of its own, the one behind it, and its flags."""
    while len(boxes) >= 10:
        size, name = struct.unpack_from(">I4s", boxes)
        if name == b"styl":
            whole = (min(size, len(boxes)) - 10) // _RUN.size * _RUN.size
            yield from _RUN.iter_unpack(boxes[10 : 10 + max(0, whole)])
        boxes = boxes[max(8, size) :]


def _tagged(text: str, flags: list[int]) -> str:
    """Return a text with SubRip's tags around each run of bold, italic or underlined text."""
    found = ""
    for style, run in itertools.groupby(zip(flags, text, strict=True), lambda pair: pair[0]):
        part = "".join(character for _, character in run)
        for flag, tag in _TAGS.items():
            part = f"<{tag}>{part}</{tag}>" if style & flag else part
        found += part
    return found


@dataclass(frozen=True)
class _Subtitle:
    """A subtitle that is being shown."""

    style: str
    """Name of its style in the track's header."""
    text: str
    """Text with override codes, as in ASS."""
    end: int
    """Time at which it disappears, in the track's time base."""


def becomes_timed_text(stream: av.stream.Stream, container: str) -> bool:
    """Return whether a track that a container format cannot hold can be stored there as timed text."""
    context = stream.codec_context
    return container in _CONTAINERS and context is not None and context.name in _CODECS


class TimedTextTranscoder:
    """Converts one track of text subtitles to timed text, packet by packet.

    A track of timed text shows one subtitle at a time, so subtitles that overlap are shown as lines of one subtitle
    while both last.

    Args:
        out: The coloured film, to which a stream is added.
        source: The track of the source.
    """

    def __init__(self, out: av.container.OutputContainer, source: av.stream.Stream) -> None:
        self.stream = out.add_stream(_TIMED_TEXT)
        self._decoder, self._encoder = source.codec_context, self.stream.codec_context
        self._decoder.open(strict=False)
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self._encoder.time_base = self.stream.time_base = source.time_base
        self._shown: list[_Subtitle] = []
        self._reached: int = -_LATEST  # time up to which packets were returned

    def packets(self, packet: av.Packet | None, on_damage: Callable[[], None]) -> Iterator[av.Packet]:
        """Decode a packet of the source, and yield the subtitles before it; None stands for the track's end.

        ``on_damage`` is called if a subtitle cannot be decoded, has no time, or is too long.
        """
        if packet is None:
            yield from self._until(max((subtitle.end for subtitle in self._shown), default=self._reached), on_damage)
            return
        try:
            found = self._decoder.decode2(packet) or ()
        except av.error.FFmpegError:
            found = None
        if found is None or packet.pts is None:
            on_damage()
            return
        yield from self._until(packet.pts, on_damage)
        end = packet.pts + (packet.duration or round(_UNSTATED / packet.time_base))
        for rect in found:
            _, _, style, *_, text = rect.ass.decode("utf-8", "replace").split(",", 8)
            text = _DRAWING.sub(r"\1", text).replace(r"\h", "\u00a0")
            if _OVERRIDE.sub("", text).strip():
                self._shown.append(_Subtitle(style, _restated(text, style), end))

    def _until(self, time: int, on_damage: Callable[[], None]) -> Iterator[av.Packet]:
        """Yield the subtitles that are shown until a time, one for each interval in which they do not change."""
        for end in sorted({min(subtitle.end, time) for subtitle in self._shown}):
            if end > self._reached:
                try:
                    yield self._encoded(end)
                except av.error.FFmpegError:
                    on_damage()
                self._reached = end
        self._shown = [subtitle for subtitle in self._shown if subtitle.end > time]
        self._reached = max(self._reached, time)

    def _encoded(self, end: int) -> av.Packet:
        """Return the subtitles that are shown now, as a packet that lasts until ``end``."""
        shown = [subtitle for subtitle in self._shown if subtitle.end > self._reached]
        first, *others = shown
        text = first.text + "".join(f"\\N{{{_PLAIN}\\r{subtitle.style}}}{subtitle.text}" for subtitle in others)
        event = f"0,0,{first.style},,0,0,0,,{text}"
        packet = self._encoder.encode_subtitle(SubtitleSet.create(event.encode(), 0, 1))
        packet.pts = packet.dts = self._reached
        packet.duration, packet.time_base, packet.stream = end - self._reached, self.stream.time_base, self.stream
        return packet


def _restated(text: str, style: str) -> str:
    """Return a text in which each override states all that is in force, since FFmpeg's encoder forgets the rest.

    Args:
        text: Text with override codes.
        style: Name of its style.
    """
    codes = {"r": style}

    def restated(block: re.Match[str]) -> str:
        before = ""
        for kind, value in _CODE.findall(block[0]):
            if kind == "r":
                codes.clear()
                before = _PLAIN
            codes[kind] = value or (style if kind == "r" else "")
        return block[0] + "{" + before + "".join(f"\\{kind}{value}" for kind, value in codes.items()) + "}"

    return _OVERRIDE.sub(restated, text)
