"""The stateless part of the REST API: the request's body is a photograph, its query holds the options."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions
from ..colorizer.suggestions import likely_colors
from ..errors import OptionError
from ..photo import color_and_write, colored_path
from .items import hiding_folder
from .photographs import read
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
        async with self._uploads.received(request) as path:
            result = await run_in_threadpool(self._colored, path, options)
        return TemporaryFile(result, filename=result.name)

    def _colored(self, path: Path, options: ColorOptions) -> Path:
        self._state.disk.check(path.stat().st_size)
        result = path.parent / colored_path(path).name
        with hiding_folder(path):
            photograph = read(path, self._state.max_pixels)
            color_and_write(self._state.colorizer, photograph, result, options, output=self._state.output)
        return result

    async def _likely_colors(self, request: Request) -> Response:
        """Return the colours that are likely at a place of the photograph, the likeliest first."""
        x, y = place(request.query_params)
        options = ColorOptions(detail=self._state.detail)

        def find(path: Path) -> list[str]:
            luma = read(path, self._state.max_pixels).luma
            return [hint.hex for hint in likely_colors(self._state.colorizer, luma, x, y, options=options)]

        async with self._uploads.received(request) as path:
            found = await run_in_threadpool(find, path)
        shutil.rmtree(path.parent, ignore_errors=True)
        return JSONResponse({"colors": found})


def color_options(query: QueryParams, detail: float) -> ColorOptions:
    """Parse the parameters ``vividness``, ``strength``, ``detail`` (with its default), and any ``hint=x,y,colour``.

    Raises:
        OptionError: A number is invalid or out of range, or a hint is invalid.
    """
    hints = tuple(Hint.parse(text) for text in query.getlist("hint"))
    vividness, strength, given = (_number(query, name) for name in ("vividness", "strength", "detail"))
    return ColorOptions(vividness, 1.0 if strength is None else strength, hints, detail if given is None else given)


def place(query: QueryParams) -> tuple[float, float]:
    """Parse the parameters ``x`` and ``y``, from 0 to 1; a missing one is 0.5.

    Raises:
        OptionError: One of them is not a number from 0 to 1.
    """
    x, y = (_number(query, name) for name in ("x", "y"))
    x, y = 0.5 if x is None else x, 0.5 if y is None else y
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise OptionError("x and y are not numbers from 0 to 1")
    return x, y


def tray_order(query: QueryParams) -> float:
    """Parse the parameter ``order``, by which the tray is sorted; a missing one is the current time in milliseconds.

    The page states it, because files that are uploaded at the same time arrive in any order.

    Raises:
        OptionError: It is not a finite number.
    """
    order = _number(query, "order")
    if order is None:
        return time.time() * 1000
    if not math.isfinite(order):
        raise OptionError(f"order is {order}, which is not a finite number")
    return order


def _number(query: QueryParams, name: str) -> float | None:
    text = query.get(name)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise OptionError(f"{name} is {text!r:.60}, which is not a number") from None
