"""Re-encodes sound that the output's container cannot hold, as FLAC or PCM, without loss, and cuts PCM."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction

import av

_LOSSLESS = {"matroska": "flac", "mp4": "flac", "mov": "pcm_s24le", "nut": "flac"}
_LOSSLESS |= {"mxf": "pcm_s24le", "avi": "pcm_s24le"}
"""Lossless sound codec by container format."""
_PCM = re.compile(r"pcm_(?:[suf](8|16|24|32|64)(?:le|be)?|alaw|mulaw)")
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
    context = packet.stream.codec_context
    found = _PCM.fullmatch(context.name)
    assert isinstance(context, av.AudioCodecContext)
    assert found
    skipped = math.ceil(seconds * context.sample_rate)
    data = bytes(packet)[skipped * context.layout.nb_channels * int(found[1] or 8) // 8 :]
    if not data:
        return None
    rest = av.Packet(data)
    moved = round(Fraction(skipped, context.sample_rate) / packet.time_base)
    rest.pts = None if packet.pts is None else packet.pts + moved
    rest.dts = None if packet.dts is None else packet.dts + moved
    rest.duration = max(0, (packet.duration or 0) - moved)
    rest.time_base, rest.stream, rest.is_keyframe = packet.time_base, packet.stream, True
    return rest


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

    def packets(self, packet: av.Packet | None) -> Iterator[av.Packet]:
        """Decode a packet of the source, and yield re-encoded packets; None flushes the encoder.

        A packet that cannot be decoded is skipped.
        """
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError:
            frames = []
        for frame in frames:
            yield from self._encoded(frame, packet)
        if packet is None:
            for frame in self._resampler.resample(None):
                yield from self.stream.encode(frame)
            yield from self.stream.encode(None)

    def _encoded(self, frame: av.AudioFrame, packet: av.Packet | None) -> Iterator[av.Packet]:
        """Encode a frame, whose time follows from the frames before it, or from its packet for the first frame."""
        rate = self._decoder.sample_rate
        start = self._next
        if start is None:  # only the first frame's time is used; all others follow without gaps
            begins = packet.pts * packet.time_base if packet is not None and packet.pts is not None else Fraction(0)
            start = round(begins * rate)
        frame.pts, frame.time_base = start, Fraction(1, rate)
        self._next = start + frame.samples
        for resampled in self._resampler.resample(frame):
            yield from self.stream.encode(resampled)
