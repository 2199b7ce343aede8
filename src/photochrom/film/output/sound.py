"""Re-encodes sound that a container cannot hold, as FLAC or PCM, without loss; cuts PCM, and adds silence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

import av

_LOSSLESS = {"matroska": "flac", "mp4": "flac", "mov": "pcm_s24le", "nut": "flac"}
_LOSSLESS |= {"mxf": "pcm_s24le", "avi": "pcm_s24le"}
"""Lossless sound codec by container format."""
_PCM = re.compile(r"pcm_(?:[suf](8|16|24|32|64)(?:le|be)?|alaw|mulaw)")
_SILENCE = {"pcm_u8": b"\x80", "pcm_alaw": b"\xd5", "pcm_mulaw": b"\xff"}
"""Byte of a silent sample, by codec; 0 in all others."""
_SIXTEEN_BITS = ("u8", "u8p", "s16", "s16p")  # sample formats of at most 16 bits; FLAC stores others with 24 bits


def lossless_codec(container: str) -> str:
    """Return FFmpeg's name of the lossless sound codec to use in a container format."""
    return _LOSSLESS[container]


def is_pcm(stream: av.stream.Stream) -> bool:
    """Return whether a stream is PCM of a fixed size per sample, which ``after`` can cut."""
    return stream.codec_context is not None and _PCM.fullmatch(stream.codec_context.name) is not None


def after(packet: av.Packet, seconds: Fraction) -> av.Packet | None:
    """Return the samples of a packet of PCM that come after its first ``seconds``, as a packet with their time.

    The result is None if there are no such samples.
    """
    rate = packet.stream.codec_context.sample_rate
    skipped, size = math.ceil(seconds * rate), _sample_bytes(packet.stream)
    data = bytes(packet)[skipped * size : packet.size // size * size]
    if not data:
        return None
    rest = av.Packet(data)
    moved = round(Fraction(skipped, rate) / packet.time_base)
    rest.pts = None if packet.pts is None else packet.pts + moved
    rest.dts = None if packet.dts is None else packet.dts + moved
    rest.duration = max(0, (packet.duration or 0) - moved)
    rest.time_base, rest.stream, rest.is_keyframe = packet.time_base, packet.stream, True
    return rest


def has_part_of_a_sample(packet: av.Packet) -> bool:
    """Return whether a packet of PCM ends within a sample, so that it is damaged; ``after`` leaves out that part."""
    return packet.size % _sample_bytes(packet.stream) != 0


def _sample_bytes(stream: av.stream.Stream) -> int:
    """Return the number of bytes of one sample of all channels of a stream of PCM."""
    context = stream.codec_context
    assert isinstance(context, av.AudioCodecContext)
    found = _PCM.fullmatch(context.name)
    assert found
    return context.layout.nb_channels * int(found[1] or 8) // 8


def length(packet: av.Packet) -> Fraction:
    """Return the length of a packet of PCM in seconds."""
    return Fraction(packet.size // _sample_bytes(packet.stream), packet.stream.codec_context.sample_rate)


def silence(stream: av.stream.Stream, start: Fraction, end: Fraction) -> Iterator[av.Packet]:
    """Yield silence as packets of PCM, of at most a second each, from ``start`` to ``end``, in seconds."""
    context = stream.codec_context
    assert isinstance(context, av.AudioCodecContext)
    rate, sample = context.sample_rate, _SILENCE.get(context.name, b"\0") * _sample_bytes(stream)
    first, count = round(start * rate), round((end - start) * rate)
    for done in range(0, count, rate):
        part = min(rate, count - done)
        packet = av.Packet(sample * part)
        packet.pts = packet.dts = first + done
        packet.duration, packet.time_base, packet.stream = part, Fraction(1, rate), stream
        packet.is_keyframe = True
        yield packet


class SoundTranscoder:
    """Re-encodes one sound track without loss, packet by packet.

    Args:
        out: The coloured film, to which a stream is added.
        source: The track of the source.
    """

    def __init__(self, out: av.container.OutputContainer, source: av.AudioStream) -> None:
        codec = lossless_codec(out.format.name)
        deep = source.codec_context.format.name not in _SIXTEEN_BITS
        sample_format = {"flac": "s32" if deep else "s16"}.get(codec, "s32")
        self.stream: av.AudioStream = out.add_stream(codec, rate=source.codec_context.sample_rate)
        self.stream.layout, self.stream.format = source.codec_context.layout, sample_format
        self.stream.time_base = Fraction(1, source.codec_context.sample_rate)
        self._decoder = source.codec_context
        self._resampler = av.AudioResampler(
            sample_format, source.codec_context.layout, source.codec_context.sample_rate
        )
        self._next: int | None = None
        self._may_lack = False  # whether a damaged packet of unknown length precedes the next frame

    def packets(self, packet: av.Packet | None, on_damage: Callable[[], None]) -> Iterator[av.Packet]:
        """Decode a packet of the source, and yield re-encoded packets; None flushes the encoder.

        ``on_damage`` is called if the packet cannot be decoded; silence of the same length replaces it, or silence up
        to the next packet if its length is unknown.
        """
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError:
            on_damage()
            frames = [] if packet is None else self._in_place_of(packet)
        for frame in frames:
            yield from self._encoded(frame)
        if packet is None:
            for frame in self._resampler.resample(None):
                yield from self.stream.encode(frame)
            yield from self.stream.encode(None)

    def _in_place_of(self, packet: av.Packet) -> list[av.AudioFrame]:
        """Return a silent frame as long as a packet; none if its length is unknown."""
        count = round((packet.duration or 0) * packet.time_base * self._decoder.sample_rate)
        if not count:
            self._may_lack = True
            return []
        frame = self._silence(count)
        frame.pts, frame.time_base = packet.pts, packet.time_base
        return [frame]

    def _silence(self, samples: int) -> av.AudioFrame:
        context = self._decoder
        frame = av.AudioFrame(context.format.name, context.layout.name, samples)
        sample = b"\x80" if context.format.name.startswith("u8") else b"\0"
        for plane in frame.planes:
            plane.update(sample * plane.buffer_size)
        frame.sample_rate = context.sample_rate
        return frame

    def _encoded(self, frame: av.AudioFrame) -> Iterator[av.Packet]:
        """Encode a frame, whose time follows from the frames before it."""
        rate = self._decoder.sample_rate
        if self._next is None:  # only the first frame's time is used; all others follow without gaps
            # It is later than its packet's where the decoder leaves out the codec's priming, as in Opus and MP3.
            self._next = 0 if frame.pts is None else round(frame.pts * frame.time_base * rate)
        elif self._may_lack and frame.pts is not None:
            self._may_lack = False
            if (missing := round(frame.pts * frame.time_base * rate) - self._next) > 0:
                yield from self._encoded(self._silence(missing))
        frame.pts, frame.time_base = self._next, Fraction(1, rate)
        self._next += frame.samples
        for resampled in self._resampler.resample(frame):
            yield from self.stream.encode(resampled)
