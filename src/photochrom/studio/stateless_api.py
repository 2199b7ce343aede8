"""The stateless part of the REST API: the request's body is a photograph, its query holds the options."""

from __future__ import annotations

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..colorizer.options import ColorOptions
from ..colorizer.suggestions import likely_colors
from ..photo import color_and_write, colored_path
from .items import hiding_folder
from .photographs import read, with_extension
from .queries import color_options, place
from .responses import TemporaryFile
from .state import AppState
from .uploads import Uploads


class StatelessApi:
    """The endpoints that need no session, and their routes.

    Args:
        state: State that all visitors share.
        uploads: Receiver of the photographs.
    """

    def __init__(self, state: AppState, uploads: Uploads) -> None:
        self._state, self._uploads = state, uploads

    def routes(self) -> list[Route]:
        """Return the routes of the stateless endpoints."""
        methods = ["POST", "PUT"]  # curl -T sends PUT
        return [
            Route("/api/colorize", self._colorize, methods=methods),
            Route("/api/likely-colors", self._likely_colors, methods=methods),
        ]

    async def _colorize(self, request: Request) -> Response:
        """Colour the photograph and return it at full size."""
        options = color_options(request.query_params, self._state.detail)
        async with self._uploads.kept(request) as path:
            result = await run_in_threadpool(self._colored, path, options)
        return TemporaryFile(result, filename=result.name)

    def _colored(self, path: Path, options: ColorOptions) -> Path:
        self._state.disk.check(path.stat().st_size)
        with hiding_folder(path):
            photograph = read(path, self._state.max_pixels)
            result = colored_path(with_extension(path, photograph.format))
            color_and_write(self._state.colorizer, photograph, result, options, output=self._state.output)
        return result

    async def _likely_colors(self, request: Request) -> Response:
        """Return the colours that are likely at a place of the photograph, the likeliest first."""
        x, y = place(request.query_params)
        options = ColorOptions(detail=self._state.detail)

        def find(path: Path) -> list[str]:
            scene = read(path, self._state.max_pixels).scene
            return [hint.hex for hint in likely_colors(self._state.colorizer, scene, x, y, options=options)]

        async with self._uploads.received(request) as path:
            found = await run_in_threadpool(find, path)
        return JSONResponse({"colors": found})
