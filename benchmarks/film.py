"""A film of 1920x1080 from beginning to end, against the plain transcodes of the coloured film and of the grey one.

    python benchmarks/film.py CLIP [CLIP ...] [--minutes N]

The clips are turned grey, enlarged to 1920x1080, joined, encoded, repeated, and given a sound track. That film is
coloured by ``colorize_film``, and both films are transcoded with PyAV, each in a separate process, in turns. Encoding
colour costs more than encoding grey, so the cost of colouring is the ratio to the transcode of the coloured film. The
coloured film must have the frames, times and sound of the grey one. Last, each stage is measured: its elapsed and
processor time per frame, summed over the threads that call it, without those of x264 and the decoder.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from _tools import PEAK, Stages, print_processor, print_table

from photochrom import Colorizer
from photochrom.film import colorize_film

_SIZE, _RATE, _HERTZ = (1920, 1080), 24, 48000
_SETTINGS = {"crf": "18", "preset": "veryfast"}
_TRANSCODE = """
import av, sys
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w") as out:
    video = source.streams.video[0]
    video.thread_type = "AUTO"
    stream = out.add_stream("libx264", rate=video.average_rate, options={"crf": "18", "preset": "veryfast"})
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
    for frame in source.decode(video):
        frame.pict_type = 0
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
"""
_FILM = """
import os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the command line does
from photochrom import colorize_film
from photochrom.color.bands import limit_threads
from photochrom.machine import LARGEST_REUSED_IN_FILMS, available_cores, reuse_freed_memory
def note(progress):
    if progress.done == max(1, progress.total // 10):
        print(peak())
reuse_freed_memory(LARGEST_REUSED_IN_FILMS)
if available_cores() <= 4:
    limit_threads(1)
colorize_film(sys.argv[1], sys.argv[2], progress=note)
"""
_STAGES = {
    "format and thumbnail": "film.frames:FrameColorizer.prepare",
    "find shots": "film.shots.detection:_distance",
    "optical flow": "film.optical_flow:backward_flow",
    "warp": "film.optical_flow:warp",
    "trust in the flow": "film.propagation:flow_confidence",
    "network": "colorizer.colorizer:Colorizer.predict",
    "upsample keys": "colorizer.colorizer:Colorizer.ab",
    "render: the rest": "film.frames:FrameColorizer.render",
    "new frame": "film.frames:FrameColorizer._uncolored",
    "a*b* to Cb and Cr": "colorizer.colorizer:quick_ab_to_cbcr",
    "coefficients": "colorizer.colorizer:linear_coefficients",
    "range of luma": "color.luma_range:Sampling.luma_range",
    "chroma at full size": "color.upsample:_chroma",
    "rounding and gamut": "color.upsample:_quantized",
    "encode": "film.output.segments:SegmentEncoder.write",
}
_END = "\nimport time; print(peak(), time.process_time())"


def grey_film(clips: list[str], path: Path, minutes: float) -> int:
    """Join the clips to one grey film, repeated to the given minutes, and return its number of frames."""
    count = 0
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("libx264", rate=_RATE, options=_SETTINGS), out.add_stream("aac", rate=_HERTZ)
        video.width, video.height = _SIZE
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, _RATE)
        once = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in _encoded(clips, video)]
        while count == 0 or count < minutes * 60 * _RATE:
            for data, pts, dts, is_key in once:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = video, Fraction(1, _RATE), is_key
                packet.pts, packet.dts, packet.duration = pts + count, dts + count, 1
                out.mux(packet)
            out.mux(list(_sound(audio, count, len(once))))
            count += len(once)
        out.mux(audio.encode(None))
    return count


def _encoded(clips: list[str], stream: av.VideoStream) -> Iterator[av.Packet]:
    count = 0
    for clip in clips:
        with av.open(clip) as source:
            for frame in source.decode(video=0):
                grey = frame.reformat(*_SIZE, format="gray").reformat(format="yuv420p")
                grey.pts, grey.time_base, grey.pict_type = count, Fraction(1, _RATE), 0
                yield from stream.encode(grey)
                count += 1
    yield from stream.encode(None)


def _sound(stream: av.AudioStream, first: int, count: int) -> Iterator[av.Packet]:
    """Yield packets of noise that swells and fades, for ``count`` frames of the film from frame ``first`` on."""
    rng = np.random.default_rng(first)
    for number in range(first, first + count):
        noise = rng.normal(0, 0.1 + 0.1 * np.sin(number / 50), (1, _HERTZ // _RATE))
        frame = av.AudioFrame.from_ndarray(noise.astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _HERTZ, number * (_HERTZ // _RATE)
        frame.time_base = Fraction(1, _HERTZ)
        yield from stream.encode(frame)


def tracks(path: Path) -> tuple[list[Fraction], list[tuple[Fraction, bytes]]]:
    """Return the times of a film's frames in ascending order, and the time and content of each of its sound packets.

    Nothing is decoded.
    """
    with av.open(str(path)) as film:
        packets = [packet for packet in film.demux() if packet.size]
        frames = sorted(p.pts * p.time_base for p in packets if p.stream.type == "video")
        return frames, [(p.pts * p.time_base, bytes(p)) for p in packets if p.stream.type == "audio"]


class Run(NamedTuple):
    """Time and memory of a process."""

    seconds: float
    """Elapsed seconds."""
    processor: float
    """Seconds of processor time."""
    peaks: list[float]
    """Peak memory in MB, each time that the process prints it; last at its end."""


def timed(code: str, *arguments: Path) -> Run:
    """Run Python code in a separate process, and return its time and memory."""
    started = time.perf_counter()
    command = [sys.executable, "-c", PEAK + code + _END, *map(str, arguments)]
    *told, processor = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return Run(time.perf_counter() - started, float(processor), [int(kilobytes) / 1024 for kilobytes in told])


def compare(source: Path, frames: int) -> None:
    """Colour the film, transcode both films, check the result, and print times and memory."""
    plain, colored = (source.with_name(f"{name}.mp4") for name in ("plain", "color"))
    slow = timed(_FILM, source, colored)
    runs = {
        "transcode of the coloured film": timed(_TRANSCODE, colored, plain),
        "transcode of the grey film": timed(_TRANSCODE, source, plain),
        "photochrom film": slow,
    }
    rows = [
        [
            name,
            f"{frames / run.seconds:.1f}",
            f"{run.seconds:.1f} s",
            f"{slow.seconds / run.seconds:.2f}",
            f"{run.processor:.1f} s",
            f"{slow.processor / run.processor:.2f}",
            f"{run.peaks[-1]:.0f} MB",
        ]
        for name, run in runs.items()
    ]
    print(f"{frames} frames of {_SIZE[0]}x{_SIZE[1]}, {frames / _RATE / 60:.1f} minutes\n")
    takes = "photochrom takes"
    print_table(["", "frames/s", "time", takes, "processor time", takes, "peak memory"], rows)
    times, sound = tracks(colored)
    print(f"\npeak memory after a tenth of the film: {slow.peaks[0]:.0f} MB")
    print(f"frames: {len(times)}; time stamps and {len(sound)} packets of sound as in the source:", end=" ")
    print((times, sound) == tracks(source) and len(times) == frames)
    hours = 7200 * _RATE / frames * slow.seconds / 3600
    print(f"a film of two hours ({7200 * _RATE} frames) at this speed: {hours:.1f} h")


def stages(source: Path, frames: int) -> None:
    """Print the time of each stage per frame; colours the film once more, in this process."""
    colorizer, measured = Colorizer(), Stages(_STAGES)
    started, spent = time.perf_counter(), time.process_time()
    with measured.measured():
        colorize_film(source, source.with_name("stages.mp4"), colorizer=colorizer)
    rows = [[name, f"{measured.wall[name] / frames:.2f}", f"{measured.core[name] / frames:.2f}"] for name in _STAGES]
    whole = 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - spent)
    rows.append(["all, with the codec", *(f"{milliseconds / frames:.2f}" for milliseconds in whole)])
    print_table(["stage, per frame", "elapsed, ms", "processor, ms"], rows)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--minutes", type=float, default=0, help="repeat the joined clips until the film is so long")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "grey.mp4"
        frames = grey_film(args.clips, source, args.minutes)
        print_processor()
        compare(source, frames)
        print()
        stages(source, frames)


if __name__ == "__main__":
    main()
