"""The costs of a batch: throughput of workers, overhead per item, listing, resuming, and survival of kills.

    python benchmarks/batch.py [--files 60] [--listed 1000000] [--resumed 100000] [--kills 50] [throughput ...]

Everything is made in a temporary folder and removed. Name parts (throughput, overhead, listing, resume, kills) to run
only these. Ratios come from one run on one machine, whose load is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from _tools import PEAK
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from photochrom.batch import BatchOptions, Item, color_batch
from photochrom.batch.coloring import BatchJob, Colored
from photochrom.batch.listing import list_items
from photochrom.batch.report import Row
from photochrom.models.download import digest
from tests.helpers.fakes import tiny_model

SIZES = ((1200, 900), (1600, 1200), (800, 600), (2000, 1500))
FORMATS = (".jpg", ".png", ".tif")


def processor() -> str:
    """Return the name of the processor, the number of cores, and the load of the last minute."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        name = next(line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line)
    return f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def scans(folder: Path, count: int, sizes: tuple[tuple[int, int], ...] = SIZES) -> Path:
    """Write grey pictures with some structure, of mixed sizes and formats, and return their folder."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        width, height = sizes[number % len(sizes)]
        coarse = Image.fromarray(generator.integers(40, 210, (9, 12)).astype(np.uint8))
        picture = coarse.resize((width, height), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:05}{FORMATS[number % 3]}")
    return folder


TIMED = """
import os, sys, time
from photochrom.batch import BatchOptions, color_batch
if __name__ == "__main__":
    source, target, workers, *cores = sys.argv[1:]
    os.sched_setaffinity(0, [int(core) for core in cores])
    ends = []
    color_batch(source, target, BatchOptions(workers=int(workers)), progress=lambda _, row: ends.append(time.time()))
    print(*ends[1:])  # the first call comes before the work
"""


def throughput(work: Path, args: argparse.Namespace) -> None:
    """Compare two workers on two cores with one worker on one core, and with two independent commands on two cores.

    The two commands show what the machine can give two processes. This is less than twice the rate of one process if
    the cores are threads of one core, lower their clock together, or share the memory's bandwidth. A rate counts the
    time in which all processes colour, without their starts. The three take turns in each round, and the best round of
    each counts.
    """
    source = scans(work / "mixed", args.files)
    driver, cores = work / "timed.py", [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
    driver.write_text(TIMED)

    def rate(name: str, *commands: list[str]) -> float:
        """Return the items per second of batches that run at the same time, each with its workers and cores."""
        running = [
            subprocess.Popen(
                [sys.executable, driver, source, work / f"{name}-{number}", *command], stdout=subprocess.PIPE, text=True
            )
            for number, command in enumerate(commands)
        ]
        ends = [sorted(float(word) for word in process.communicate()[0].split()) for process in running]
        assert all(len(times) == args.files for times in ends)
        begin, end = max(times[0] for times in ends), min(times[-1] for times in ends)
        return sum(begin < time <= end for times in ends for time in times) / (end - begin)

    best = {"1 worker": 0.0, "2 workers": 0.0, "2 commands": 0.0}
    for run in range(args.rounds):
        rates = (
            rate(f"one-{run}", ["1", cores[0]]),
            rate(f"two-{run}", ["2", *cores]),
            rate(f"commands-{run}", ["1", *cores], ["1", *cores]),
        )
        best = {name: max(best[name], now) for name, now in zip(best, rates, strict=True)}
    one, two, machine = best.values()
    rates_text = ", ".join(f"{name} {number:.2f}" for name, number in best.items())
    print(f"throughput: {rates_text} items/s on {args.files} mixed files: 2 workers are {two / (2 * one):.2f} of twice "
          f"one (aim 0.9), where 2 commands are {machine / (2 * one):.2f}; they are {two / machine:.2f} of 2 commands "
          f"(aim 0.95); {processor()}")  # fmt: skip


def instant(job: BatchJob) -> Any:
    """Return a function that replaces the colouring of an item: it takes no time, and returns a row of usual size."""

    def color(item: Item) -> Colored:
        row = Row(
            item.key, "ok", item.source, f"{item.key}.color.jpg", item.size, item.version, "0" * 64, "1" * 64, 4000, 48,
            36, "tiny 0, sha256 " + "2" * 64, job.recorded(item), "0.1.0", 20.0, 0.5, 0.001,
            finished="2026-01-01T00:00:00+00:00",
        )  # fmt: skip
        return Colored(row, b"x" * 4000, b"y" * 4000)

    return color


def overhead(work: Path, args: argparse.Namespace) -> None:
    """Print the time per item that a batch adds to reading, colouring and writing."""
    source = work / "small"
    source.mkdir()
    for number in range(5000):
        (source / f"{number:05}.jpg").touch()
    model = str(tiny_model(work / "tiny.onnx"))
    begun = 0.0

    def progress(summary: Any, row: Row | None) -> None:
        nonlocal begun
        begun = begun if row else time.perf_counter()

    with mock.patch("photochrom.batch.distribute.prepare", instant):
        summary = color_batch(source, work / "out", BatchOptions(model=model, workers=1), progress=progress)
    assert summary.colored == 5000, summary
    print(f"overhead: {1000 * (time.perf_counter() - begun) / 5000:.2f} ms an item (aim 2) with a process's start; "
          f"{processor()}")  # fmt: skip


LISTING = """
import sys, time
from photochrom.batch import BatchOptions
from photochrom.batch.coordinator import listed_items
begun = time.perf_counter()
items, _ = listed_items(sys.argv[1], "", BatchOptions())
print(len(items), time.perf_counter() - begun, 1024 * int(peak()))
"""


def listing(work: Path, args: argparse.Namespace) -> None:
    """List empty files, a thousand per folder, and find clashes, in a separate process; print its time and memory."""
    root = work / "many"
    for number in range(args.listed):
        folder = root / f"{number // 1000:04}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        os.close(os.open(folder / f"scan-{number:07}.tif", os.O_CREAT | os.O_WRONLY))
    done = subprocess.run([sys.executable, "-c", PEAK + LISTING, root], capture_output=True, text=True, check=True)
    count, seconds, memory = (float(word) for word in done.stdout.split())
    print(f"listing: {count:,.0f} files in {seconds:.1f} s (aim 60) with {memory / 1e9:.2f} GB (aim 1); {processor()}")


def resume(work: Path, args: argparse.Namespace) -> None:
    """Start a finished batch again, and print the time; its report and outputs are written here."""
    source, target = work / "finished", work / "finished-out"
    for number in range(args.resumed):
        folder = f"{number // 1000:04}"
        if number % 1000 == 0:
            (source / folder).mkdir(parents=True)
            (target / folder).mkdir(parents=True)
        (source / folder / f"{number:06}.jpg").touch()
        (target / folder / f"{number:06}.color.jpg").write_bytes(b"x")
    model = tiny_model(work / "tiny2.onnx")
    options = BatchOptions(model=str(model), workers=2)
    job = BatchJob(str(target), options)
    label = f"tiny 0, sha256 {digest(model)}"
    with (target / "report.jsonl").open("w") as file:
        for item in list_items(str(source)):
            row = Row(item.key, "ok", item.source, item.key.replace(".jpg", ".color.jpg"), item.size, item.version,
                      "0" * 64, "1" * 64, 1, 48, 36, label, job.recorded(item), "0.1.0", 20.0, 0.5, 0.1)  # fmt: skip
            file.write(row.to_json() + "\n")
    begun = time.perf_counter()
    summary = color_batch(source, target, options)
    assert summary.done_before == args.resumed, summary
    size = (target / "report.jsonl").stat().st_size / args.resumed
    print(f"resume: {args.resumed:,} finished items in {time.perf_counter() - begun:.1f} s (aim 30), "
          f"{size:.0f} bytes a row; {processor()}")  # fmt: skip


DRIVER = """
import sys
from photochrom.batch import BatchOptions, color_batch
if __name__ == "__main__":
    color_batch(sys.argv[1], sys.argv[2], BatchOptions(model=sys.argv[3], device="cpu", workers=2))
"""


def kills(work: Path, args: argparse.Namespace) -> None:
    """Kill a batch of 300 files with its processes at random moments; then let it finish, and check all results."""
    source, target, model = scans(work / "killed", 300, ((48, 36),)), work / "killed-out", tiny_model(work / "t3.onnx")
    driver = work / "driver.py"
    driver.write_text(DRIVER)
    command = [sys.executable, str(driver), str(source), str(target), str(model)]
    chance, killed, finished = random.Random(0), 0, 0
    while killed < args.kills:
        with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0.3, 2.5))
            if ended := process.poll() is not None:
                finished += 1
            else:
                os.killpg(process.pid, signal.SIGKILL)
                killed += 1
        for path in target.glob("*.color.*"):
            Image.open(path).load()
        if ended:
            check_whole(target)
            shutil.rmtree(target)
    subprocess.run(command, check=True)
    check_whole(target)
    print(
        f"kills: {killed}, in {finished + 1} batches; each has 300 outputs, all decodable, one row each; {processor()}"
    )


def check_whole(target: Path) -> None:
    """Check that a finished batch of 300 files has each output and each row once, and no temporary files."""
    outputs = sorted(target.glob("*.color.*"))
    rows = [json.loads(line)["key"] for line in (target / "report.jsonl").read_text().splitlines()]
    assert len(outputs) == len(rows) == len(set(rows)) == 300, (len(outputs), len(rows))
    assert not list(target.glob("*.part")) + list(target.glob(".*.part"))
    for path in outputs:
        Image.open(path).load()


PARTS = {part.__name__: part for part in (throughput, overhead, listing, resume, kills)}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2, help="rounds in which throughput is measured")
    parser.add_argument("--listed", type=int, default=1_000_000)
    parser.add_argument("--resumed", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--folder", help="where the temporary folder goes")
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
            PARTS[name](Path(temporary), arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"most memory of this process: {peak:.2f} GB")
