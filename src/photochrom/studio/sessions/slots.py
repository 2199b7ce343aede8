"""Where a visitor's session is kept between two clicks, and how errors reach the page."""

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
_SECONDS_SHOWN = 20  # how long an error stays on the page
_DAY = 24 * 3600  # seconds


class SessionSlot:
    """Holds the session of one visitor. Sessions are immutable; a lock orders their replacement.

    A browser may send a second click before the first is answered. If both handlers got the same session and returned
    a new one, the later would undo the earlier.

    Args:
        lost: Message for a visitor whose session no longer exists.
        gone: Called with a session that is closed or replaced.
    """

    def __init__(self, lost: str, gone: Callable[[Any], None] = lambda _: None) -> None:
        self.session: Any = None
        self.turn = threading.Lock()
        self._lost, self._gone = lost, gone

    def __deepcopy__(self, memo: dict[int, Any]) -> SessionSlot:
        return SessionSlot(self._lost, self._gone)  # Gradio copies the initial value for each visitor

    def give_up(self) -> None:
        """Close the session, if there is one."""
        if self.session is not None:
            self._gone(self.session)

    @property
    def here(self) -> Any:
        """Current session.

        Raises:
            OptionError: No file was opened, or the session has expired.
        """
        if self.session is None:
            raise OptionError(self._lost)
        return self.session


def new_slot(lost: str, days: int = 1, gone: Callable[[Any], None] = lambda _: None) -> gr.State:
    """Create the component that holds a ``SessionSlot``.

    Args:
        lost: Message for a visitor without a session.
        days: Days without a click after which the session expires; once the page is closed, Gradio waits one hour.
        gone: Called with a session that expires or is replaced.
    """
    return gr.State(SessionSlot(lost, gone), time_to_live=days * _DAY, delete_callback=SessionSlot.give_up)


def opening(state: gr.State, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """Wrap a handler that opens a session, returned under ``state``, or closes it with None."""

    def open_(slot: SessionSlot, *args: Any) -> Updates:
        with slot.turn:
            updates = handler(*args)
            slot.give_up()
            slot.session = updates[state]
        return updates | {state: slot}

    return reporting_errors(open_)


def working(state: gr.State, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """Wrap a handler that takes a session and may replace it with the one returned under ``state``."""

    @functools.wraps(handler)
    def work(slot: SessionSlot, *args: Any) -> Updates:
        with slot.turn:
            updates = handler(slot.here, *args)
            slot.session = updates.get(state, slot.session)
        return updates | {state: slot}

    return reporting_errors(work)


def reading(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a handler that only reads a session. It may take long; other handlers run meanwhile."""

    @functools.wraps(handler)
    def read(slot: SessionSlot, *args: Any, **kwargs: Any) -> Any:
        return handler(slot.here, *args, **kwargs)

    return reporting_errors(read)


def reporting_errors(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a handler or generator so that the page shows Photochrom's errors."""

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
    except OSError as exc:  # its own text would name a folder of the server
        reason = exc.strerror or type(exc).__name__
        raise gr.Error(f"the studio cannot read or write its files ({reason}): tell whoever runs it") from exc
    except PhotochromError as exc:
        raise gr.Error(str(exc), duration=_SECONDS_SHOWN, print_exception=False) from exc.with_traceback(None)
