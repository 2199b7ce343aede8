"""Where one visitor's session lies between clicks, and how errors reach the page."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ...errors import OptionError, PhotochromError

Updates = dict[Any, Any]
_SECONDS_SHOWN = 20  # an error, if it is not clicked away
_DAY = 24 * 3600  # seconds


class SessionSlot:
    """One visitor's session. Sessions never change; what takes turns is putting another in its place.

    A browser sends a second click before the first is answered. Were the session handed to each of them, and what they
    make of it handed back, the later one would undo the earlier.

    Args:
        lost: what to say where there is no session any more.
        gone: called with a session that is given up: for another, or for none.
    """

    def __init__(self, lost: str, gone: Callable[[Any], None] = lambda _: None) -> None:
        self.session: Any = None
        self.turn = threading.Lock()
        self._lost, self._gone = lost, gone

    def __deepcopy__(self, memo: dict[int, Any]) -> SessionSlot:
        return SessionSlot(self._lost, self._gone)  # Gradio copies the first one for each visitor

    def give_up(self) -> None:
        """The session, if there is one, has come to its end."""
        if self.session is not None:
            self._gone(self.session)

    @property
    def here(self) -> Any:
        """The session.

        Raises:
            OptionError: there is none: nothing was opened, or it was forgotten.
        """
        if self.session is None:
            raise OptionError(self._lost)
        return self.session


def new_slot(lost: str, days: int = 1, gone: Callable[[Any], None] = lambda _: None) -> gr.State:
    """The component that holds a ``SessionSlot``.

    Args:
        lost: what to say where there is no session.
        days: without a click, after which it is forgotten; where the page was closed, Gradio does so after an hour.
        gone: called with the session when it is forgotten, or another takes its place.
    """
    return gr.State(SessionSlot(lost, gone), time_to_live=days * _DAY, delete_callback=SessionSlot.give_up)


def opening(state: gr.State, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """A handler that begins a session, returned under ``state``, or ends it, as one of visits."""

    def open_(slot: SessionSlot, *args: Any) -> Updates:
        with slot.turn:
            updates = handler(*args)
            slot.give_up()
            slot.session = updates[state]
        return updates | {state: slot}

    return reporting_errors(open_)


def working(state: gr.State, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """A handler of sessions as one of visits, whose session is from now on the one returned under ``state``."""

    @functools.wraps(handler)
    def work(slot: SessionSlot, *args: Any) -> Updates:
        with slot.turn:
            updates = handler(slot.here, *args)
            slot.session = updates.get(state, slot.session)
        return updates | {state: slot}

    return reporting_errors(work)


def reading(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler of sessions as one of visits: it only looks, however long, and others may go on meanwhile."""

    @functools.wraps(handler)
    def read(slot: SessionSlot, *args: Any, **kwargs: Any) -> Any:
        return handler(slot.here, *args, **kwargs)

    return reporting_errors(read)


def reporting_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler, or a generator, whose errors of Photochrom the page shows, in their one line."""

    @functools.wraps(handler)
    def telling(*args: Any, **kwargs: Any) -> Any:
        with _telling():
            return handler(*args, **kwargs)

    @functools.wraps(handler)
    def telling_all_along(*args: Any, **kwargs: Any) -> Any:
        with _telling():
            yield from handler(*args, **kwargs)

    return telling_all_along if inspect.isgeneratorfunction(handler) else telling


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except OSError as exc:  # its own words would name a folder of the server
        reason = exc.strerror or type(exc).__name__
        raise gr.Error(f"the studio cannot read or write its files ({reason}): tell whoever runs it") from exc
    except PhotochromError as exc:
        raise gr.Error(str(exc), duration=_SECONDS_SHOWN, print_exception=False) from exc.with_traceback(None)
