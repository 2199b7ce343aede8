"""Shared by the benchmarks: the best of several runs, and tables."""

import time
from collections.abc import Callable, Sequence


def best_seconds(work: Callable[[], object], runs: int = 5) -> float:
    """The least time of several runs, seconds: what the machine can do when nothing else disturbs it."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As Markdown."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")
