"""An iterator that computes items ahead in another thread, so that stages of the work overlap."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

_Item = TypeVar("_Item")

_NO_MORE: Final[Any] = object()


@contextlib.contextmanager
def prefetched(items: Iterator[_Item], count: int) -> Iterator[Iterator[_Item]]:
    """Compute items in another thread, at most ``count`` ahead; the thread ends with the block.

    Exceptions raised while computing an item are re-raised when it is taken. Exceptions that signals raise while the
    block waits for the thread to end are re-raised afterwards. Unlike ``queue.Queue``, the queues used here have no
    lock that could stay locked when a signal interrupts the main thread.
    """
    ready: queue.SimpleQueue[tuple[bool, _Item | BaseException | None]] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()  # holds one entry for each item that may still be computed
    over = False
    for _ in range(count):
        room.put(None)

    def work() -> None:
        try:
            while not over and (item := next(items, _NO_MORE)) is not _NO_MORE:
                room.get()
                if over:
                    return
                ready.put((True, item))
            ready.put((False, None))
        except BaseException as exc:
            ready.put((False, exc))

    def taken() -> Iterator[_Item]:
        while True:
            is_item, item = ready.get()
            if is_item:
                room.put(None)
                yield item  # type: ignore[misc]  # the flag says that it is an item
            elif isinstance(item, BaseException):
                raise item
            else:
                return

    worker = _Worker(work)
    try:
        worker.start()  # inside the try, since a signal may arrive here
        yield taken()
    finally:
        over = True
        room.put(None)
        worker.wait()


class _Worker(threading.Thread):
    """A thread that can be waited for even if signal handlers raise exceptions meanwhile.

    Such an exception interrupts ``Thread.join``, and Python 3.11 then even considers the thread ended. A thread that
    outlives the main thread aborts the process when it returns from a C++ library.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__(name="photochrom-prefetch", daemon=True)
        self._work, self._is_done = work, False
        self._done: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self) -> None:
        try:
            self._work()
        finally:
            self._is_done = True
            self._done.put(None)

    def wait(self) -> None:
        """Wait until the work is done, if it was started; re-raise an exception of a signal handler afterwards."""
        interruption: BaseException | None = None
        while self.ident is not None and not self._is_done:
            try:
                self._done.get()
            except BaseException as exc:
                interruption = exc
        if self._is_done:
            self.join()
        if interruption is not None:
            raise interruption
