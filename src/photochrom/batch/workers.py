"""A pool of worker processes; if a process dies, only its current task fails.

A damaged file may crash the decoder, and with it the process; ``concurrent.futures`` would then abandon all tasks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

NAME: Final = "photochrom-worker"  # of the processes

_PATIENCE_S = 5.0  # time for a process to end by itself before it is killed


@dataclass(frozen=True)
class Died:
    """Result of a task whose process died."""

    reason: str
    """How the process ended, such as "ended with signal 11 (SIGSEGV)"; see ``reason_of``."""


@dataclass
class _Worker(Generic[Task]):
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    is_ready: bool = False
    """Whether ``prepare`` has returned in the process."""


class WorkerPool(Generic[Task, Result]):
    """Context manager with processes that apply a function to tasks; the processes end with the block.

    Args:
        prepare: Importable function, called once in each process, that returns the function to apply to tasks.
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
        """Apply the function to all tasks, and yield each task with its result as it finishes.

        The result is ``Died`` if the function crashes its process or raises an exception, which also ends the process.

        Args:
            tasks: The tasks; the next one is requested when a process becomes free.
            stop: Called before each task is assigned; once it returns True, only tasks in progress are finished.

        Raises:
            RuntimeError: ``prepare`` failed in a process, and the message is that of its error; or a process died
                during ``prepare``.
        """
        remaining = iter(tasks)
        while len(self._workers) < self._count:
            self._workers.append(self._start())
        for worker in self._workers:
            self._assign(worker, remaining, stop)
        while busy := [worker for worker in self._workers if worker.task is not None]:
            ready = wait([worker.pipe for worker in busy])
            for worker in busy:
                if worker.pipe in ready and (answered := self._receive(worker)):
                    self._assign(worker, remaining, stop)
                    yield answered

    def _start(self) -> _Worker[Task]:
        """Start a process."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._prepare, self._arguments), daemon=True, name=NAME
        )
        with _one_blas_thread(), _without_interrupts():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _assign(self, worker: _Worker[Task], remaining: Iterator[Task], stop: Callable[[], bool]) -> None:
        """Send a worker its next task, if there is one and ``stop`` returns False."""
        worker.task = None if stop() else next(remaining, None)
        if worker.task is not None:
            with suppress(OSError):  # the process has died, which ``_receive`` notices
                worker.pipe.send(worker.task)

    def _receive(self, worker: _Worker[Task]) -> tuple[Task, Result | Died] | None:
        """Return a worker's task and its result, or None if it is only ready now.

        If the process has died, another one is started in its place.

        Raises:
            RuntimeError: ``prepare`` failed in the process, or the process died before it returned.
        """
        task = worker.task
        assert task is not None  # only called for busy workers
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(_PATIENCE_S)
            reason = reason_of(worker.process.exitcode)
            if not worker.is_ready:
                remedy = "use fewer workers, or run photochrom doctor"
                raise RuntimeError(f"a worker process {reason} before its first task: {remedy}") from None
            worker.pipe.close()
            successor = self._start()
            worker.process, worker.pipe, worker.is_ready = successor.process, successor.pipe, False
            return task, Died(reason)
        if kind == "cannot prepare":
            raise RuntimeError(value)
        if kind == "ready":
            worker.is_ready = True
            return None
        return task, value


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit OpenBLAS to one thread in processes started during the block, unless the user has set a limit."""
    # More threads would wait in busy loops on the cores of the other workers. OpenBLAS reads the limit from the
    # environment when NumPy is imported, so it must be set before a process starts.
    if "OPENBLAS_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        os.environ.pop("OPENBLAS_NUM_THREADS", None)  # another thread's pool may have removed it


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Block Ctrl+C in processes started during the block, and delay it in the parent; does nothing on Windows."""
    # A terminal sends Ctrl+C to all its processes, but the parent decides whether tasks in progress are finished.
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # otherwise it would start within the block, and then unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, prepare: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    """Apply the prepared function to tasks from a pipe until None arrives or the pipe is closed.

    If ``prepare`` fails, its error is the answer to the first task, and the function returns.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        function = prepare(*arguments)
    except Exception as exc:
        with suppress(EOFError, OSError):  # the parent has ended the pool, because of another worker's error
            pipe.recv()
            pipe.send(("cannot prepare", str(exc) or traceback.format_exc()))
        return
    with suppress(EOFError, OSError):
        pipe.send(("ready", None))
        while (task := pipe.recv()) is not None:
            pipe.send(("done", function(task)))


def reason_of(exit_code: int | None) -> str:
    """Return how a process ended, given its exit code: "ended with signal 11 (SIGSEGV)", "ended with status 3"."""
    if exit_code is None:
        return "does not answer"
    if exit_code >= 0:
        return f"ended with status {exit_code}"
    with suppress(ValueError):
        return f"ended with signal {-exit_code} ({signal.Signals(-exit_code).name})"
    return f"ended with signal {-exit_code}"
