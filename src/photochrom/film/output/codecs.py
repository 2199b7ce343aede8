"""Tables of the codecs and containers of coloured films.

A codec can be added as a row of ``CODECS`` if FFmpeg's encoder for it accepts planar Y'CbCr.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import av

from ...errors import OptionError

FORMATS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".mxf": "mxf",
    ".avi": "avi",
    ".nut": "nut",
}
"""FFmpeg's names of the container formats of coloured films, by file suffix."""
SEQUENCES = ("dpx", "tiff", "png", "jpeg", "jp2", "exr")
"""File formats of numbered frames; each is both a codec and a container."""
UNTIMED = ("mxf", "avi")
"""Containers that store no time stamps, so that sound begins with the picture, and has no gaps."""
CONSTANT_RATE = (*UNTIMED, *SEQUENCES)
"""Containers that store no time stamps, so that the frame rate must be constant."""
MXF_SOUND, MXF_HERTZ = ("pcm_s16le", "pcm_s24le"), 48000
"""Codecs and sample rate of the sound that MXF can hold."""
REFUSED_SOUND = {"mov": ("flac", "opus", "truehd"), "mp4": ("truehd",)}
"""Codecs of sound, by container format, that FFmpeg's table of codecs lists, but its muxer does not write."""
AUTO = "auto"
"""Value of ``FilmOptions.codec`` with which source and output decide the codec."""
ALIASES = {"h264": "libx264", "h265": "libx265", "hevc": "libx265", "dnxhd": "dnxhr"}
"""Keys of ``CODECS`` by alternative names."""


@dataclass(frozen=True)
class Codec:
    """A codec of coloured films. Formats have FFmpeg's names."""

    encoder: str
    """Name of FFmpeg's encoder."""
    containers: tuple[str, ...]
    """Container formats that can hold the codec."""
    suffix: str
    """Suffix of the default output if the source's own container cannot hold the codec."""
    profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Pixel formats by name of the profile, the default profile first; empty if the codec has no profiles."""
    only: tuple[str, ...] = ()
    """Pixel formats to use; empty for all that the encoder supports."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Options of the encoder that apply to every film."""
    segment: str = "nut"
    """Container format of a segment."""
    even: bool = True
    """Whether each side along which chroma is subsampled must be even."""
    full_range: bool = True
    """Whether a stream can signal full range."""
    fields: bool = True
    """Whether a stream can mark interlaced frames."""
    quality: bool = False
    """Whether the encoder has the options ``crf`` and ``preset``."""
    smallest: tuple[int, int] = (1, 1)
    """Least width and height of a frame."""

    def formats(self, profile: str | None) -> frozenset[str]:
        """Return the pixel formats that a profile supports; None means the default profile."""
        if self.profiles:
            return frozenset(self.profiles[profile or self.usual_profile])
        return frozenset(self.only) or _encodable(self.encoder)

    @property
    def usual_profile(self) -> str:
        """Name of the default profile; empty if the codec has no profiles."""
        return next(iter(self.profiles), "")


@functools.cache
def _encodable(encoder: str) -> frozenset[str]:
    """Return all pixel formats that an encoder of FFmpeg supports."""
    return frozenset(f.name for f in av.Codec(encoder, "w").video_formats or ())


_PRORES_TAGS = {"hq": "apch", "standard": "apcn", "lt": "apcs", "proxy": "apco", "4444": "ap4h", "4444xq": "ap4x"}
_MODERN = ("mp4", "mov", "matroska", "nut")
_422_10, _444_10, _422_8 = ("yuv422p10le",), ("yuv444p10le",), ("yuv422p",)


def _444(*depths: int) -> tuple[str, ...]:
    """Return the pixel formats that have these bit depths and no subsampling, for files that hold RGB."""
    return tuple("yuv444p" if depth == 8 else f"yuv444p{depth}le" for depth in depths)


CODECS: Mapping[str, Codec] = {
    "libx264": Codec("libx264", _MODERN, ".mkv", quality=True),
    "libx265": Codec("libx265", _MODERN, ".mkv", fields=False, quality=True),
    "ffv1": Codec("ffv1", ("matroska", "mxf", "avi", "mp4", "nut"), ".mkv", even=False),
    "prores": Codec(
        "prores_ks",
        ("mov", "matroska", "mxf"),
        ".mov",
        {"hq": _422_10, "standard": _422_10, "lt": _422_10, "proxy": _422_10, "4444": _444_10, "4444xq": _444_10},
        settings={"vendor": "apl0"},  # some editing programs reject streams of other vendors
        segment="mov",
        full_range=False,
    ),
    "dnxhr": Codec(
        "dnxhd",
        ("mxf", "mov"),
        ".mxf",
        {"hqx": _422_10, "hq": _422_8, "sq": _422_8, "lb": _422_8, "444": _444_10},
        segment="mov",
        full_range=False,
        fields=False,
        smallest=(256, 120),
    ),
    "v210": Codec("v210", ("mov", "avi", "nut"), ".mov", only=_422_10, full_range=False),
    **{
        name: Codec(encoder, (name,), suffix, only=formats, even=False)
        for name, encoder, suffix, formats in (
            ("dpx", "dpx", ".dpx", _444(8, 10, 12, 16)),
            ("tiff", "tiff", ".tif", _444(8, 16)),
            ("png", "png", ".png", _444(8, 16)),
            ("jpeg", "mjpeg", ".jpg", _444(8)),
            ("jp2", "jpeg2000", ".jp2", _444(8, 16)),
            ("exr", "exr", ".exr", _444(16)),
        )
    },
}
"""Codecs by the names used in options."""


def codec_named(name: str) -> str:
    """Return the key of a codec in ``CODECS``, such as ``libx264`` for ``h264``; ``auto`` is returned as it is.

    Raises:
        OptionError: No codec has this name.
    """
    found = ALIASES.get(name, name)
    if found not in (*CODECS, AUTO):
        raise OptionError(f"codec is {name!r}", remedy=f"choose one of {', '.join(CODECS)}")
    return found


def check_profile(codec: str, profile: str | None) -> None:
    """Check that a codec has a profile of this name; None is always valid.

    Raises:
        OptionError: The codec has no profiles, or none of this name.
    """
    known = CODECS[codec].profiles if codec in CODECS else {}
    if profile is not None and profile not in known:
        choice = f"choose one of {', '.join(known)}" if known else "leave it out"
        raise OptionError(f"profile is {profile!r}, which {codec} does not have", remedy=choice)


def codec_tag(codec: str, profile: str | None) -> str:
    """Return the FourCC by which players of MP4 and MOV recognise a codec; empty to leave the choice to FFmpeg."""
    if codec == "prores":
        return _PRORES_TAGS[profile or CODECS[codec].usual_profile]
    return "hvc1" if codec == "libx265" else ""


def suffixes(codec: Codec) -> str:
    """List the suffixes of containers that can hold a codec, for messages: ``.mov or .mkv``."""
    found = [suffix for suffix, container in FORMATS.items() if container in codec.containers and suffix != ".m4v"]
    found = found or [codec.suffix]  # numbered frames
    return ", ".join(found[:-1]) + (" or " if found[1:] else "") + found[-1]
