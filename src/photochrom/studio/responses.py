"""HTTP responses that send files."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import quote

from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send


class OwnFile(FileResponse):
    """A file in a temporary folder, which is removed when the file has been sent or the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)


def attachment(name: str) -> dict[str, str]:
    """Return the header with which a browser saves a response under a name."""
    return {"Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
