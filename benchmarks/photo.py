"""Whole path, decode to written file: time against Pillow's own codec work, peak memory, cold start.

    python benchmarks/photo.py

The plain codec is Pillow decoding the same JPEG to grey and encoding a colour JPEG of the same size and quality.
Memory is the peak of a process of its own that colours one photograph with the command line.
"""

import io
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from _tools import best_seconds, print_table
from PIL import Image
from skimage import data

from photochrom import Colorizer, colorize_file
from photochrom.colorizer.options import DEFAULT_QUALITY

_MEASURED = (
    "import resource, sys; from photochrom.commands.main import main; status = main(sys.argv[1:]); "
    "print(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)
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


def photograph(path: Path, megapixels: float) -> None:
    """A grey JPEG of a real picture, enlarged, with a little grain so that it costs what a scan costs."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    grey = cv2.resize(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY), (height * 4 // 3, height))
    rng = np.random.default_rng(0)
    for rows in np.array_split(np.arange(height), 20):
        grain = rng.normal(0, 4, (len(rows), grey.shape[1]))
        grey[rows] = np.clip(grey[rows] + grain, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(path, quality=DEFAULT_QUALITY)


def plain_codec(path: Path, colored: Image.Image) -> None:
    """What any program must do: decode to grey, encode colour."""
    Image.open(path).convert("L").load()
    colored.save(io.BytesIO(), "JPEG", quality=DEFAULT_QUALITY)


def peak_megabytes(path: Path) -> str:
    """Peak resident memory of a process that colours ``path``."""
    command = [sys.executable, "-c", _MEASURED, "photo", str(path), "--overwrite"]
    status, kilobytes = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split()
    )
    assert status == "0"
    return f"{int(kilobytes) / 1024:.0f} MB"


def whole_path(folder: Path) -> None:
    colorizer = Colorizer()
    rows = []
    for megapixels in (1, 12, 100):
        path = folder / f"{megapixels}.jpg"
        photograph(path, megapixels)
        target = colorize_file(path, colorizer=colorizer)
        colored = Image.open(target)
        colored.load()
        runs = 5 if megapixels < 50 else 2
        ours = best_seconds(lambda p=path: colorize_file(p, colorizer=colorizer, overwrite=True), runs)
        plain = best_seconds(lambda p=path, c=colored: plain_codec(p, c), runs)
        del colored
        rows.append(
            [f"{megapixels} MP", f"{ours:.3f} s", f"{plain:.3f} s", f"{ours / plain:.2f}", peak_megabytes(path)]
        )
    print_table(["JPEG to JPEG", "Photochrom", "plain codec", "ratio", "peak memory"], rows)


def cold_start(path: Path) -> None:
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        parts = subprocess.run([sys.executable, "-c", _COLD, path], capture_output=True, text=True, check=True).stdout
        runs.append([time.perf_counter() - start, *map(float, parts.split())])
    print_table(
        ["1 MP, cold start to finished file", "of which import", "model loading", "the photograph"],
        [[f"{seconds:.2f} s" for seconds in min(runs)]],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        whole_path(Path(name))
        print()
        cold_start(Path(name) / "1.jpg")
