"""Shared by the benchmarks: the best of several runs, the time of each stage, the processor's name, and tables."""

import functools
import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from photochrom.commands.doctor import processor_features
from photochrom.machine import available_cores, processor_name

# Code for a separate process: a function that returns the peak memory of the process in KiB, as text. It does not use
# ru_maxrss, which a new process inherits from the one that starts it.
PEAK = """
def peak():
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return line.split()[1]
"""


def best_seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Return the least time of several runs, in seconds: the one that other work on the machine disturbs least."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |")


def print_processor() -> None:
    """Print the processor's name, its instruction sets and the number of cores, as a line."""
    print(f"{processor_name()}, {available_cores()} cores, {' '.join(processor_features())}\n")


class Stages:
    """Measures functions in milliseconds, wherever a program calls them.

    Args:
        functions: Functions by the names to print: ``module:name`` or ``module:Class.method``. The time of a function
            does not include that of other listed functions that it calls.
    """

    def __init__(self, functions: Mapping[str, str]) -> None:
        self.functions = functions
        self.wall = dict.fromkeys(functions, 0.0)
        """Elapsed milliseconds of each function, over all calls."""
        self.core = dict.fromkeys(functions, 0.0)
        """Milliseconds of processor time of each function in the threads that called it, over all calls."""
        self._inner = threading.local()
        self._lock = threading.Lock()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the functions within the block."""
        originals = []
        for name, place in self.functions.items():
            module, _, path = place.partition(":")
            owner, attribute = importlib.import_module(f"photochrom.{module}"), path
            if "." in path:
                kind, attribute = path.split(".")
                owner = getattr(owner, kind)
            function = getattr(owner, attribute)
            originals.append((owner, attribute, function))
            setattr(owner, attribute, self._timed(name, function))
        try:
            yield
        finally:
            for owner, attribute, function in originals:
                setattr(owner, attribute, function)

    def _timed(self, name: str, function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def timed(*args: object, **options: object) -> object:
            outer = getattr(self._inner, "spent", (0.0, 0.0))
            self._inner.spent = (0.0, 0.0)
            started = time.perf_counter(), time.thread_time()
            try:
                return function(*args, **options)
            finally:
                took = time.perf_counter() - started[0], time.thread_time() - started[1]
                inner = self._inner.spent
                with self._lock:
                    self.wall[name] += 1000 * (took[0] - inner[0])
                    self.core[name] += 1000 * (took[1] - inner[1])
                self._inner.spent = outer[0] + took[0], outer[1] + took[1]

        return timed
