"""A film of 1920x1080 from beginning to end, against the plain transcode of the same film by the same settings.

    python benchmarks/film.py CLIP [CLIP ...] [--repeat N]

The clips are turned grey, enlarged to 1920x1080, joined, and encoded; that film is then coloured by the command line
and transcoded by a loop that decodes and encodes with PyAV, each in a process of its own, in turns.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
from _tools import print_table

_SIZE, _RATE = (1920, 1080), 24
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
import sys
from photochrom.cli import main
assert main(["film", sys.argv[1], "-o", sys.argv[2]]) == 0
"""
_MEMORY = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def grey_film(clips: list[str], path: Path, repeat: int) -> int:
    """Join the clips to one grey film; its number of frames."""
    count = 0
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=_RATE, options=_SETTINGS)
        stream.width, stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, _RATE)
        for clip in clips * repeat:
            with av.open(clip) as source:
                for frame in source.decode(video=0):
                    grey = frame.reformat(*_SIZE, format="gray").reformat(format="yuv420p")
                    grey.pts, grey.time_base, grey.pict_type = count, Fraction(1, _RATE), 0
                    out.mux(stream.encode(grey))
                    count += 1
        out.mux(stream.encode(None))
    return count


def timed(code: str, *arguments: Path) -> tuple[float, float]:
    """Seconds, and peak memory in MB, of a process."""
    started = time.perf_counter()
    command = [sys.executable, "-c", code + _MEMORY, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--repeat", type=int, default=1, help="how often the clips are joined")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source, plain, colored = (Path(folder) / f"{name}.mp4" for name in ("grey", "plain", "color"))
        frames = grey_film(args.clips, source, args.repeat)
        slow, memory = timed(_FILM, source, colored)
        fast, least = timed(_TRANSCODE, source, plain)
        seconds = frames / _RATE
        rows = [
            ("plain transcode", f"{frames / fast:.1f}", f"{fast:.1f} s", "1.00", f"{least:.0f} MB"),
            ("photochrom film", f"{frames / slow:.1f}", f"{slow:.1f} s", f"{slow / fast:.2f}", f"{memory:.0f} MB"),
        ]
        print(f"{frames} frames of {_SIZE[0]}x{_SIZE[1]}, {seconds:.0f} s\n")
        print_table(["", "frames/s", "time", "ratio", "peak memory"], rows)
        print(
            f"\na film of two hours ({7200 * _RATE} frames) at this speed: {7200 * _RATE / frames * slow / 3600:.1f} h"
        )


if __name__ == "__main__":
    main()
