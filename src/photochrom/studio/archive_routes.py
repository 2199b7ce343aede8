"""The routes that colour all photographs of a tray, report the progress, and send them as a ZIP file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .archive import Archive
from .photographs import Photograph
from .responses import TemporaryFile
from .state import AppState
from .visitors import Visitor


class ArchiveRoutes:
    """Endpoints for all photographs of a tray, and their routes.

    Args:
        state: State that all visitors share.
        visitor_of: Function that returns the visitor who sent a request.
    """

    def __init__(self, state: AppState, visitor_of: Callable[[Request], Visitor]) -> None:
        self._state, self._visitor_of = state, visitor_of

    def routes(self) -> list[Route]:
        """Return the routes under ``/api/archive``, and that of the ZIP file."""
        return [
            Route("/api/archive", self._describe),
            Route("/api/archive/start", self._start, methods=["POST"]),
            Route("/api/archive/stop", self._stop, methods=["POST"]),
            Route("/api/archive/forget", self._forget, methods=["POST"]),
            Route("/api/items/archive", self._zip),
        ]

    def archive_of(self, visitor: Visitor) -> Archive:
        """Return a visitor's archive; create it on first use."""
        if visitor.archive is None:
            visitor.archive = Archive(self._state)
        return visitor.archive

    async def _describe(self, request: Request) -> Response:
        visitor = self._visitor_of(request)
        facts = await run_in_threadpool(self.archive_of(visitor).describe, _photographs(visitor))
        return JSONResponse(facts)

    async def _start(self, request: Request) -> Response:
        visitor = self._visitor_of(request)
        self.archive_of(visitor).start(_photographs(visitor))
        return await self._describe(request)

    async def _stop(self, request: Request) -> Response:
        self.archive_of(self._visitor_of(request)).job.stop()
        return await self._describe(request)

    async def _forget(self, request: Request) -> Response:
        self.archive_of(self._visitor_of(request)).refused.clear()
        return await self._describe(request)

    async def _zip(self, request: Request) -> Response:
        visitor = self._visitor_of(request)
        path = await run_in_threadpool(self._pack, self.archive_of(visitor), _photographs(visitor))
        return TemporaryFile(path, filename=path.name)

    def _pack(self, archive: Archive, photographs: list[Photograph]) -> Path:
        folder = self._state.new_folder()
        try:
            return archive.pack(photographs, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _photographs(visitor: Visitor) -> list[Photograph]:
    return [item for item in visitor if isinstance(item, Photograph)]
