"""``Visitors``: the studio's visitors, identified by a cookie, and their trays."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import OptionError, StudioError
from .archive import Archive
from .films import Film
from .items import Item

MOST_ITEMS = 500
"""Maximum number of photographs and films per visitor, so that a mistake does not fill the disk."""
MOST_VISITORS = 100
"""Maximum number of visitors at a time."""
_HOUR = 3600.0
_DAY, _WEEK = 24 * _HOUR, 7 * 24 * _HOUR  # seconds without a request after which a visitor's files are removed
_YOUNG = 600.0  # seconds after their last request for which visitors are kept, even if there are too many

AnyItem = Item[Any]


class Visitor:
    """One browser that uses the studio, identified by a secret token, with its tray."""

    def __init__(self, token: str, now: float) -> None:
        self.token, self.last_request = token, now
        self.archive: Archive | None = None
        """Files of all photographs, for download as a ZIP file; None until they are requested."""
        self._items: dict[str, AnyItem] = {}
        self._lock = threading.Lock()
        self._is_closed = False

    def __iter__(self) -> Iterator[AnyItem]:
        with self._lock:
            return iter(sorted(self._items.values(), key=lambda item: item.order))

    def __len__(self) -> int:
        return len(self._items)

    def check_space(self) -> None:
        """Check that the tray is not full.

        Raises:
            OptionError: The tray is full.
        """
        if len(self._items) >= MOST_ITEMS:
            raise OptionError(f"the tray holds {MOST_ITEMS} files", remedy="remove some, or use 'photochrom batch'")

    def add(self, item: AnyItem, order: float = 0) -> None:
        """Put an item on the tray, after the items whose ``order`` is lower.

        If this fails, the item's files are removed.

        Raises:
            LostError: The visitor was removed during the upload.
            OptionError: The tray has become full during the upload.
        """
        item.order = order
        try:
            with self._lock:
                if self._is_closed:
                    raise LostError("the session of this page has ended", remedy="load it again")
                self.check_space()
                self._items[item.id] = item
        except OptionError:
            item.close()
            raise

    def item(self, identity: str) -> AnyItem:
        """Return the item with an id.

        Raises:
            LostError: The visitor has no item with this id.
        """
        with self._lock:
            if identity not in self._items:
                raise LostError("this file is no longer here", remedy="drop it again")
            return self._items[identity]

    def remove(self, identity: str) -> None:
        """Remove the item with an id, and its files.

        Raises:
            LostError: The visitor has no item with this id.
        """
        item = self.item(identity)
        with self._lock:
            self._items.pop(identity, None)
        item.close()

    def close(self) -> None:
        """Remove all items, and all files of the visitor."""
        with self._lock:
            self._is_closed = True
            items = list(self._items.values())
            self._items.clear()
        for item in items:
            item.close()
        if self.archive is not None:
            self.archive.close()

    @property
    def patience(self) -> float:
        """Seconds without a request after which the visitor is removed: a day, or a week if there are films."""
        return _WEEK if any(isinstance(item, Film) for item in self) else _DAY


class LostError(OptionError):
    """A requested item or visitor does not exist any more, or the item belongs to another visitor."""


class CrowdedError(StudioError):
    """All visitors whom the studio can have at a time are active."""


class Visitors:
    """All visitors of the studio.

    Args:
        clock: Function that returns the current time in seconds; tests pass their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._visitors: dict[str, Visitor] = {}

    def find(self, token: str | None) -> Visitor | None:
        """Return the visitor whose cookie holds ``token``, or None, and record the time of the visitor's request."""
        with self._lock:
            visitor = self._visitors.get(token or "")
            if visitor is not None:
                visitor.last_request = self._clock()
            return visitor

    def new(self) -> Visitor:
        """Add a visitor and return it.

        If there are too many, the one who has been inactive for longest is removed, among those with an empty tray if
        there are any.

        Raises:
            CrowdedError: There are too many, no tray is empty, and all of them were active in the last ten minutes.
        """
        with self._lock:
            removed = self._remove_oldest() if len(self._visitors) >= MOST_VISITORS else None
            visitor = Visitor(secrets.token_urlsafe(24), self._clock())
            self._visitors[visitor.token] = visitor
        if removed is not None:
            removed.close()
        return visitor

    def _remove_oldest(self) -> Visitor:
        # Visitors with an empty tray are removed first: most are programs that do not store the cookie.
        oldest = min(self._visitors.values(), key=lambda visitor: (len(visitor) > 0, visitor.last_request))
        if len(oldest) and self._clock() - oldest.last_request < _YOUNG:
            raise CrowdedError("the studio is full", remedy="try again in some minutes")
        return self._visitors.pop(oldest.token)

    def remove_inactive(self) -> None:
        """Remove visitors who have been inactive for too long."""
        with self._lock:
            now = self._clock()
            removed = [v for v in self._visitors.values() if now - v.last_request > v.patience]
            for visitor in removed:
                del self._visitors[visitor.token]
        for visitor in removed:
            visitor.close()

    def close(self) -> None:
        """Remove all visitors and their files."""
        for visitor in list(self._visitors.values()):
            visitor.close()
        self._visitors.clear()
