"""Starts and stops the studio's server, and removes its temporary files."""

from __future__ import annotations

import logging
import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from ..atomic import temporary_folder
from ..colorizer.colorizer import Colorizer
from ..colorizer.loading import loaded
from ..colorizer.options import ColorOptions
from ..colorizer.reference_photographs import References
from ..errors import OptionError, StudioError
from ..photo.options import OutputOptions
from .cross_site_guard import Guard, is_local
from .server import build
from .state import AppState, Disk
from .visitors import Visitors

if TYPE_CHECKING:
    from ..content_credentials import Identity

_SECONDS_TO_END = 2  # grace period for responses in progress
_REMOVAL_SECONDS = 60  # interval at which inactive visitors are removed


@dataclass(frozen=True)
class Settings:
    """Address and limits of the studio.

    Raises:
        OptionError: A number is out of range, or a name is not a host name.
    """

    host: str = "127.0.0.1"
    """Address or name at which the server listens."""
    port: int = 7860
    """Port at which the server listens; 0 for any free one."""
    max_megapixels: float = 200
    """Largest photograph or film frame, in millions of pixels."""
    max_upload_mb: float = 200
    """Largest upload; 1 MB is 10^6 bytes."""
    max_disk_mb: float = 4000
    """Maximum total size of all visitors' files, uploaded and produced."""
    names: tuple[str, ...] = ()
    """Host names under which a proxy serves the studio."""
    detail: float = 1.0
    """Size of a second thumbnail that the network sees; see ``ColorOptions.detail``."""
    identity: Identity | None = None
    """Signer of the photographs' content credentials; None for unsigned photographs."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port is {self.port}", remedy="give a number from 0 (any that is free) to 65535")
        ColorOptions(detail=self.detail)  # raises OptionError if it is out of range
        for name in ("max_megapixels", "max_upload_mb", "max_disk_mb"):
            if not 0 < (value := getattr(self, name)) < 1e6:
                raise OptionError(
                    f"{name.replace('_', '-')} is {value:g}", remedy="give a number between 0 and 1000000"
                )
        for name in self.names:
            if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", name):
                raise OptionError(f"name is {name!r:.60}", remedy="give a host name alone, like photos.example.org")


def serve(colorizer: Colorizer | Callable[[], Colorizer], settings: Settings, *, open_browser: bool) -> None:
    """Run the studio until it is interrupted.

    Args:
        colorizer: The model, shared by all visitors; or a function that loads it, called when the address is free.
        settings: Address and limits.
        open_browser: Whether to open the page in a browser on this machine.

    Raises:
        StudioError: The address is in use or does not belong to this machine.
        ModelError, EngineError: The model cannot be loaded.
        OSError: The system's temporary folder cannot be written.
    """
    with listening(settings) as listener, application(loaded(colorizer), settings) as app:
        address = url(settings.host, listener.getsockname()[1])

        def announce() -> None:
            print(f"The studio is at {address} (Ctrl+C ends it)", flush=True)
            if not is_local(settings.host):
                print("Anyone who can reach this machine can use it; there is no password.", file=sys.stderr)
            if open_browser:  # in a thread, since a text-mode browser blocks until it is closed
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        server(app, announce).run(sockets=[listener])


def server(app: Guard, ready: Callable[[], None]) -> uvicorn.Server:
    """Create a server that logs warnings and errors only.

    Args:
        app: Application to serve.
        ready: Function that is called once, when the server accepts connections and can be stopped.
    """
    return _Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_SECONDS_TO_END), ready)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()  # Ctrl+C before this point may be lost while the event loop is created

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A film that is being played is cut off, which uvicorn would log with a traceback.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


@contextmanager
def application(colorizer: Colorizer, settings: Settings) -> Iterator[Guard]:
    """Yield the ASGI application. After the block, its jobs are stopped, and its temporary folder is removed.

    Args:
        colorizer: The model, shared by all visitors.
        settings: Address and limits.

    Raises:
        OSError: The system's temporary folder cannot be written.
    """
    with temporary_folder("photochrom-studio") as folder:
        visitors = Visitors()
        state = AppState(
            colorizer=colorizer,
            references=References(colorizer),
            disk=Disk(folder, int(settings.max_disk_mb * 1e6)),
            folder=folder,
            max_pixels=int(settings.max_megapixels * 1e6),
            max_upload_bytes=int(settings.max_upload_mb * 1e6),
            detail=settings.detail,
            output=OutputOptions(c2pa=settings.identity),
        )
        with _removing_inactive(visitors):
            try:
                yield Guard(build(state, visitors), settings.host, settings.names)
            finally:
                state.end_jobs()
                visitors.close()


@contextmanager
def _removing_inactive(visitors: Visitors) -> Iterator[None]:
    """Remove inactive visitors and their files, in a thread that ends with the block."""
    ended = threading.Event()

    def remove_regularly() -> None:
        while not ended.wait(_REMOVAL_SECONDS):
            visitors.remove_inactive()

    thread = threading.Thread(target=remove_regularly, name="photochrom-removal")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Yield a socket that listens at the studio's address, and close it after the block.

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
    """Return the studio's URL for a browser on this machine; for a wildcard address such as 0.0.0.0, use loopback."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
