"""Decides how long Gradio keeps a visitor's session, and whose is dropped first when there are too many.

Gradio considers a page closed for good once its heartbeat ends, and counts from the last click. But a connection may
break while the page stays open. Gradio also creates a session for every call by a program.
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
    """Gradio's sessions by name, least recently used first. Gradio pops one when a new session needs room."""

    def popitem(self, last: bool = True) -> tuple[str, SessionState]:
        """Remove the first session that holds no work, such as a program's, except the newest; else the first."""
        *old, _ = self
        name = next((name for name in old if not any(_work(self[name]))), old[0])
        session = self.pop(name)
        for slot in _work(session):
            slot.give_up()
        return name, session


def _work(session: SessionState) -> Iterator[SessionSlot]:
    held = list(session.state_data.values())  # a copy, since other threads add to it
    return (slot for slot in held if isinstance(slot, SessionSlot) and slot.session is not None)


@dataclass
class _Page:
    """Connections of one session."""

    count: int = 0
    closed: bool = False
    """Whether the heartbeat has ended; only the remaining connections then show that the visitor is present."""


class Presence:
    """Middleware that tracks which sessions have a heartbeat or a connection that waits for results.

    Args:
        app: The Gradio application.
        sessions: Its sessions.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions
        self._pages: dict[str, _Page] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI)."""
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
    """Restart the session's expiry time now. Setting a value does so in Gradio."""
    for number, value in list(session.state_data.items()):
        session[number] = value
