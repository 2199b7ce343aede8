"""Whose work is kept, and for how long."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from photochrom.studio.gradio_guard.presence import Presence, Sessions
from photochrom.studio.sessions.slots import SessionSlot


class Session:
    """As Gradio's, as far as it matters."""

    def __init__(self, *visits):
        self.is_closed = False
        self.state_data = dict(enumerate(visits))
        self.counted_anew = 0

    def __setitem__(self, number, value):
        assert self.state_data[number] is value
        self.counted_anew += 1


def at_work(gone):
    visit = SessionSlot("", gone)
    visit.session = SimpleNamespace()
    return visit


def test_who_did_nothing_is_pushed_out_first():
    gone = []
    works = at_work(gone.append)
    sessions = Sessions(a=Session(SessionSlot(""), works), b=Session(SessionSlot("")), c=Session(), d=Session())
    assert [sessions.popitem(last=False)[0] for _ in range(2)] == ["b", "c"]
    assert gone == []
    assert sessions.popitem(last=False)[0] == "a"  # of two, the newest is the one that has come
    assert gone == [works.session]
    assert list(sessions) == ["d"]


def test_the_longest_unused_goes_if_all_work():
    gone = []
    sessions = Sessions((name, Session(at_work(gone.append))) for name in "abc")
    sessions.move_to_end("a")
    assert sessions.popitem(last=False)[0] == "b"
    assert len(gone) == 1


HEARTBEAT = {"path": "/gradio_api/heartbeat/me", "query_string": b""}
ANSWERS = {"path": "/gradio_api/queue/data", "query_string": b"session_hash=me"}


class Connections:
    """Connections to a studio where one session is known, each open until it is ended."""

    def __init__(self):
        self.session = Session(SessionSlot(""))
        self._ends = {}

        async def app(scope, receive, send):
            await self._ends[scope["number"]].wait()
            if scope["path"] == HEARTBEAT["path"]:
                self.session.is_closed = True  # as Gradio does

        self._presence = Presence(app, Sessions(me=self.session))
        self._tasks = {}

    async def open(self, number, scope):
        self._ends[number] = asyncio.Event()
        self._tasks[number] = asyncio.create_task(self._presence(scope | {"number": number}, None, None))
        await asyncio.sleep(0)
        return self.session.is_closed

    async def end(self, number):
        self._ends[number].set()
        await self._tasks[number]
        return self.session.is_closed


@pytest.mark.parametrize(
    ("steps", "closed"),
    [
        ("+h -h", "01"),
        ("+h -h +H", "010"),
        ("+h +H -h -H", "0001"),  # the old connection is missed later than the new one is there
        ("+h +a -a -h", "0001"),
        ("+h -h +a -a", "0101"),
        ("+h +a -h +A -a -A", "000001"),
        ("+a -a", "00"),  # of a program, that has no page
    ],
)
def test_a_session_is_closed_when_its_page_has_no_connection(steps, closed):
    async def go():
        connections = Connections()
        found = []
        for what, number in steps.split():
            scope = HEARTBEAT if number in "hH" else ANSWERS
            found.append(await (connections.open(number, scope) if what == "+" else connections.end(number)))
        return found, connections.session.counted_anew

    found, counted_anew = asyncio.run(go())
    assert found == [mark == "1" for mark in closed]
    assert counted_anew == steps.count("-")
