"""HTTP responses that send files."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send


class TemporaryFile(FileResponse):
    """Response that sends a file, and then removes its folder, even if the connection is closed before the end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, and remove its folder (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)


def attachment(name: str) -> dict[str, str]:
    """Return the HTTP header that makes a browser save a response under a name."""
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
