"""Colours a folder of foreign pictures, such as the test suites of image libraries, and classifies the results.

    python benchmarks/crawl.py FOLDER REPORT [--workers 2] [--seconds 10] [--megabytes 1500]

Each file is coloured in a worker process with limits on time and memory. REPORT receives ``report.jsonl`` with a row
for each file, and sheets of source beside result: first those whose luma differs from what another decoder (vips) makes
of the file, then the others. Crashes, tracebacks, hangs and pictures that differ from their source are faults; refusals
are not.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from photochrom.batch.workers import Died, WorkerPool

SIDE = 200  # side of a picture on a sheet, in pixels
_WALL = 12  # limit of elapsed time, in multiples of processor time
UNLIKE = 6.0  # mean difference of luma, 8-bit steps, from which a result is unlike its source


def prepare(seconds: int, megabytes: int, model: str) -> Callable[[str], dict[str, Any]]:
    """Prepare a worker, and return a function that colours one file and reports on it."""
    from photochrom import Colorizer, PhotochromError
    from photochrom.photo import colorize_photo
    from photochrom.photo.names import EXTENSIONS

    written = {extension for extensions in EXTENSIONS.values() for extension in extensions}
    colorizer, folder = Colorizer(model, "cpu"), Path(tempfile.mkdtemp())

    def color(path: str) -> dict[str, Any]:
        output = folder / f"out{Path(path).suffix.lower()}"
        if output.suffix not in written:
            output = output.with_suffix(".tif")  # the content may be of a kind that is read
        output.unlink(missing_ok=True)
        # Either limit ends the process, and its death is the file's result. Other programs lengthen the elapsed time.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.alarm(_WALL * seconds)
        forget_peak()
        begun = time.perf_counter()
        try:
            report = colorize_photo(path, output, colorizer=colorizer)
        except PhotochromError as exc:
            kind = "refused" if "\n" not in str(exc) else "bad message"
            return {"kind": kind, "text": str(exc).removeprefix(path)}
        except BaseException as exc:
            return {"kind": "traceback", "text": f"{type(exc).__name__}: {exc}"}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
        facts = {"seconds": round(time.perf_counter() - begun, 2), "megabytes": round(peak_megabytes())}
        kind = "too much memory" if facts["megabytes"] > megabytes else "coloured"
        difference, pair = compared(Path(path), output)
        return {"kind": kind, "text": "; ".join(report.warnings), "difference": difference, "pair": pair, **facts}

    return color


def forget_peak() -> None:
    """Reset the peak of this process's memory, on Linux, so that earlier files do not count."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


def compared(source: Path, output: Path) -> tuple[float | None, bytes]:
    """Return the mean difference of luma between source and output, and both pictures side by side as a JPEG."""
    pictures = [small(path) for path in (source, output)]
    sheet = Image.new("RGB", (2 * SIDE, SIDE), "white")
    for number, picture in enumerate(pictures):
        if picture is not None:
            sheet.paste(picture, (number * SIDE, 0))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=85)
    before, after = pictures
    if before is None or after is None:
        return None, stream.getvalue()
    if before.size != after.size:
        return 255.0, stream.getvalue()
    difference = np.asarray(before.convert("L"), float) - np.asarray(after.convert("L"), float)
    return round(float(np.abs(difference).mean()), 2), stream.getvalue()


def small(path: Path) -> Image.Image | None:
    """Return a file upright and small, decoded by vips, which shares no code with Photochrom; None if it fails."""
    with tempfile.NamedTemporaryFile(suffix=".png") as target:
        command = ["vipsthumbnail", str(path), "--size", str(SIDE), "-o", f"{target.name}[strip]", "--rotate"]
        done = subprocess.run(command, capture_output=True, timeout=60)
        if done.returncode:
            return None
        with Image.open(target.name) as image:
            return image.convert("RGB")


def sheets(rows: list[dict[str, Any]], folder: Path, name: str, count: int = 60) -> None:
    """Write pages of source beside result, each with the name of its file below."""
    pages = iter(rows)
    for page in range(len(rows) // count + 1):
        part = list(islice(pages, count))
        columns, height = 4, SIDE + 14
        sheet = Image.new("RGB", (columns * (2 * SIDE + 8), -(-max(1, len(part)) // columns) * height), "white")
        draw = ImageDraw.Draw(sheet)
        for number, row in enumerate(part):
            corner = number % columns * (2 * SIDE + 8), number // columns * height
            sheet.paste(Image.open(io.BytesIO(row["pair"])), corner)
            draw.text((corner[0], corner[1] + SIDE), f"{row['difference']} {row['file'][-58:]}", fill="black")
        if part:
            sheet.save(folder / f"{name}-{page:02}.png")


def crawled(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Colour all files of the folder, and yield the row of each."""
    files = sorted(str(path) for path in args.folder.rglob("*") if path.is_file())
    with WorkerPool(prepare, (args.seconds, args.megabytes, args.model), args.workers) as pool:
        for path, result in pool.map(files):
            facts = {"kind": "died", "text": result.reason} if isinstance(result, Died) else result
            yield {"file": str(Path(path).relative_to(args.folder)), **facts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=10, help="processor time that one file may take")
    parser.add_argument("--megabytes", type=int, default=1500, help="memory that one process may take")
    parser.add_argument("--model", default="default")
    args = parser.parse_args()
    if shutil.which("vipsthumbnail") is None:
        parser.error("this needs vipsthumbnail (Debian: libvips-tools)")
    args.report.mkdir(parents=True, exist_ok=True)
    rows = []
    with (args.report / "report.jsonl").open("w") as file:
        for row in crawled(args):
            rows.append(row)
            file.write(json.dumps({key: value for key, value in row.items() if key != "pair"}) + "\n")
            file.flush()
    coloured = [row for row in rows if "pair" in row]
    coloured.sort(key=lambda row: -(255.0 if row["difference"] is None else row["difference"]))
    unlike = [row for row in coloured if row["difference"] is None or row["difference"] > UNLIKE]
    sheets(unlike, args.report, "unlike")
    sheets(coloured[len(unlike) :], args.report, "alike")
    print(dict(collections.Counter(row["kind"] for row in rows)), f"{len(unlike)} of the coloured ones to be looked at")


if __name__ == "__main__":
    main()
