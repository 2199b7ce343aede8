"""``prefetched``: computes the items of an iterator ahead of their use, in another thread."""

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
    """Compute the items of an iterator in another thread, ahead of their use.

    An exception raised while computing an item is re-raised where the item would have been returned. At the end of the
    ``with`` block, the thread finishes the item that it is computing, and ends. If a signal handler raises an exception
    during that wait, the exception is re-raised afterwards.

    Args:
        items: The iterator; only the other thread may use it.
        count: Most items that are computed before their use.

    Yields:
        An iterator over the same items, in order.
    """
    # SimpleQueue, because queue.Queue has a lock that stays locked if a signal interrupts the main thread inside it.
    ready: queue.SimpleQueue[tuple[bool, _Item | BaseException | None]] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()  # holds one entry for each item that may be computed
    over = False
    for _ in range(count):
        room.put(None)

    def work() -> None:
        try:
            room.get()
            while not over and (item := next(items, _NO_MORE)) is not _NO_MORE:
                ready.put((True, item))
                room.get()
            ready.put((False, None))
        except BaseException as exc:
            ready.put((False, exc))

    def taken() -> Iterator[_Item]:
        while True:
            is_item, item = ready.get()
            if is_item:
                room.put(None)
                yield item  # type: ignore[misc]  # not an exception or None, since is_item is true
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
    """A thread whose ``wait`` returns only after the work has ended, even if a signal handler raises an exception.

    ``Thread.join`` does not suffice: the exception interrupts it, and Python 3.11 then even considers the thread ended.
    A thread that outlives the main thread aborts the process when it returns from a C++ library.
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
        """Wait for the end of the work, if it was started, then re-raise any exception of a signal handler."""
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
