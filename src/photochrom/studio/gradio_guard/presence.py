"""Who is there: how long Gradio keeps a visitor's work, and whose goes first where there are too many.

Gradio takes a page for closed once its heartbeat has ended, for good, and counts from the last click; but a connection
may break while the page stays. And every call of a program is a visitor to it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs

from gradio.state_holder import SessionState
from starlette.types import ASGIApp, Receive, Scope, Send

from ..sessions.slots import SessionSlot

_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/(\w+)/?")
_ANSWERS = re.compile(r"/gradio_api/queue/data/?")


class Sessions(OrderedDict[str, SessionState]):
    """Gradio's sessions by name, the longest unused first. One of them is pushed out where a new one has no room."""

    def popitem(self, last: bool = True) -> tuple[str, SessionState]:
        """Without work, as of a program's call, if there is such a one, but not the newest; else the first."""
        *old, _ = self
        name = next((name for name in old if not any(_work(self[name]))), old[0])
        session = self.pop(name)
        for slot in _work(session):
            slot.give_up()
        return name, session


def _work(session: SessionState) -> Iterator[SessionSlot]:
    held = list(session.state_data.values())  # other threads put more there
    return (slot for slot in held if isinstance(slot, SessionSlot) and slot.session is not None)


@dataclass
class _Page:
    """A session that has connections."""

    count: int = 0
    closed: bool = False
    """Whether its heartbeat has ended, so that nothing but these connections says that somebody is there."""


class Presence:
    """Stands before Gradio, and sees which sessions have a connection: of a heartbeat, or one that waits for answers.

    Args:
        app: Gradio.
        sessions: its sessions.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions
        self._pages: dict[str, _Page] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As an application of ASGI."""
        path = scope.get("path", "")
        if heartbeat := _HEARTBEAT.fullmatch(path):
            with self._connected(heartbeat[1], by_heartbeat=True):
                await self._app(scope, receive, send)
        elif _ANSWERS.fullmatch(path):
            (name, *_) = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])
            with self._connected(name, by_heartbeat=False):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    @contextmanager
    def _connected(self, name: str, *, by_heartbeat: bool) -> Iterator[None]:
        session = self._sessions.get(name)
        page = self._pages.setdefault(name, _Page(closed=session is not None and session.is_closed))
        page.count += 1
        page.closed = page.closed and not by_heartbeat
        if session is not None:
            session.is_closed = False
        try:
            yield
        finally:
            page.count -= 1
            page.closed = page.closed or by_heartbeat
            session = self._sessions.get(name)
            if session is not None:
                session.is_closed = page.closed and page.count == 0
                _count_anew(session)
            if page.count == 0:
                del self._pages[name]


def _count_anew(session: SessionState) -> None:
    """The time for which the session is kept: from now on, not from the last click."""
    for number, value in list(session.state_data.items()):
        session[number] = value
