"""An iterator that works ahead in a thread of its own, so that looking at frames and encoding them overlap."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


@contextmanager
def prefetched(items: Iterator[_Item], count: int) -> Iterator[Iterator[_Item]]:
    """The same items, computed in another thread, which gets up to ``count`` ahead; it ends with the block.

    What the items' own code raises is raised where they are taken. A signal may interrupt the taking at any place:
    these queues, unlike ``queue.Queue``, have no lock that could then stay locked.
    """
    ready: queue.SimpleQueue[tuple[bool, _Item | BaseException | None]] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()  # holds as many as there are places for items
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
                yield item  # type: ignore[misc]  # an item, by the flag
            elif isinstance(item, BaseException):
                raise item
            else:
                return

    thread = threading.Thread(target=work, name="photochrom-look", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        over = True
        room.put(None)
        thread.join()
