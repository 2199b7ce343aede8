"""Checks that memory, threads and open files do not grow over many colourings in one process.

    python benchmarks/steady_memory.py [--pictures 500] [--model default] [--plain]

Pictures of all aspect ratios alternate; every fifth has an alternative. The first three fifths fill caches: the engine
keeps the latest kernels that it compiled for the shapes of thumbnails. Growth after that is a leak. Fails if memory has
grown by more than 50 MB, or threads or open files at all.

The script counts the process's own memory, resident or swapped out, without pages of files, which the system keeps or
drops as it likes. Freed memory is given back before each count, as the engine does every twenty predictions. Freed
memory is reused as in ``photo``, ``batch`` and the studio; with ``--plain`` it is not.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from photochrom import Colorizer
from photochrom.machine import give_back_freed_memory, reuse_freed_memory
from photochrom.photo import OutputOptions, colorize_photo

FORMATS = ("jpg", "png", "tif", "webp")
ALLOWED = 50.0  # megabytes


def own_memory() -> float:
    """Return the megabytes of this process's memory that are not backed by files."""
    lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(line[1]) for line in lines if line[0] in ("RssAnon:", "VmSwap:")) * 1024 / 1e6


def state() -> tuple[float, float, int, int]:
    """Return the megabytes of the process and of Python's traced objects, and its numbers of threads and open files."""
    gc.collect()
    give_back_freed_memory()
    tasks, files = (len(list(Path(f"/proc/self/{name}").iterdir())) for name in ("task", "fd"))
    return own_memory(), tracemalloc.get_traced_memory()[0] / 1e6, tasks, files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--model", default="default")
    parser.add_argument("--plain", action="store_true")
    args = parser.parse_args()
    if not args.plain:
        reuse_freed_memory()
    colorizer, random = Colorizer(args.model), np.random.default_rng(0)
    options = OutputOptions(overwrite=True, confidence=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = state()
        for number in range(args.pictures):
            height, width = (int(side) for side in random.integers(100, 700, 2))
            source = folder / f"old.{FORMATS[number % len(FORMATS)]}"
            coarse = Image.fromarray(random.integers(40, 210, (9, 12)).astype(np.uint8))
            coarse.resize((width, height), Image.Resampling.BICUBIC).save(source)
            output = replace(options, alternatives=int(number % 5 == 0))
            colorize_photo(source, folder / f"new{source.suffix}", colorizer=colorizer, output=output)
            if number == args.pictures // 2:
                tracemalloc.start()  # which doubles the time
            if number == args.pictures * 3 // 5:
                first = state()
            if number % 50 == 49:
                mb, python, tasks, files = state()
                print(
                    f"{number + 1}: {mb:.0f} MB, {python:.1f} MB of Python's, {tasks} threads, {files} files",
                    flush=True,
                )
    last = state()
    grown = last[0] - first[0], last[1] - first[1]
    print(f"grown by {grown[0]:.1f} MB and {grown[1]:.2f} MB of Python's; {threading.active_count()} threads")
    return int(max(grown) > ALLOWED or last[2] > first[2] or last[3] > first[3])


if __name__ == "__main__":
    sys.exit(main())
