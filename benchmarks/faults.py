"""Kills the commands at random moments, by SIGTERM and kill -9, and checks what is on the disk each time.

    python benchmarks/faults.py [--moments 50] [--seed 0] [photo film batch train ...]

Each verb colours (or trains on) small made pictures in a temporary folder, is killed again and again at random moments,
and finally runs to its end. After every kill, each output must be complete or absent; SIGTERM must leave no temporary
files; those left by kill -9 must be gone after the last run. The result must be complete; a film must equal that of an
undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.helpers.crash_points import temporary_files
from tests.helpers.fakes import tiny_model
from tests.helpers.films import all_packets, other_shot, pan, write_film

PHOTOCHROM = (sys.executable, "-m", "photochrom")
PATIENCE_S = 120  # seconds in which a command must end after SIGTERM


@dataclass
class Verb:
    """One command, and the checks of its folder after each end."""

    command: list[str]
    folder: Path
    """Folder that the command writes to."""
    is_begun: Callable[[], bool]
    """Returns whether the command has begun its work; a kill before that would only end imports."""
    check: Callable[[], None]
    """Raises an error unless all files in the folder are complete."""
    check_end: Callable[[], None]
    """Raises an error unless the folder contains everything that the finished command writes."""
    anew: Callable[[], None] = lambda: None
    """Removes outputs after the command has finished, so that there is work again."""


def photo(work: Path) -> Verb:
    """Prepare ``photochrom photo`` with fifty photographs of three formats."""
    box, out = work / "box", work / "out"
    pictures(box, 50, (120, 90))
    command = ["photo", str(box), "-o", str(out), "--model", str(tiny_model(work / "tiny.onnx")), "--confidence"]

    def check() -> None:
        for path in out.glob("[!.]*.*"):
            with Image.open(path) as image:
                image.load()

    def check_end() -> None:
        found = sorted(path.name for path in out.iterdir())
        assert len(found) == 100, found

    def anew() -> None:
        for path in out.iterdir():
            path.unlink()

    return Verb(command, out, lambda: out.is_dir() and any(out.iterdir()), check, check_end, anew)


def pictures(folder: Path, count: int, size: tuple[int, int], *, colors: bool = False) -> None:
    """Make pictures with some structure, of three formats in turn."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(count):
        shape = (8, 10, 3) if colors else (8, 10)
        coarse = Image.fromarray(generator.integers(30, 220, shape).astype(np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:03}.{('jpg', 'png', 'tif')[number % 3]}")


def film(work: Path) -> Verb:
    """Prepare ``photochrom film`` with a film of many short shots, at four frames a second.

    At this rate, a segment is finished every few seconds of work.
    """
    source, output = work / "a.mp4", work / "out" / "a.mp4"
    output.parent.mkdir()
    shots = [other_shot(22) if i % 2 else pan(22) for i in range(12)]
    write_film(source, [luma for shot in shots for luma in shot], rate=4, sound="aac")
    model = str(tiny_model(work / "tiny.onnx"))
    command = ["film", str(source), "-o", str(output), "--model", model, "--preset", "ultrafast"]
    whole = work / "whole.mp4"
    subprocess.run([*PHOTOCHROM, *command[:3], str(whole), *command[4:]], check=True, capture_output=True)
    unfinished = output.with_name(output.name + ".photochrom")

    def check() -> None:
        names = {path.name for path in output.parent.iterdir()} - set(temporary_files(output.parent))
        assert names <= {output.name, unfinished.name}, names
        if output.exists():
            assert all_packets(output) == all_packets(whole)
        for record in unfinished.glob("[0-9]*.json"):
            json.loads(record.read_text())
            with av.open(str(record.with_suffix(".nut"))) as segment:
                assert sum(1 for _ in segment.decode(video=0)) > 0

    def check_end() -> None:
        assert all_packets(output) == all_packets(whole)
        assert [path.name for path in output.parent.iterdir()] == [output.name]

    def anew() -> None:
        output.unlink(missing_ok=True)

    return Verb(command, output.parent, unfinished.is_dir, check, check_end, anew)


def batch(work: Path) -> Verb:
    """Prepare ``photochrom batch`` with a hundred photographs and two workers."""
    box, out = work / "box", work / "out"
    pictures(box, 100, (90, 60))
    model = str(tiny_model(work / "tiny.onnx"))
    command = ["batch", str(box), "-o", str(out), "--model", model, "--workers", "2"]

    def check() -> None:
        for path in out.glob("*.color.*"):
            with Image.open(path) as image:
                image.load()

    def check_end() -> None:
        rows = [json.loads(line)["key"] for line in (out / "report.jsonl").read_text().splitlines()]
        assert len(rows) == len(set(rows)) == len(list(out.glob("*.color.*"))) == 100, len(rows)

    def anew() -> None:
        for path in out.glob("*.*"):
            path.unlink()

    return Verb(command, out, (out / "report.jsonl").exists, check, check_end, anew)


def train(work: Path) -> Verb:
    """Prepare ``photochrom train`` with few photographs and a checkpoint after each epoch; the run is resumed."""
    from safetensors import safe_open

    box, out = work / "box", work / "run"
    pictures(box, 24, (96, 96), colors=True)
    command = ["train", str(box), "-o", str(out), "--size", "64", "--epochs", "4", "--minutes", "0.02", "--resume"]

    def check() -> None:
        for path in out.glob("[!.]*.safetensors"):
            with safe_open(path, "numpy") as file:
                assert all(file.get_tensor(name) is not None for name in file.keys())  # noqa: SIM118
        for path in out.rglob("[!.]*.png"):
            with Image.open(path) as image:
                image.load()

    def check_end() -> None:
        assert (out / "model.onnx").is_file(), list(out.iterdir())

    def anew() -> None:
        shutil.rmtree(out)

    return Verb(command, out, out.is_dir, check, check_end, anew)


VERBS = {verb.__name__: verb for verb in (photo, film, batch, train)}


def ended(verb: Verb, number: signal.Signals, chance: random.Random, length: float) -> tuple[bool, float]:
    """Run a verb, kill it at a random moment, and check its folder.

    Args:
        verb: The verb.
        number: The signal that kills the process.
        chance: Source of the random moment.
        length: Seconds after the beginning of the work within which the process is killed.

    Returns:
        Whether the process was still running at that moment, and the seconds of its work.
    """
    begun, before = time.monotonic(), set(temporary_files(verb.folder))  # left by an earlier kill -9
    with subprocess.Popen([*PHOTOCHROM, *verb.command], start_new_session=True, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        while not verb.is_begun() and process.poll() is None:
            time.sleep(0.01)
        work = time.monotonic()
        time.sleep(chance.uniform(0, length))
        was_running = process.poll() is None
        if was_running:
            (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in said, said
    verb.check()
    if number == signal.SIGTERM and was_running:
        left = set(temporary_files(verb.folder)) - before
        assert not left, left
    print(f"  {number.name} after {time.monotonic() - begun:.1f} s, {was_running=}", flush=True)
    return was_running, time.monotonic() - work


def tried(name: str, moments: int, seed: int) -> None:
    """Kill one verb at random moments, then let it finish."""
    chance, count = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as folder:
        verb = VERBS[name](Path(folder))
        length = 1.0  # seconds of work, found out by the runs that come to their end
        for moment in range(moments):
            number = signal.SIGKILL if moment % 2 else signal.SIGTERM
            was_running, seconds = ended(verb, number, chance, length)
            count += was_running
            if was_running:
                length = min(length * 1.3, 10)
            else:
                length = max(0.2, seconds * 0.9)
                verb.anew()
        subprocess.run([*PHOTOCHROM, *verb.command], check=name != "film", capture_output=True)
        verb.check()
        verb.check_end()
        assert not temporary_files(verb.folder), temporary_files(verb.folder)
    print(f"{name}: ended {count} times at {moments} moments; all whole, nothing left, all done in the end", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verbs", nargs="*", help=", ".join(VERBS))
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in args.verbs or VERBS:
        tried(name, args.moments, args.seed)


if __name__ == "__main__":
    main()
