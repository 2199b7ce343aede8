"""Makes the film corpus: small films of every container, codec and pixel format, unusual ones, and damaged ones.

Nothing is stored: the films are made again, the same every time. ``python -m tests.corpus.films FOLDER`` writes them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from tests.helpers.films import in_fields, other_shot, pan, still_frame, write_frames

COUNT = 5  # frames of a film
ANY = None
"""The expectation of a damaged film: coloured as far as it can be decoded, or refused."""


@dataclass(frozen=True)
class Film:
    """One film of the corpus."""

    name: str
    data: bytes
    refused: str | None = ""
    """Pattern of the message that refuses it; empty if it must be coloured; ``ANY`` if either will do."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options for ``FilmOptions``, beside lossless coding."""
    frames: int | None = None
    """Number of frames that must come out; None for what another decoding loop finds."""


# One line for each way to store a picture: container, codec, pixel format, and size if the codec requires one.
KINDS: tuple[tuple[str, ...], ...] = (
    ("mp4", "libx264", "yuv420p"), ("mkv", "libx264", "yuv444p10le"), ("mkv", "libx264rgb", "rgb24"),
    ("ts", "libx264", "yuv420p"), ("f4v", "libx264", "yuv420p"), ("mkv", "libx265", "gray10le"),
    ("ts", "libx265", "yuv420p"), ("mov", "prores_ks", "yuv422p10le"), ("mov", "prores_ks", "yuva444p10le"),
    ("mov", "dnxhd", "yuv422p10le", "256x128"), ("mov", "qtrle", "argb"), ("mov", "qtrle", "gray"),
    ("mov", "rpza", "rgb555le"), ("mov", "svq1", "yuv410p"), ("mov", "v210", "yuv422p10le"),
    ("mov", "r210", "gbrp10le"),
    ("mov", "cfhd", "yuv422p10le"), ("mov", "jpeg2000", "gray"), ("mov", "jpeg2000", "rgb48le"),
    ("mov", "png", "rgb24"), ("mov", "png", "gray16be"), ("mov", "mjpeg", "yuvj422p"), ("avi", "mpeg4", "yuv420p"),
    ("avi", "msmpeg4", "yuv420p"), ("avi", "mjpeg", "yuvj420p"), ("avi", "huffyuv", "yuv422p"),
    ("avi", "utvideo", "yuv420p"), ("avi", "magicyuv", "gray"), ("avi", "cinepak", "rgb24"),
    ("avi", "rawvideo", "yuyv422"), ("avi", "rawvideo", "uyvy422"), ("avi", "rawvideo", "bgr24"),
    ("avi", "ffvhuff", "yuv420p"), ("avi", "asv1", "yuv420p"), ("avi", "zmbv", "bgr0"),
    ("avi", "msvideo1", "rgb555le"), ("avi", "snow", "yuv420p"), ("avi", "png", "gray"), ("avi", "ljpeg", "yuvj420p"),
    ("avi", "dvvideo", "yuv411p", "720x480"), ("dv", "dvvideo", "yuv420p", "720x576"), ("mpg", "mpeg1video", "yuv420p"),
    ("mpg", "mpeg2video", "yuv420p"), ("vob", "mpeg2video", "yuv422p"), ("ts", "mpeg2video", "yuv420p"),
    ("m2v", "mpeg2video", "yuv420p"), ("mxf", "mpeg2video", "yuv422p"), ("wtv", "mpeg2video", "yuv420p"),
    ("h264", "libx264", "yuv420p"), ("hevc", "libx265", "yuv420p"), ("mjpeg", "mjpeg", "yuvj420p"),
    ("ivf", "libvpx", "yuv420p"), ("webm", "libvpx", "yuv420p"), ("webm", "libvpx-vp9", "yuva420p"),
    ("webm", "libsvtav1", "yuv420p"), ("mp4", "libsvtav1", "yuv420p10le"), ("obu", "libsvtav1", "yuv420p"),
    ("flv", "flv", "yuv420p"), ("flv", "flashsv", "bgr24"), ("swf", "flv", "yuv420p"), ("wmv", "wmv2", "yuv420p"),
    ("wmv", "wmv1", "yuv420p"), ("3gp", "h263", "yuv420p", "176x144"), ("rm", "rv20", "yuv420p"),
    ("y4m", "rawvideo", "yuv420p"), ("y4m", "rawvideo", "gray"), ("gif", "gif", "gray"), ("apng", "apng", "gray"),
    ("roq", "roqvideo", "yuvj444p"), ("mkv", "ffv1", "gray"), ("mkv", "ffv1", "gray16le"), ("mkv", "ffv1", "yuv420p"),
    ("mkv", "ffv1", "yuva420p"), ("mkv", "ffv1", "bgr0"), ("nut", "rawvideo", "nv12"), ("nut", "rawvideo", "gray"),
    ("nut", "rawvideo", "monow"), ("nut", "rawvideo", "gray12be"), ("nut", "rawvideo", "yuv410p"),
    ("nut", "rawvideo", "rgb565le"), ("nut", "rawvideo", "gbrap12le"), ("nut", "rawvideo", "ya8"),
    ("nut", "rawvideo", "yuv422p16be"), ("nut", "rawvideo", "yuv420p9le"), ("nut", "rawvideo", "yuv440p"),
    ("nut", "rawvideo", "xyz12le"),
)  # fmt: skip
_SETTINGS = {"dnxhd": {"profile": "dnxhr_hqx"}, "libx265": {"x265-params": "log-level=none"}}
SIZES = ((1, 1), (1, 40), (40, 1), (3, 5), (49, 65), (2, 300), (17, 31), (288, 63))  # height, width


def grey(count: int = COUNT, width: int = 96, height: int = 64) -> list[np.ndarray]:
    """Return lumas of a camera that moves over a picture."""
    return [cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA) for luma in pan(count)]


def frames_of(lumas: list[np.ndarray], name: str) -> list[av.VideoFrame]:
    """Return frames of a pixel format with these lumas."""
    frames = [av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray") for luma in lumas]
    return frames if name == "gray" else [frame.reformat(format=name) for frame in frames]


def in_colors(luma: np.ndarray) -> av.VideoFrame:
    """Return a frame whose left half is red and whose right half is blue, whatever its luma."""
    frame = still_frame(luma)
    for plane, (left, right) in zip(frame.planes[1:], ((100, 170), (170, 100)), strict=True):
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
        rows[:, : plane.width // 2], rows[:, plane.width // 2 :] = left, right
    return frame


def overfull(name: str) -> av.VideoFrame:
    """Return a frame whose integers use bits that its pixel format does not have."""
    frame, random = av.VideoFrame(96, 64, name), np.random.default_rng(0)
    for plane in frame.planes:
        plane.update(random.bytes(plane.buffer_size))
    return frame


def film(end: str, frames: list[av.VideoFrame] | None = None, name: str = "yuv420p", **options: Any) -> bytes:
    """Return the bytes of a film made by ``write_frames``."""
    steady = {"threads": "1"}  # otherwise the bytes differ from run to run
    if options.get("codec", "libx264").startswith("libx264"):
        steady["x264-params"] = "cpu-independent=1"
    options["options"] = steady | options.get("options", {})
    options["container_options"] = {"fflags": "+bitexact"} | options.get("container_options", {})
    frames = frames_of(grey(), name) if frames is None else frames
    with tempfile.TemporaryDirectory() as folder, usual_priority():
        path = write_frames(Path(folder) / f"a.{end}", frames, name=name, **options)
        return path.read_bytes()


@contextmanager
def usual_priority() -> Iterator[None]:
    """Restore the usual priority after SVT-AV1 has raised it.

    Where it may, as root in a container, it puts the thread that calls it before everything else on the machine
    (SCHED_FIFO, 99), and leaves it there: the rest of the tests would starve all other processes.
    """
    os.environ.setdefault("SVT_LOG", "0")
    try:
        yield
    finally:
        if hasattr(os, "sched_setscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def by_kind() -> Iterator[Film]:
    for end, codec, name, *size in KINDS:
        if codec not in av.codecs_available:
            continue
        width, height = (int(side) for side in size[0].split("x")) if size else (96, 64)
        options = _SETTINGS.get(codec, {})
        data = film(end, frames_of(grey(2 if size else COUNT, width, height), name), name, codec=codec, rate=25,
                    options=options)  # fmt: skip
        yield Film(f"{codec}-{name}.{end}", data)


def by_shape() -> Iterator[Film]:
    for height, width in SIZES:
        lumas = grey(3, width, height)
        yield Film(f"size-{height}x{width}.nut", film("nut", frames_of(lumas, "gray"), "gray", codec="rawvideo"))
    frames = frames_of(grey(3, 1, 400), "gray")
    yield Film("size-400x1.nut", film("nut", frames, "gray", codec="rawvideo"), "FFV1 cannot encode")
    for order in ("tff", "bff"):
        frames = in_fields([still_frame(luma) for luma in grey()], order)
        yield Film(f"fields-{order}.mkv", film("mkv", frames, codec="ffv1"))
        settings = {"flags": "+ildct+ilme"}
        yield Film(f"fields-{order}.mpg", film("mpg", frames, codec="mpeg2video", options=settings, rate=25))
    for name in ("yuv420p9le", "gray10le", "gray14le"):  # integers beyond their depth
        yield Film(f"overfull-{name}.nut", film("nut", [overfull(name)], name, codec="rawvideo"), ANY)
    yield Film("full-range.mkv", film("mkv", codec="ffv1", full=True))
    yield Film("wide-pixels.mkv", film("mkv", codec="ffv1", aspect=Fraction(16, 11)))
    for angle in (90, 180, 270):
        yield Film(f"turned-{angle}.mp4", film("mp4", rotation=angle))
    for number, tags in enumerate([(1, 1, 1), (6, 6, 6), (9, 9, 1), (4, 4, 4), (7, 7, 7)]):
        yield Film(f"matrix-{number}.mkv", film("mkv", codec="ffv1", tags=tags))


def by_time() -> Iterator[Film]:
    for rate in ("24000/1001", "25", "30000/1001", "60", "1", "12.5", "1000", "1/10"):
        yield Film(f"rate-{rate.replace('/', 'of')}.mkv", film("mkv", codec="ffv1", rate=Fraction(rate)))
    ticks = {
        "uneven": [0, 40, 41, 900, 901],
        "late": [36_000_000 + 40 * i for i in range(COUNT)],
        "before-zero": [-80, -40, 0, 40, 80],
        "with-a-gap": [0, 40, 80, 3_600_000, 3_600_040],
    }
    for name, times in ticks.items():
        yield Film(f"times-{name}.mkv", film("mkv", codec="ffv1", pts=times, time_base=Fraction(1, 1000)))
    for name in ("uneven", "late", "with-a-gap"):
        yield Film(f"times-{name}.mp4", film("mp4", pts=ticks[name], time_base=Fraction(1, 1000)))
    yield Film(
        "reordered.mp4",
        film("mp4", frames_of(grey(12), "yuv420p"), options={"bf": "3", "preset": "medium"}),
    )
    for count in (0, 1, 2):
        expected = "" if count else "none of its frames can be decoded|cannot be read as a film"
        data = film("mkv", frames_of(grey(count), "yuv420p"), codec="ffv1")
        yield Film(f"frames-{count}.mkv", data, expected)
    yield Film("frames-0.mp4", film("mp4", [], codec="mpeg4"), "has no picture")


def by_track() -> Iterator[Film]:
    for end, sound in (("mp4", "aac"), ("mkv", "flac"), ("mkv", "libopus"), ("avi", "pcm_s16le"), ("avi", "adpcm_ms"),
                       ("mov", "pcm_s24be"), ("mpg", "mp2"), ("webm", "libopus"),
                       ("ts", "ac3")):  # fmt: skip
        codec = {"mpg": "mpeg2video", "webm": "libvpx", "avi": "mpeg4"}.get(end, "libx264")
        yield Film(f"sound-{sound}.{end}", film(end, codec=codec, sound=sound, rate=25))
    titles = {"languages": ("eng", "deu"), "sound": "aac"}
    yield Film("titles.mp4", film("mp4", titles="mov_text", **titles))
    yield Film("titles.mkv", film("mkv", titles="subrip", **titles))
    yield Film(
        "chapters.mkv", film("mkv", chapters=[(0, 0.1, "one"), (0.1, 0.2, "two")], metadata={"title": "x" * 999})
    )
    attachment = ("scan.txt", "text/plain", b"as found" * 100)
    yield Film("attachment.mkv", film("mkv", attachment=attachment))
    yield Film("fragmented.mp4", film("mp4", container_options={"movflags": "+frag_keyframe+empty_moov"}))
    yield Film("header-first.mp4", film("mp4", container_options={"movflags": "+faststart"}))
    yield Film("unknown-track.ts", with_unknown_track(film("ts", codec="mpeg2video", rate=25)))
    yield Film("encrypted.mp4", film("mp4", container_options=ENCRYPTED), ANY)


def with_unknown_track(stream: bytes) -> bytes:
    """Return a transport stream whose program table lists another track of an unknown type."""
    data = bytearray(stream)
    tables = [at for at in range(0, len(data), 188) if data[at + 1] & 0x40 and data[at + 5 : at + 6] == b"\x02"]
    for table in (at + 5 for at in tables):
        length = int.from_bytes(data[table + 1 : table + 3], "big") & 0xFFF
        section = bytearray(data[table : table + 3 + length - 4]) + b"\xa0\xe1\xff\xf0\0"
        section[1:3] = (0xB000 | (length + 5)).to_bytes(2, "big")
        section += mpeg_checksum(section).to_bytes(4, "big")
        data[table : table + len(section)] = section
    return bytes(data)


def mpeg_checksum(data: bytes) -> int:
    """Compute the CRC-32 of transport streams: most significant bit first, not inverted at the end."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


ENCRYPTED = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}


def refused() -> Iterator[Film]:
    """Films that must not be coloured, each with its reason."""
    red = [in_colors(luma) for luma in grey()]
    yield Film("in-colour.mkv", film("mkv", red, codec="ffv1"), "is in colour already")
    yield Film("in-colour-recoloured.mkv", film("mkv", red, codec="ffv1"), options={"recolor": "all"})
    late = [still_frame(luma) for luma in pan(60)] + [in_colors(luma) for luma in other_shot(60)]
    yield Film(
        "partly-in-colour.mkv",
        film("mkv", late, codec="ffv1", options={"g": "1"}),
        "shots is in colour and left unchanged",
    )
    for transfer in (16, 18):
        data = film("mkv", name="yuv420p10le", codec="ffv1", tags=(9, 9, transfer))
        yield Film(f"hdr-{transfer}.mkv", data, "HDR")
    raw = {"codec": "mpeg2video", "rate": 25}
    larger = film("m2v", frames_of(grey(COUNT, 128, 96), "yuv420p"), **raw)
    yield Film("size-changes.m2v", film("m2v", **raw) + larger, "the size of the picture changes at")
    part = film("ts", frames_of(grey(50), "yuv420p"), **raw)
    yield Film("joined.ts", part + part, "its time stamps start over at")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mka"
        with av.open(str(path), "w", format="matroska", container_options={"fflags": "+bitexact"}) as out:
            stream = out.add_stream("flac", rate=48000)
            stream.layout = "mono"
            for packet in [*stream.encode(_silence()), *stream.encode(None)]:
                out.mux(packet)
        yield Film("sound-alone.mka", path.read_bytes(), "has no picture: name a film")
    nothing = "cannot be read as a film|none of its frames can be decoded"
    yield Film("empty.mp4", b"", nothing)
    yield Film("text.mp4", b"Dear diary,\n" * 200, nothing)
    yield Film("zeros.mkv", bytes(5000), nothing)
    lists = "lists other files|cannot be read as a film"
    yield Film("list.mp4", b"ffconcat version 1.0\nfile neighbour.mkv\n", lists)
    yield Film("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nneighbour.mkv\n#EXT-X-ENDLIST\n", lists)
    session = b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 32\n"
    yield Film("session.sdp", session, lists)


def _silence() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    return frame


def intact() -> Iterator[Film]:
    """All films that are not damaged."""
    for make in (by_kind, by_shape, by_time, by_track, refused):
        yield from make()


# --- damage

_TO_DAMAGE = (
    ("mp4", {"sound": "aac"}), ("mov", {"codec": "mjpeg", "name": "yuvj422p"}), ("mkv", {"codec": "ffv1"}),
    ("mkv", {"sound": "flac"}), ("avi", {"codec": "mpeg4", "sound": "pcm_s16le"}),
    ("mpg", {"codec": "mpeg2video", "rate": 25}), ("ts", {"codec": "mpeg2video", "rate": 25}),
    ("flv", {"codec": "flv"}), ("wmv", {"codec": "wmv2"}), ("webm", {"codec": "libvpx"}), ("gif", {"name": "gray"}),
    ("mxf", {"codec": "mpeg2video", "rate": 25}), ("ogg", {"codec": "libvpx"}), ("y4m", {"codec": "rawvideo"}),
    ("h264", {}), ("nut", {"codec": "ffv1"}),
)  # fmt: skip
_INDEXES = {"avi": b"idx1", "mkv": b"\x1c\x53\xbb\x6b", "mp4": b"stss", "mov": b"stco", "nut": b"NX"}
"""Bytes that mark the index of a container."""


def damaged() -> Iterator[Film]:
    """Yield truncated films, films without their index, and films with damaged packets."""
    for number, (end, options) in enumerate(_TO_DAMAGE):
        options = {"codec": "gif"} | options if end == "gif" else options
        name = str(options.get("name", "yuv420p"))
        rest = {key: value for key, value in options.items() if key != "name"}
        data = film(end, frames_of(grey(8), name), name, **rest)
        for what, changed in damages(data, end, seed=number):
            yield Film(f"{what}-{options.get('codec', 'libx264')}-{number}.{end}", changed, ANY)


def damages(data: bytes, end: str, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damage one film in several ways; yields a name for each, and the film."""
    random = np.random.default_rng([seed, zlib.crc32(end.encode())])
    for percent in (3, 30, 60, 95):
        yield f"cut-{percent}", data[: len(data) * percent // 100]
    if (place := data.rfind(_INDEXES.get(end, b"?" * 40))) > 0:
        yield "no-index", data[:place] + bytes(4) + data[place + 4 :]
    middle = len(data) // 2
    yield "hole", data[:middle] + bytes(300) + data[middle + 300 :]
    yield "lost", data[:middle] + data[middle + 300 :]
    noisy = np.frombuffer(data, np.uint8).copy()
    places = random.integers(0, len(data), max(4, len(data) // 500))
    noisy[places] ^= random.integers(1, 256, len(places)).astype(np.uint8)
    yield "noise", noisy.tobytes()
    yield "twice", data + data


def corpus() -> list[Film]:
    """All films, the intact ones first."""
    return [*intact(), *damaged()]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for made in corpus():
        (folder / made.name).write_bytes(made.data)
