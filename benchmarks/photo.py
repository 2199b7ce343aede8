"""The whole path from decoding to the written file: time against Pillow's codec alone, peak memory, cold start.

    python benchmarks/photo.py

The plain codec is Pillow decoding the same file to grey and encoding a colour file of that format, size and quality.
Runs of both take turns, so that other work on the machine slows both down. Memory is the peak of a separate process
that colours one photograph with the command line.
"""

import argparse
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the commands do, before NumPy is imported

import cv2
import numpy as np
from _tools import PEAK, Stages, print_processor, print_table
from PIL import Image
from skimage import data

from photochrom import Colorizer, ColorOptions, colorize_file
from photochrom.color.bands import limit_threads
from photochrom.colorizer.options import DEFAULT_QUALITY
from photochrom.machine import reuse_freed_memory

_MEASURED = """
import sys
from photochrom.commands.main import main
print(main(sys.argv[1:]), peak())
"""
_COLD = """
import time, sys
t0 = time.perf_counter()
import photochrom.colorizer.colorizer, photochrom.photo.job, photochrom.photo.write
t1 = time.perf_counter()
from photochrom import Colorizer, colorize_file
from photochrom.colorizer.options import DEFAULT_QUALITY
colorizer = Colorizer()
t2 = time.perf_counter()
colorize_file(sys.argv[1], colorizer=colorizer, overwrite=True)
print(t1 - t0, t2 - t1, time.perf_counter() - t2)
"""


_STAGES = {
    "read the file": "photo.read:_bytes_of",
    "find the scan": "photo.formats.jpeg:_as_coded",
    "decode": "photo.formats.jpeg:decode_jpeg",
    "read: the rest": "photo.job:read_photo",
    "margins and thumbnail": "colorizer.colorizer:Colorizer.predict",
    "network": "models.engines:OpenVinoEngine.run",
    "cells that decide together": "colorizer.network:coherent",
    "is it a negative": "photo.coloring:looks_negative",
    "upsample to the thumbnail": "colorizer.colorizer:to_thumbnail",
    "a*b* to Cb and Cr": "colorizer.colorizer:ab_to_cbcr",
    "luma around each sample": "color.luma_range:estimated_luma_range",
    "chroma at full size": "color.upsample:_chroma",
    "rounding and gamut": "color.upsample:_quantized",
    "encode chroma": "photo.formats.splice:_coded_chroma",
    "splice": "photo.formats.jpeg:splice",
    "metadata": "photo.write:metadata_for",
    "write": "photo.job:write_output",
    "fsync": "atomic:os.fsync",
    "report": "photo.coloring:report_on",
}
_DETAILS = (1.0, 1.5, 2.0)
_COLUMNS = ("Photochrom", "plain codec", "ratio", "processor time", "plain codec", "ratio")
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": DEFAULT_QUALITY},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"quality": DEFAULT_QUALITY},
}


def photograph(path: Path, megapixels: float) -> None:
    """Write a grey photograph: a real picture, enlarged, with a little grain, so that it takes as long as a scan."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    grey = cv2.resize(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), (height * 4 // 3, height))
    rng = np.random.default_rng(0)
    for rows in np.array_split(np.arange(height), 20):
        grain = rng.normal(0, 4, (len(rows), grey.shape[1]))
        grey[rows] = np.clip(grey[rows] + grain, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(path, **_OPTIONS.get(_format(path), {}))


def _format(path: Path) -> str:
    return next(format for format, suffix in _SUFFIXES.items() if suffix == path.suffix)


def plain_codec(path: Path, colored: Image.Image) -> None:
    """Do the least that any program must do: decode ``path`` to grey, and encode ``colored``."""
    with Image.open(path) as image:
        image.convert("L").load()
    colored.save(io.BytesIO(), _format(path), **_OPTIONS.get(_format(path), {}))


def peak_megabytes(path: Path, detail: float) -> str:
    """Return the peak resident memory of a process that colours ``path``, such as ``310 MB``."""
    options = ["photo", str(path), "--detail", str(detail), "--overwrite", "--quiet"]
    command = [sys.executable, "-c", PEAK + _MEASURED, *options]
    status, kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert status == "0"
    return f"{int(kilobytes) / 1024:.0f} MB"


class Times(NamedTuple):
    """Least elapsed time and least processor time of several runs, in seconds."""

    elapsed: float
    processor: float

    @classmethod
    def of(cls, runs: list[tuple[float, float]]) -> "Times":
        return cls(*(min(times) for times in zip(*runs, strict=True)))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Call a function, and return its elapsed time and its processor time, in seconds."""
    started, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - spent


def in_turns(path: Path, colorizer: Colorizer, runs: int, detail: float = 1.0) -> tuple[Times, Times]:
    """Run Photochrom and the plain codec in turns, and return the times of both."""
    options = ColorOptions(detail=detail)
    target = colorize_file(path, None, options, colorizer=colorizer, overwrite=True)
    with Image.open(target) as colored:
        colored.load()
    ours, plain = [], []
    for _ in range(runs):
        ours.append(timed(lambda: colorize_file(path, None, options, colorizer=colorizer, overwrite=True)))
        plain.append(timed(lambda: plain_codec(path, colored)))
    return Times.of(ours), Times.of(plain)


def row(name: str, ours: Times, plain: Times) -> list[str]:
    """Return a row of the table: the name, both elapsed times and their ratio, then the same for processor time."""
    pairs = zip(ours, plain, strict=True)
    return [name, *(text for a, b in pairs for text in (f"{a:.3f} s", f"{b:.3f} s", f"{a / b:.2f}"))]


def whole_path(folder: Path, sizes: list[float]) -> None:
    colorizer = Colorizer()
    rows = []
    for megapixels in sizes:
        path = folder / f"{megapixels:g}.jpg"
        photograph(path, megapixels)
        for detail in _DETAILS:
            times = row(
                f"{megapixels:g} MP, {detail:g}", *in_turns(path, colorizer, 15 if megapixels < 50 else 5, detail)
            )
            rows.append([*times, peak_megabytes(path, detail)])
    print_table(["JPEG to JPEG, detail", *_COLUMNS, "peak memory"], rows)


def stages(path: Path, runs: int = 10) -> None:
    """Print how long each stage takes, on average; stages that run in several threads count once for each."""
    colorizer = Colorizer()
    colorize_file(path, colorizer=colorizer, overwrite=True)
    measured = Stages(_STAGES)
    started, spent = time.perf_counter(), time.process_time()
    with measured.measured():
        for _ in range(runs):
            colorize_file(path, colorizer=colorizer, overwrite=True)
    whole = [1000 * (time.perf_counter() - started), 1000 * (time.process_time() - spent)]
    rows = [[name, f"{measured.wall[name] / runs:.1f} ms", f"{measured.core[name] / runs:.1f} ms"] for name in _STAGES]
    rows.append(["all", *(f"{milliseconds / runs:.1f} ms" for milliseconds in whole)])
    print_table([f"{path.name}, stage", "elapsed", "processor"], rows)


def other_formats(folder: Path, megapixels: float) -> None:
    colorizer, rows = Colorizer(), []
    for format in ("PNG", "TIFF", "WEBP"):
        path = folder / f"other{_SUFFIXES[format]}"
        photograph(path, megapixels)
        rows.append(row(format, *in_turns(path, colorizer, 3)))
    print_table([f"{megapixels:g} MP", *_COLUMNS], rows)


def cold_start(path: Path) -> None:
    """Print the time of a process from its start to the finished file, and the processor time of the command."""
    # Modules are compiled, as installers leave them, whatever this environment says.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(path.parent / "compiled")}
    runs, spent = [], []
    for _ in range(6):
        start = time.perf_counter()
        command = [sys.executable, "-c", _COLD, str(path)]
        parts = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        runs.append([time.perf_counter() - start, *map(float, parts.split())])
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "photochrom", "photo", str(path), "--overwrite", "--quiet"]
        subprocess.run(command, check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    header = ["1 MP, cold start to finished file", "of which import", "model loading", "the photograph"]
    row = [f"{seconds:.2f} s" for seconds in (*min(runs), min(spent))]
    print_table([*header, "processor time of the command"], [row])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 12, 100], help="megapixels")
    parser.add_argument("--threads", type=int, help="threads of this process: 1 as in a batch (default: one per core)")
    parser.add_argument("--no-other", action="store_true", help="leave out PNG, TIFF and WebP")
    args = parser.parse_args()
    print_processor()
    reuse_freed_memory()  # as the commands do
    if args.threads:
        limit_threads(args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole_path(folder, args.sizes)
        for megapixels in args.sizes:
            print()
            stages(folder / f"{megapixels:g}.jpg")
        if not args.no_other:
            print()
            other_formats(folder, min(12, max(args.sizes)))
        print()
        cold_start(folder / f"{min(args.sizes):g}.jpg")


if __name__ == "__main__":
    main()
