"""Feeds mutated files to every reader for some minutes, and keeps those that crash, hang or show a traceback.

    python -m tests.fuzz [--minutes 10] [--seed 0] [--keep FOLDER] [jpg png tif webp avif heic mp4 mkv ...]

Files are read, and some of them coloured, in worker processes with limits on time and memory; being refused in one line
is what is right.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import sys
import time
from pathlib import Path
from typing import Any

from photochrom.batch.workers import Died, WorkerPool
from tests.fuzz.mutations import TARGETS, Key, mutant, save_seeds
from tests.fuzz.readers import memory_folder, prepare
from tests.helpers.fakes import tiny_model

_RIGHT = ("read", "coloured", "refused")


def is_fault(result: object) -> bool:
    """Return whether the result of a mutated file is a fault of the reader."""
    return isinstance(result, Died) or result[0] not in _RIGHT  # type: ignore[index]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), metavar="FOLDER")
    args = parser.parse_args()
    targets = args.targets or TARGETS
    coming = (Key(target, args.seed, number) for number in itertools.count() for target in targets)
    counts: collections.Counter[str] = collections.Counter()
    faults = 0
    with memory_folder() as folder:
        model, seeds = tiny_model(Path(folder) / "tiny.onnx"), Path(folder) / "seeds"
        save_seeds(seeds, targets)
        end = time.monotonic() + 60 * args.minutes
        with WorkerPool[Key, Any](prepare, (str(model), folder, str(seeds)), args.workers) as pool:
            for key, result in pool.map(coming, lambda: time.monotonic() > end):
                counts["died" if isinstance(result, Died) else result[0]] += 1
                if is_fault(result):
                    faults += 1
                    args.keep.mkdir(parents=True, exist_ok=True)
                    (args.keep / key.name).write_bytes(mutant(key).data)
                    print(f"{args.keep / key.name}: {result}", file=sys.stderr, flush=True)
    times = os.times()
    spent = times.user + times.system + times.children_user + times.children_system
    print(f"{counts.total():,} files in {args.minutes:g} minutes, seed {args.seed}: {dict(counts)}")
    print(f"{counts.total() / spent:.0f} files per second of processor time, of which {spent:.0f} were spent")
    return 1 if faults else 0
