"""Whether memory, threads and open files stay level over many colourings in one process.

    python benchmarks/steady_memory.py [--pictures 500] [--model default]

Pictures of all aspect ratios alternate. The first three fifths fill caches: OpenVINO keeps the latest kernels that it
compiled for the shapes of thumbnails. What grows afterwards is a leak. Fails where memory has grown by more than 50 MB,
or threads or open files by any.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image

from photochrom import Colorizer
from photochrom.photo import OutputOptions, colorize_photo

FORMATS = ("jpg", "png", "tif", "webp")
ALLOWED = 50.0  # megabytes


def resident() -> float:
    """Megabytes of this process in memory."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def state() -> tuple[float, float, int, int]:
    """Megabytes resident and traced, system threads, and open files."""
    gc.collect()
    tasks, files = (len(list(Path(f"/proc/self/{name}").iterdir())) for name in ("task", "fd"))
    return resident(), tracemalloc.get_traced_memory()[0] / 1e6, tasks, files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--model", default="default")
    args = parser.parse_args()
    colorizer, random = Colorizer(args.model), np.random.default_rng(0)
    options = OutputOptions(overwrite=True, confidence=True, alternatives=1)
    tracemalloc.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = state()
        for number in range(args.pictures):
            height, width = (int(side) for side in random.integers(100, 700, 2))
            source = folder / f"old.{FORMATS[number % len(FORMATS)]}"
            coarse = Image.fromarray(random.integers(40, 210, (9, 12)).astype(np.uint8))
            coarse.resize((width, height), Image.Resampling.BICUBIC).save(source)
            colorize_photo(source, folder / f"new{source.suffix}", colorizer=colorizer, output=options)
            if number == args.pictures * 3 // 5:
                first = state()
            if number % 50 == 49:
                mb, python, tasks, files = state()
                print(
                    f"{number + 1}: {mb:.0f} MB resident, {python:.1f} MB of Python's, {tasks} threads, {files} files"
                )
    last = state()
    grown = last[0] - first[0], last[1] - first[1]
    print(f"grown by {grown[0]:.1f} MB resident and {grown[1]:.2f} MB of Python's; {threading.active_count()} threads")
    return int(max(grown) > ALLOWED or last[2] > first[2] or last[3] > first[3])


if __name__ == "__main__":
    sys.exit(main())
