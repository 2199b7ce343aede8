"""Colouring a sequence of 2K scans (DPX, 2048 x 1556, 10 bits), against only reading and writing the files.

    python benchmarks/sequences.py [--frames N] [--runs N]

The frames are a pan over a photograph, with grain. Each run colours them by ``colorize_film``, and also reads and
writes them twice without colouring: one after the other, as the program ffmpeg does, and with FFmpeg's coder in as many
threads as there are cores. Each is a separate process, in turns. The coloured frames must have exactly the luma of
their sources.
"""

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from _tools import PEAK, print_table
from skimage import data

_WIDTH, _HEIGHT = 2048, 1556
_PLAIN = """
import av, os, sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
def copy(path):
    frame = av.CodecContext.create("dpx", "r").decode(av.Packet(path.read_bytes()))[0]
    coder = av.CodecContext.create("dpx", "w")
    coder.width, coder.height, coder.pix_fmt = frame.width, frame.height, "gbrp10be"
    coder.time_base, frame.pts = Fraction(1, 24), 0
    (packet,) = coder.encode(frame.reformat(format="gbrp10be"))
    with open(Path(sys.argv[2]) / path.name, "wb") as file:
        file.write(bytes(packet))
        os.fsync(file.fileno())
Path(sys.argv[2]).mkdir()
with ThreadPoolExecutor(int(sys.argv[3])) as pool:
    list(pool.map(copy, sorted(Path(sys.argv[1]).iterdir())))
"""
_COLORED = """
import sys
from photochrom import colorize_film
colorize_film(sys.argv[1], sys.argv[2])
"""
_MEMORY = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(peak(), used.ru_utime + used.ru_stime)
"""


def write_scans(folder: Path, count: int) -> None:
    """Write grey RGB scans, big-endian, as film scanners do."""
    rng = np.random.default_rng(1)
    grain = rng.normal(0, 6, (_HEIGHT + 64, _WIDTH + 64)).astype(np.float32)
    wide = cv2.resize(data.camera(), (_WIDTH + count, _WIDTH + count), interpolation=cv2.INTER_CUBIC)
    coder = av.CodecContext.create("dpx", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = _WIDTH, _HEIGHT, "gbrp10be", Fraction(1, 24)
    for number in range(count):
        top, left = rng.integers(0, 64, 2)
        luma = wide[100 : 100 + _HEIGHT, number : number + _WIDTH] * np.float32(3.6) + 60
        luma = np.clip(luma + grain[top : top + _HEIGHT, left : left + _WIDTH], 0, 1023).astype(">u2")
        frame = av.VideoFrame(_WIDTH, _HEIGHT, "gbrp10be")
        for plane in frame.planes:
            plane.update(np.pad(luma, ((0, 0), (0, plane.line_size // 2 - _WIDTH))).tobytes())
        frame.pts = number
        (packet,) = coder.encode(frame)
        (folder / f"scan.{number:07}.dpx").write_bytes(bytes(packet))


def green_and_luma(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame's green, and its luma by BT.601."""
    content = path.read_bytes()
    words = np.frombuffer(content, ">u4", _WIDTH * _HEIGHT, struct.unpack_from(">I", content, 4)[0])
    red, green, blue = (words >> shift & 1023 for shift in (22, 12, 2))
    return green, np.rint(0.299 * red + 0.587 * green + 0.114 * blue)


def timed(code: str, source: Path, target: Path, *arguments: str) -> tuple[float, float, float]:
    """Run Python code in a separate process; return its elapsed seconds, peak memory in MB, and processor seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-c", PEAK + code + _MEMORY, str(source), str(target), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    memory, cores = map(float, done.stdout.split()[-2:])
    return seconds, memory / 1024, cores


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--runs", type=int, default=2)
    args = parser.parse_args()
    rows, ratios = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "scans"
        source.mkdir()
        write_scans(source, args.frames)
        for run in range(args.runs):
            single, plain, colored = (folder / f"{name}{run}" for name in ("single", "plain", "color"))
            slowly, _, _ = timed(_PLAIN, source, single, "1")
            shutil.rmtree(single)
            fast, _, light = timed(_PLAIN, source, plain, str(os.cpu_count()))
            shutil.rmtree(plain)
            slow, memory, heavy = timed(_COLORED, source, colored)
            ratios.append(slowly / slow)
            speeds = [f"{args.frames / seconds:.1f}" for seconds in (slowly, fast, slow)]
            shares = [f"{slowly / slow:.2f}", f"{fast / slow:.2f}", f"{light / heavy:.2f}"]
            rows.append((str(run + 1), *speeds, *shares, f"{memory:.0f} MB"))
            if not all(
                np.array_equal(green_and_luma(colored / f.name)[1], green_and_luma(f)[0]) for f in source.iterdir()
            ):
                sys.exit("the luma has changed")
            shutil.rmtree(colored)
    print(f"{args.frames} frames of {_WIDTH}x{_HEIGHT}, 10 bits\n")
    header = ["run", "one by one, frames/s", "in threads, frames/s", "coloured, frames/s"]
    print_table([*header, "ratio to one by one", "to threads", "of core time", "peak memory"], rows)
    print(f"\nratio to one by one: {min(ratios):.2f} to {max(ratios):.2f}; every luma is that of the source")


if __name__ == "__main__":
    main()
