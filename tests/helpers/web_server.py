"""A web server that serves a folder."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FolderHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without logging."""

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the threads, whose messages would appear in a later test


@contextmanager
def serving(folder: Path, handler: type[FolderHandler] = FolderHandler) -> Iterator[str]:
    """Serve a folder on this machine until the end of the block; yield the server's address."""
    made = functools.partial(handler, directory=str(folder))
    with _Server(("127.0.0.1", 0), made) as server:
        # The default interval would make every test wait for half a second at its end.
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
