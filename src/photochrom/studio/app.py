"""Starts the studio and ends it, with all that it wrote."""

from __future__ import annotations

import gc
import logging
import re
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ..colorizer.colorizer import Colorizer
from ..colorizer.reference import References
from ..errors import OptionError, StudioError
from .gradio_guard.mount import mounted_page
from .gradio_guard.requests import Guard, is_local
from .state import AppState, Disk

_SECONDS_TO_END = 2  # for answers that are under way
_SWEEP_SECONDS = 60  # how often old files are looked for among those shown
_OLD_SECONDS = 3600  # and how old they are then


@dataclass(frozen=True)
class Settings:
    """Where the studio is to be found, and what it takes.

    Raises:
        OptionError: a number is out of its range, or a name is none.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    max_megapixels: float = 200
    max_upload_mb: float = 200
    """Of one file; MB are 10^6 bytes."""
    max_disk_mb: float = 4000
    """Of all visitors' files together, those that they sent and those that were made for them."""
    names: tuple[str, ...] = ()
    """Of the studio where others reach it through a proxy."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port is {self.port}: give a number from 0 (any that is free) to 65535")
        for name in ("max_megapixels", "max_upload_mb", "max_disk_mb"):
            if not 0 < (value := getattr(self, name)) < 1e6:
                raise OptionError(f"{name.replace('_', '-')} is {value:g}: give a number above 0")
        for name in self.names:
            if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", name):
                raise OptionError(f"name is {name!r:.60}: give that of a host alone, like photos.example.org")


def serve(colorizer: Colorizer, settings: Settings, *, open_browser: bool) -> None:
    """Run the studio until it is interrupted.

    Raises:
        StudioError: the address is taken, or is none of this machine's.
    """
    ending = threading.Event()
    with listening(settings) as listener, application(colorizer, settings, ending) as app:
        address = url(settings.host, listener.getsockname()[1])

        def say() -> None:
            print(f"The studio is at {address} (Ctrl+C ends it)", flush=True)
            if not is_local(settings.host):
                print("Whoever can reach this machine can use it, and no password is asked for.", file=sys.stderr)
            if open_browser:  # one that runs in the terminal comes back only when it is closed
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        server(app, say, ending.set).run(sockets=[listener])


def server(app: Guard, ready: Callable[[], None], ending: Callable[[], None]) -> uvicorn.Server:
    """A server that says nothing unless something is wrong.

    Args:
        app: what it serves.
        ready: called once it answers, and can be ended.
        ending: called when it is to end, and waits for what is under way.
    """
    return _Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_SECONDS_TO_END), ready, ending)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._ending = ready, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()  # Ctrl+C before this may be lost while the event loop is made

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        # Every open page listens on and on, and is cut off, about which uvicorn would complain at length.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


@contextmanager
def application(colorizer: Colorizer, settings: Settings, ending: threading.Event) -> Iterator[Guard]:
    """The studio as an application of ASGI, and the folders that it works in; they go when the block ends.

    Args:
        colorizer: for all visitors.
        settings: what it takes.
        ending: set when it is to end.
    """
    with tempfile.TemporaryDirectory(prefix="photochrom-studio-") as folder:
        shown, kept = Path(folder, "shown"), Path(folder, "kept")
        shown.mkdir()
        kept.mkdir()
        pixels, upload_bytes = int(settings.max_megapixels * 1e6), int(settings.max_upload_mb * 1e6)
        disk = Disk(Path(folder), int(settings.max_disk_mb * 1e6))
        state = AppState(colorizer, References(colorizer), shown, kept, disk, pixels, upload_bytes, ending)
        with _sweeping(shown):
            yield Guard(mounted_page(state), settings.host, disk, settings.names)


@contextmanager
def _sweeping(folder: Path) -> Iterator[None]:
    """Remove old files meanwhile; what broken uploads left, too, which Gradio does not know of."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(_SWEEP_SECONDS):
            gc.collect()  # what an exception was last to hold: a session, and with it a file
            for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
                with suppress(OSError):  # the page was quicker, or the folder is not empty
                    if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                        path.rmdir() if path.is_dir() else path.unlink()

    thread = threading.Thread(target=sweep, name="photochrom-sweeper")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The studio's socket.

    Raises:
        StudioError: the address is taken, or is none of this machine's.
    """
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as exc:
        reason = str(exc.strerror).partition(" (")[0]
        raise StudioError(f"cannot listen at {host}:{port} ({reason}): choose another --port or --host") from exc
    with listener:
        yield listener


def url(host: str, port: int) -> str:
    """What to type into a browser."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
