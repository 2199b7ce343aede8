"""A pool of worker processes in which the death of a process fails only the task that it was doing.

``concurrent.futures`` abandons the whole pool when a process dies, and a damaged file may crash any decoder.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_PATIENCE_S = 5.0  # time for a process to end by itself before it is killed


@dataclass(frozen=True)
class Died:
    """Result of a task whose process died."""

    reason: str
    """How the process ended, as a predicate: "ended with signal 11 (SIGSEGV)"."""


@dataclass
class _Worker(Generic[Task]):
    process: BaseProcess
    pipe: Connection
    task: Task | None = None


class WorkerPool(Generic[Task, Result]):
    """Processes that apply one function to tasks. A context manager.

    Args:
        prepare: Called once in each process; returns the function to apply to tasks. Must be importable.
        arguments: Arguments of ``prepare``.
        count: Number of processes.
    """

    def __init__(
        self, prepare: Callable[..., Callable[[Task], Result]], arguments: tuple[Any, ...], count: int
    ) -> None:
        self._prepare, self._arguments, self._count = prepare, arguments, count
        self._context = multiprocessing.get_context("spawn")  # threads of OpenVINO and OpenCV do not survive a fork
        self._workers: list[_Worker[Task]] = []

    def __enter__(self) -> WorkerPool[Task, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            with suppress(OSError):
                worker.pipe.send(None)
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_PATIENCE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def map(
        self, tasks: Iterable[Task], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[Task, Result | Died]]:
        """Apply the function to all tasks; yields results as they finish.

        Args:
            tasks: Taken one by one, as processes become free.
            stop: Called before each task is assigned; once it returns True, only tasks in progress are finished.

        Raises:
            RuntimeError: ``prepare`` failed; the message is that of the first process.
        """
        coming = iter(tasks)
        while len(self._workers) < self._count:
            self._workers.append(self._started())
        for worker in self._workers:
            self._hand_out(worker, coming, stop)
        while busy := [worker for worker in self._workers if worker.task is not None]:
            ready = wait([worker.pipe for worker in busy])
            for worker in busy:
                if worker.pipe in ready:
                    task, result = self._answer(worker)
                    self._hand_out(worker, coming, stop)
                    yield task, result

    def _started(self) -> _Worker[Task]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._prepare, self._arguments), daemon=True, name="photochrom-worker"
        )
        with _one_blas_thread():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self, worker: _Worker[Task], coming: Iterator[Task], stop: Callable[[], bool]) -> None:
        worker.task = None if stop() else next(coming, None)
        if worker.task is not None:
            with suppress(OSError):  # the process has died, which ``_answer`` reports
                worker.pipe.send(worker.task)

    def _answer(self, worker: _Worker[Task]) -> tuple[Task, Result | Died]:
        task = worker.task
        assert task is not None  # only called for busy workers
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(_PATIENCE_S)
            died = Died(reason_of(worker.process.exitcode))
            worker.pipe.close()
            fresh = self._started()
            worker.process, worker.pipe = fresh.process, fresh.pipe
            return task, died
        if kind == "cannot prepare":
            raise RuntimeError(value)
        return task, value


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit OpenBLAS to one thread in processes started during the block, unless the user has set a limit.

    OpenBLAS reads the variable when NumPy is loaded, before any of this package's code runs. Its threads would wait in
    busy loops on the cores of the other workers.
    """
    if "OPENBLAS_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OPENBLAS_NUM_THREADS"]


def _serve(pipe: Connection, prepare: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    """Serve tasks until None arrives or the pipe is closed."""
    # A terminal sends Ctrl-C to all its processes; the parent decides what happens to tasks in progress.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        function = prepare(*arguments)
    except Exception as exc:
        pipe.recv()
        pipe.send(("cannot prepare", str(exc) or traceback.format_exc()))
        return
    with suppress(EOFError, OSError):
        while (task := pipe.recv()) is not None:
            pipe.send(("done", function(task)))


def reason_of(exit_code: int | None) -> str:
    """Describe how a process ended: ``ended with signal 11 (SIGSEGV)``, ``ended with status 3``."""
    if exit_code is None:
        return "does not answer"
    if exit_code >= 0:
        return f"ended with status {exit_code}"
    with suppress(ValueError):
        return f"ended with signal {-exit_code} ({signal.Signals(-exit_code).name})"
    return f"ended with signal {-exit_code}"
