"""Small films for tests, made with PyAV: frames of any format and time, with sound, subtitles and chapters."""

import functools
import itertools
from fractions import Fraction

import av
import av.filter
import cv2
import numpy as np
from skimage import data

from photochrom.colorizer.colorizer import Colorizer
from tests.helpers.fakes import FakeEngine, card_metadata

RATE = Fraction(24)


@functools.cache
def scene(picture):
    """Return what a function of scikit-image returns, as 300 rows of 400 pixels."""
    return cv2.resize(picture(), (400, 300), interpolation=cv2.INTER_AREA)


def pan(count, width=96, height=64, picture=data.camera, step=1, top=40):
    """Return lumas of a camera that moves over a picture, uint8."""
    wide = scene(picture)
    return [wide[top : top + height, step * i : step * i + width].copy() for i in range(count)]


def other_shot(count, width=96, height=64, step=1):
    """Return lumas of a different place."""
    return pan(count, width, height, data.coins, step)


def still_frame(luma, name="yuv420p", chroma=None):
    """Return a frame with a luma plane and constant chroma planes: the two values of ``chroma``, or neutral if None.

    At more than 8 bits, the lower bits of the luma depend on the place.
    """
    frame = av.VideoFrame(luma.shape[1], luma.shape[0], name)
    deep = frame.format.components[0].bits - 8
    for index, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(plane.height, -1)
        if index == 0 and deep:
            below = np.add.outer(np.arange(luma.shape[0]), np.arange(luma.shape[1])) % (1 << deep)
            rows[:, : plane.width] = (luma.astype(np.uint16) << deep) + below
        elif index == 0:
            rows[:, : plane.width] = luma
        else:
            rows[:] = (128 if chroma is None else chroma[index - 1]) << deep
    return frame


def with_chroma(lumas, chroma):
    """Return frames whose chroma planes are a function of the frame's number and the plane's shape."""
    frames = [still_frame(luma) for luma in lumas]
    for number, frame in enumerate(frames):
        for index in (1, 2):
            found = frame.planes[index]
            rows = np.frombuffer(found, np.uint8).reshape(found.height, -1)
            rows[:, : found.width] = np.clip(chroma(number, index, (found.height, found.width)), 0, 255)
    return frames


def halves(number, index, shape, *, step=6):
    """Return pale colours: Cb differs between the two halves of the picture, whatever the luma is."""
    plane = np.full(shape, 128.0)
    if index == 1:
        plane[:, shape[1] // 2 :] += step
        plane[:, : shape[1] // 2] -= step
    return plane


def documentary(folder):
    """Write a film of three shots of a second each; the second is in colour: yellow on the left, blue on the right."""
    grey, colored = pan(24), other_shot(24)
    frames = [*with_chroma(grey, lambda *_: np.float64(128)), *with_chroma(colored, lambda *p: halves(*p, step=40))]
    return write_frames(
        folder / "documentary.mkv", [*frames, *with_chroma(grey, lambda *_: np.float64(128))], codec="ffv1"
    )


def in_fields(frames, order):
    """Return the frames marked as two fields each; ``tff`` or ``bff`` names the earlier field."""
    graph = av.filter.Graph()
    first = frames[0]
    source = graph.add_buffer(width=first.width, height=first.height, format=first.format.name, time_base=1 / RATE)
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    marked = []
    for frame in frames:
        graph.push(frame)
        marked.append(graph.pull())
    return marked


def plane(frame, index=0):
    """Return a frame's plane as an array."""
    found = frame.planes[index]
    dtype = np.uint8 if frame.format.components[index].bits == 8 else np.uint16
    return np.frombuffer(found, dtype).reshape(found.height, -1)[:, : found.width].copy()


def write_film(path, lumas, *, pts=None, **options):
    """Write a film of luma planes; see ``write_frames``."""
    name = options.get("name", "yuv420p")
    return write_frames(path, [still_frame(luma, name) for luma in lumas], pts=pts, **options)


def write_frames(
    path,
    frames,
    *,
    name="yuv420p",
    codec="libx264",
    rate=RATE,
    time_base=None,
    pts=None,
    full=False,
    tags=None,
    aspect=None,
    options=None,
    rotation=0,
    sound=None,
    hertz=48000,
    titles=None,
    chapters=(),
    metadata=None,
    languages=(),
    video_metadata=None,
    attachment=None,
    container_options=None,
    format=None,
):
    """Write a film of frames.

    Args:
        path: Path of the film.
        frames: Frames of the pixel format ``name``.
        name: FFmpeg's name of the pixel format.
        codec: Codec of the picture.
        rate: Frames per second.
        time_base: Time base of ``pts``; None for one tick per frame.
        pts: Time stamps of the frames; None for 0, 1, 2, ...
        full: Whether the range is full.
        tags: Colour space, primaries and transfer function, as numbers; None for none.
        aspect: Aspect ratio of a pixel; None for none.
        options: Options of the codec.
        rotation: Degrees counter-clockwise by which players turn the picture.
        sound: Codec of a sine as long as the film; None for no sound.
        hertz: Sampling rate of the sound.
        titles: Codec of subtitles; None for none.
        chapters: Start and end in seconds, and title, of each chapter.
        metadata: Metadata of the file.
        languages: Languages of the sound and the subtitles; empty for none.
        video_metadata: Metadata of the picture's track.
        attachment: Name, type and bytes of a file that is attached; None for none.
        container_options: Options of FFmpeg's muxer.
        format: Format of the container; None to recognise it by the name.
    """
    rate, time_base = Fraction(rate), time_base or 1 / Fraction(rate)
    pts = list(range(len(frames))) if pts is None else pts
    end = (pts[-1] + 1) * time_base if pts else Fraction(0)
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as out:
        out.metadata.update(metadata or {})
        settings = {"crf": "8", "preset": "ultrafast"} if codec == "libx264" else {}
        video = out.add_stream(codec, rate=rate, options=settings | (options or {}))
        context = video.codec_context
        first = frames[0] if frames else av.VideoFrame(96, 64, name)
        context.width, context.height, context.pix_fmt = first.width, first.height, name
        context.time_base = video.time_base = time_base
        context.color_range = 2 if full else 1
        if tags:
            context.colorspace, context.color_primaries, context.color_trc = tags
        if aspect:
            context.sample_aspect_ratio = aspect
        if rotation:
            video.set_display_rotation(rotation)
        video.metadata.update(video_metadata or {})
        packets = []
        for frame, time in zip(frames, pts, strict=True):
            frame.pts, frame.time_base = time, time_base
            packets += video.encode(frame)
        packets += video.encode(None) if frames else []
        if sound:
            packets += _sound(out, sound, float(end), languages, hertz)
        if titles:
            packets += _titles(out, titles, languages)
        if attachment:
            out.add_attachment(*attachment)
        out.set_chapters(
            [
                {
                    "id": i,
                    "start": round(a * 1000),
                    "end": round(b * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for i, (a, b, title) in enumerate(chapters)
            ]
        )
        if not packets:
            out.start_encoding()
        for packet in sorted(packets, key=lambda p: (p.dts if p.dts is not None else p.pts) * p.time_base):
            out.mux(packet)
    return path


def _sound(out, codec, seconds, languages, hertz):
    stream = out.add_stream(codec, rate=hertz)
    stream.layout = "mono"
    if languages:
        stream.metadata["language"] = languages[0]
    packets = []
    for start in range(0, max(1, round(seconds * hertz)), 1024):
        wave = np.sin(np.arange(start, start + 1024) / 17) * 9000
        frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = hertz, start, Fraction(1, hertz)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _titles(out, codec, languages):
    stream = out.add_mux_stream(codec)
    stream.time_base = Fraction(1, 1000)
    if languages:
        stream.metadata["language"] = languages[1]
    packets = []
    for number, text in enumerate((b"Who goes there?", b"A friend.")):
        text = len(text).to_bytes(2, "big") + text if codec == "mov_text" else text
        packet = av.Packet(text)
        packet.pts = packet.dts = 100 + 400 * number
        packet.duration, packet.time_base, packet.stream = 300, Fraction(1, 1000), stream
        packets.append(packet)
    return packets


def decoded(path):
    """Return all frames of a film."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def seconds(path):
    """Return the exact time of each frame, in seconds."""
    return [frame.pts * frame.time_base for frame in decoded(path)]


def packets(path, index, *, times=False):
    """Return the bytes of each packet of a track, optionally with its presentation time in seconds."""
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(container.streams[index]) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) if times else bytes(packet) for packet in found]


def all_packets(path):
    """Return everything in a film: track, times, flags and bytes of each packet."""
    with av.open(str(path)) as container:
        return [
            (p.stream_index, p.pts, p.dts, p.duration, p.is_keyframe, bytes(p)) for p in container.demux() if p.size
        ]


def same_lumas(one, other):
    """Return whether two films have the same luma, frame for frame and bit for bit."""
    pairs = list(itertools.zip_longest(decoded(one), decoded(other)))
    return all(a is not None and b is not None and np.array_equal(plane(a), plane(b)) for a, b in pairs)


def colorizer(folder, ab):
    """Return a colorizer without a network.

    Args:
        folder: Folder for the colorizer's model file.
        ab: Function from lightness ``[h, w]``, 0 to 1, at an eighth of the thumbnail's size, to a* and b*, numbers or
            arrays.
    """

    def answer(inputs):
        _, _, height, width = inputs["lightness"].shape
        lightness = cv2.resize(inputs["lightness"][0, 0], (width // 8, height // 8), interpolation=cv2.INTER_AREA)
        planes = np.empty((1, 2, *lightness.shape), np.float32)
        planes[0, 0], planes[0, 1] = ab(lightness)
        return {"ab": planes, "confidence": np.ones_like(planes[:, :1])}

    path = folder / "fake.onnx"
    path.write_bytes(b"fake")
    return Colorizer(path, engine=FakeEngine(answer, card_metadata()))


def heard(path):
    """Return the samples of a film's sound, and the time of the first one."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames]), frames[0].pts * frames[0].time_base
