"""Feeds mutated files to every reader for some minutes, and keeps those that crash, hang or show a traceback.

    python -m tests.fuzz [--minutes 10] [--seed 0] [--keep FOLDER] [jpg png tif webp avif heic mp4 mkv ...]

Files are coloured in worker processes with limits on time and memory; being refused in one line is what is right.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from photochrom.batch.workers import Died, WorkerPool
from tests.corpus.films import ANY, Film
from tests.corpus.make import Entry
from tests.fuzz.mutations import _PHOTOS, TARGETS, Mutant, mutants, seeds
from tests.helpers.fakes import tiny_model


def prepare(model: str) -> Any:
    """Prepare a worker for photographs and films."""
    from tests.corpus import test_corpus, test_films

    photograph, film = test_corpus.prepare(model), test_films.prepare(model)

    def color(mutant: Mutant) -> tuple[str, object]:
        if mutant.name.rpartition(".")[2] in _PHOTOS:
            kind, what = photograph(Entry(mutant.name, mutant.data))
        else:
            kind, what = film(Film(mutant.name, mutant.data, ANY))
        return kind, "" if kind == "coloured" else what

    return color


def is_fault(result: object) -> bool:
    """Return whether the result of a mutated file is a fault of the reader."""
    return isinstance(result, Died) or result[0] not in ("coloured", "refused")  # type: ignore[index]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), metavar="FOLDER")
    args = parser.parse_args()
    streams = [mutants(target, args.seed) for target in args.targets or TARGETS]
    for target in args.targets or TARGETS:
        seeds(target)  # made before the clock runs
    coming = itertools.chain.from_iterable(zip(*streams, strict=True))
    counts: collections.Counter[str] = collections.Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_model(Path(folder) / "tiny.onnx")
        end = time.monotonic() + 60 * args.minutes
        with WorkerPool[Mutant, Any](prepare, (str(model),), args.workers) as pool:
            for mutant, result in pool.map(coming, lambda: time.monotonic() > end):
                counts["died" if isinstance(result, Died) else result[0]] += 1
                if is_fault(result):
                    faults += 1
                    args.keep.mkdir(parents=True, exist_ok=True)
                    (args.keep / mutant.name).write_bytes(mutant.data)
                    print(f"{args.keep / mutant.name}: {result}", file=sys.stderr, flush=True)
    print(f"{counts.total():,} files in {args.minutes:g} minutes, seed {args.seed}: {dict(counts)}")
    return 1 if faults else 0
