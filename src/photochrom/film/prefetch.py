"""An iterator that works ahead in a thread of its own, so that prediction and encoding overlap."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

_Item = TypeVar("_Item")


@contextlib.contextmanager
def prefetched(items: Iterator[_Item], count: int) -> Iterator[Iterator[_Item]]:
    """Compute items in another thread, up to ``count`` ahead; the thread ends with the block.

    Exceptions raised while an item is computed are raised where the item is taken. The queues used here, unlike
    ``queue.Queue``, have no lock that could stay locked when a signal interrupts the main thread.
    """
    ready: queue.SimpleQueue[tuple[bool, _Item | BaseException | None]] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()  # holds one entry for each item that may still be computed
    over = False
    for _ in range(count):
        room.put(None)

    def work() -> None:
        try:
            for item in items:
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

    thread = threading.Thread(target=work, name="photochrom-prefetch", daemon=True)
    try:
        thread.start()  # here, too, a signal may come; the thread must not outlive the main one
        yield taken()
    finally:
        over = True
        room.put(None)
        with contextlib.suppress(RuntimeError):  # it has not begun
            thread.join()
