"""Starts and stops the studio, and removes everything that it wrote."""

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
from typing import TYPE_CHECKING

import uvicorn

from ..colorizer.colorizer import Colorizer
from ..colorizer.reference import References
from ..errors import OptionError, StudioError
from ..photo.options import OutputOptions
from .gradio_guard.mount import mounted_page
from .gradio_guard.requests import Guard, is_local
from .state import AppState, Disk

if TYPE_CHECKING:
    from ..content_credentials import Identity

_SECONDS_TO_END = 2  # grace period for responses that are under way
_SWEEP_SECONDS = 60  # interval between two searches for old files
_OLD_SECONDS = 3600  # age at which a file is removed


@dataclass(frozen=True)
class Settings:
    """Address and limits of the studio.

    Raises:
        OptionError: A number is out of range, or a name is not a host name.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    max_megapixels: float = 200
    max_upload_mb: float = 200
    """Largest upload; 1 MB is 10^6 bytes."""
    max_disk_mb: float = 4000
    """Total size of all visitors' files, both uploaded and produced."""
    names: tuple[str, ...] = ()
    """Host names under which the studio is reached through a proxy."""
    identity: Identity | None = None
    """Who signs the photographs with content credentials; None: nobody."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port is {self.port}: give a number from 0 (any that is free) to 65535")
        for name in ("max_megapixels", "max_upload_mb", "max_disk_mb"):
            if not 0 < (value := getattr(self, name)) < 1e6:
                raise OptionError(f"{name.replace('_', '-')} is {value:g}: give a number above 0")
        for name in self.names:
            if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", name):
                raise OptionError(f"name is {name!r:.60}: give a host name alone, like photos.example.org")


def serve(colorizer: Colorizer, settings: Settings, *, open_browser: bool) -> None:
    """Run the studio until it is interrupted.

    Raises:
        StudioError: The address is in use or does not belong to this machine.
    """
    ending = threading.Event()
    with listening(settings) as listener, application(colorizer, settings, ending) as app:
        address = url(settings.host, listener.getsockname()[1])

        def say() -> None:
            print(f"The studio is at {address} (Ctrl+C ends it)", flush=True)
            if not is_local(settings.host):
                print("Anyone who can reach this machine can use it; there is no password.", file=sys.stderr)
            if open_browser:  # a browser that runs in the terminal returns only when it is closed
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        server(app, say, ending.set).run(sockets=[listener])


def server(app: Guard, ready: Callable[[], None], ending: Callable[[], None]) -> uvicorn.Server:
    """Create a server that logs warnings and errors only.

    Args:
        app: Application to serve.
        ready: Called once the server accepts connections and can be stopped.
        ending: Called when the server shuts down, before it waits for responses that are under way.
    """
    return _Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_SECONDS_TO_END), ready, ending)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready, self._ending = ready, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()  # Ctrl+C before this point may be lost while the event loop is created

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        # Every open page holds a connection that is cut off here; uvicorn would log each of them at length.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


@contextmanager
def application(colorizer: Colorizer, settings: Settings, ending: threading.Event) -> Iterator[Guard]:
    """Create the ASGI application and its temporary folders, which are removed when the block ends.

    Args:
        colorizer: Shared by all visitors.
        settings: Address and limits.
        ending: Set when the studio shuts down.
    """
    with tempfile.TemporaryDirectory(prefix="photochrom-studio-") as folder:
        shown, kept = Path(folder, "shown"), Path(folder, "kept")
        shown.mkdir()
        kept.mkdir()
        pixels, upload_bytes = int(settings.max_megapixels * 1e6), int(settings.max_upload_mb * 1e6)
        disk = Disk(Path(folder), int(settings.max_disk_mb * 1e6))
        output = OutputOptions(c2pa=settings.identity)
        state = AppState(colorizer, References(colorizer), shown, kept, disk, pixels, upload_bytes, ending, output)
        with _sweeping(shown):
            yield Guard(mounted_page(state), settings.host, disk, settings.names)


@contextmanager
def _sweeping(folder: Path) -> Iterator[None]:
    """Remove old files in the background, including the remains of broken uploads, which Gradio does not track."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(_SWEEP_SECONDS):
            gc.collect()  # an exception may be the last to refer to a session, and with it to a file
            for path in sorted(folder.rglob("*"), reverse=True):  # the contents of a folder before the folder
                with suppress(OSError):  # the page removed it first, or the folder is not empty
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
    """Open the studio's socket.

    Raises:
        StudioError: The address is in use or does not belong to this machine.
    """
    host, port = settings.host, settings.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as exc:
        reason = str(exc.strerror).partition(" (")[0]
        raise StudioError(f"cannot listen at {host}:{port} ({reason})", remedy="choose another port or host") from exc
    with listener:
        yield listener


def url(host: str, port: int) -> str:
    """Return the address to open in a browser."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
