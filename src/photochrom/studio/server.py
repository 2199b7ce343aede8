"""The studio's routes: the page, its static files, and the REST API."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..color.bands import small
from ..colorizer.suggestions import likely_colors
from ..errors import OptionError, PhotochromError, StudioError
from ..json_text import parse_json
from ..photo import EXTENSIONS, colored_path
from ..version import __version__
from .archive_routes import ArchiveRoutes
from .films import Film
from .items import hiding_folder
from .photographs import Photograph
from .pictures import PREVIEW
from .queries import place, tray_order
from .render import doubt_map, grey, jpeg
from .responses import TemporaryFile, attachment
from .state import AppState
from .stateless_api import StatelessApi
from .strings import Catalogues
from .uploads import Uploads, file_name, folder_name
from .visitors import AnyItem, CrowdedError, LostError, Visitor, Visitors

HERE = Path(__file__).parent
FILMS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".ogv", ".mxf",
    ".mjpeg", ".mjpg",
)  # fmt: skip
_MOST_JSON = 1 << 20  # maximum size of a JSON request in bytes
_SMALL = 240  # longest side of a picture on the tray, in pixels
_MINUTE, _WEEK = 60, 7 * 24 * 3600  # in seconds

Endpoint = Callable[[Request], Awaitable[Response]]


class _Number(IntegerConvertor):
    """Numbers in paths; of at most nine digits, since Python does not parse thousands."""

    regex = "[0-9]{1,9}"


register_url_convertor("number", _Number())


def build(state: AppState, visitors: Visitors) -> Starlette:
    """Build the Starlette application with all routes."""
    files = StaticFiles(directory=HERE / "static")
    return Starlette(
        routes=[Route("/", _page), *Api(state, visitors).routes(), Mount("/static", files)],
        exception_handlers={
            PhotochromError: _on_error,
            OSError: _on_os_error,
            ClientDisconnect: _on_disconnect,
            HTTPException: _on_http_error,
        },
        lifespan=_limited_threads,
    )


@asynccontextmanager
async def _limited_threads(app: Starlette) -> AsyncIterator[None]:
    """Limit the number of threads that process pictures, so that many visitors do not exhaust the memory."""
    to_thread.current_default_thread_limiter().total_tokens = max(4, 2 * (os.cpu_count() or 1))
    yield


async def _page(request: Request) -> Response:
    return FileResponse(HERE / "static" / "index.html", headers={"Cache-Control": "no-cache"})


async def _on_error(request: Request, exc: Exception) -> Response:
    answer = {"error": str(exc)}
    if isinstance(exc, CrowdedError):
        return JSONResponse(answer, 503, headers={"Retry-After": str(_MINUTE)})
    is_full = isinstance(exc, StudioError) or _is_disk_full(exc.__cause__)
    return JSONResponse(answer, 404 if isinstance(exc, LostError) else 507 if is_full else 400)


async def _on_http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    message = f"the studio does not answer {request.method} {request.url.path}: see 'For programs' in its documentation"
    return JSONResponse({"error": message}, exc.status_code, headers=exc.headers)


async def _on_disconnect(request: Request, exc: Exception) -> Response:
    return Response(status_code=400)  # never received, since the page was closed during an upload


async def _on_os_error(request: Request, exc: Exception) -> Response:
    # The error's own message would reveal a path on the server.
    reason = (exc.strerror if isinstance(exc, OSError) else None) or type(exc).__name__
    message = f"the studio cannot read or write its files ({reason}): report it to the person who runs the studio"
    return JSONResponse({"error": message}, 507 if _is_disk_full(exc) else 500)


def _is_disk_full(exc: BaseException | None) -> bool:
    return isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)


class Api:
    """The endpoints of the REST API, and their routes.

    Args:
        state: State that all visitors share.
        visitors: The visitors and their trays.
    """

    def __init__(self, state: AppState, visitors: Visitors) -> None:
        self._state, self._visitors = state, visitors
        self._uploads, self._catalogues = Uploads(state), Catalogues(HERE / "locale")
        self._archives = ArchiveRoutes(state, self._visitor)

    def routes(self) -> list[Route]:
        """Return all routes under ``/api``."""
        item = "/api/items/{id}"
        pictures = {"picture": self._picture, "original": self._original, "small": self._small}
        of_item = [
            Route(item, self._item),
            Route(item, self._remove, methods=["DELETE"]),
            Route(f"{item}/edit", self._edit, methods=["POST"]),
            *(Route(f"{item}/{name}.jpg", self._jpeg_endpoint(draw)) for name, draw in pictures.items()),
            Route(f"{item}/tile/{{column:number}}/{{row:number}}.jpg", self._jpeg_endpoint(_tile)),
            Route(f"{item}/guesses", self._guesses),
            Route(f"{item}/guesses/{{guesses:number}}/{{number:number}}.jpg", self._guess),
            Route(f"{item}/likely", self._likely),
            Route(f"{item}/unsure", self._unsure),
            Route(f"{item}/hints.json", self._hints),
            Route(f"{item}/hints", self._load_hints, methods=["POST"]),
            Route(f"{item}/reference", self._borrow, methods=["POST"]),
            Route(f"{item}/download", self._download),
            Route(f"{item}/start", self._start, methods=["POST"]),
            Route(f"{item}/stop", self._stop, methods=["POST"]),
            Route(f"{item}/shots/{{number:number}}.jpg", self._shot),
        ]
        return [
            Route("/api/studio", self._studio),
            Route("/api/strings/{language}", self._strings),
            Route("/api/items", self._items),
            Route("/api/items", self._add, methods=["POST"]),
            *self._archives.routes(),
            *(Route(route.path, self._reporting_removal(route.endpoint), methods=route.methods) for route in of_item),
            *StatelessApi(self._state, self._uploads).routes(),
        ]

    # Visitors and trays ----------------------------------------------------------------------------------------

    def _visitor(self, request: Request) -> Visitor:
        if (visitor := self._visitors.find(request.cookies.get(_cookie(request)))) is None:
            raise LostError("the session of this page has ended", remedy="load it again")
        return visitor

    def _reporting_removal(self, endpoint: Endpoint) -> Endpoint:
        """Return an endpoint that replaces an error by ``LostError`` if the item has been removed meanwhile."""

        async def outer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except (PhotochromError, OSError):
                self._item_of(request)  # raises LostError if the item was removed
                raise

        return outer

    def _item_of(self, request: Request) -> AnyItem:
        return self._visitor(request).item(request.path_params["id"])

    async def _studio(self, request: Request) -> Response:
        """Return the page's initial state: the model, file formats, languages and tray.

        A new visitor gets a cookie; that of a known visitor is renewed, since it expires.
        """
        card = self._state.colorizer.card
        known = self._visitors.find(request.cookies.get(_cookie(request)))
        visitor = await run_in_threadpool(self._visitors.new) if known is None else known
        facts = {
            "version": __version__, "model": f"{card.name} {card.version}", "vividness": card.vividness,
            "guesses": bool(card.bins), "languages": self._catalogues.languages,
            "photographs": [ending for endings in EXTENSIONS.values() for ending in endings], "films": list(FILMS),
            "items": [item.describe() for item in visitor],
        }  # fmt: skip
        response = JSONResponse(facts)
        response.set_cookie(
            _cookie(request), visitor.token, max_age=_WEEK, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def _strings(self, request: Request) -> Response:
        return JSONResponse(self._catalogues.strings(request.path_params["language"]))

    async def _items(self, request: Request) -> Response:
        return JSONResponse({"items": [item.describe() for item in self._visitor(request)]})

    async def _add(self, request: Request) -> Response:
        visitor = self._visitor(request)
        visitor.check_space()
        query, archive = request.query_params, self._archives.archive_of(visitor)
        order = tray_order(query)
        folder, name = folder_name(query.get("folder", "")), file_name(query.get("name", ""))
        try:
            async with self._uploads.kept(request) as path:
                kind = Film if path.suffix.lower() in FILMS else Photograph
                with hiding_folder(path):
                    item: AnyItem = await run_in_threadpool(kind, self._state, path, folder)
                visitor.add(item, order)
        except PhotochromError as exc:
            archive.refuse(folder, name, str(exc))
            raise
        archive.accept(folder, name)
        return JSONResponse(item.describe(), 201)

    async def _item(self, request: Request) -> Response:
        return JSONResponse(self._item_of(request).describe())

    async def _remove(self, request: Request) -> Response:
        await run_in_threadpool(self._visitor(request).remove, request.path_params["id"])
        return Response(status_code=204)

    async def _edit(self, request: Request) -> Response:
        item, change = self._item_of(request), await _json(request)
        await run_in_threadpool(item.edit, change)
        return JSONResponse(item.describe())

    # Pictures --------------------------------------------------------------------------------------------------

    def _jpeg_endpoint(self, draw: Callable[[AnyItem, Request], bytes]) -> Endpoint:
        """Return an endpoint that sends the JPEG that ``draw`` returns for an item; browsers may cache it."""

        async def endpoint(request: Request) -> Response:
            item = self._item_of(request)
            data = await run_in_threadpool(draw, item, request)
            # The URL includes the revision, so the response never changes.
            return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

        return endpoint

    def _picture(self, item: AnyItem, request: Request) -> bytes:
        return jpeg(item.rendered(_side(request)))

    def _original(self, item: AnyItem, request: Request) -> bytes:
        return jpeg(grey(small(item.luma(), _side(request))))

    def _small(self, item: AnyItem, _: Request) -> bytes:
        return jpeg(item.rendered(_SMALL))

    # Suggestions -----------------------------------------------------------------------------------------------

    async def _guesses(self, request: Request) -> Response:
        """Return the names of the alternatives; the page requests their pictures one by one."""
        found = await run_in_threadpool(_photograph(self._item_of(request)).guesses)
        return JSONResponse({"number": found.number, "names": found.names})

    async def _guess(self, request: Request) -> Response:
        guesses, number = (request.path_params[name] for name in ("guesses", "number"))
        return Response(_photograph(self._item_of(request)).guess_picture(guesses, number), media_type="image/jpeg")

    async def _likely(self, request: Request) -> Response:
        item, (x, y) = self._item_of(request), place(request.query_params)

        def find() -> list[str]:
            if not self._state.colorizer.card.bins:
                return []
            picture, options, prediction = item.predicted()
            found = likely_colors(
                self._state.colorizer, picture.thumbnail, x, y, options=options, prediction=prediction
            )
            return [hint.hex for hint in found]

        return JSONResponse({"colors": await run_in_threadpool(find)})

    async def _unsure(self, request: Request) -> Response:
        item = self._item_of(request)
        return JSONResponse(await run_in_threadpool(lambda: doubt_map(item.prediction())))

    async def _borrow(self, request: Request) -> Response:
        item = _photograph(self._item_of(request))
        async with self._uploads.received(request) as path:
            matches = await run_in_threadpool(item.borrow, path)
        return JSONResponse(item.describe() | {"matches": matches})

    # Files -----------------------------------------------------------------------------------------------------

    async def _hints(self, request: Request) -> Response:
        item = self._item_of(request)
        name = f"{colored_path(item.source).stem}.json"
        return Response(item.hints_text(), media_type="application/json", headers=attachment(name))

    async def _load_hints(self, request: Request) -> Response:
        item = self._item_of(request)
        async with self._uploads.received(request) as path:
            await run_in_threadpool(item.load_hints, path)
        return JSONResponse(item.describe())

    async def _download(self, request: Request) -> Response:
        item = self._item_of(request)
        path = await run_in_threadpool(self._link_output, item)
        inline = "play" in request.query_params
        return TemporaryFile(path, filename=None if inline else path.name)

    def _link_output(self, item: AnyItem) -> Path:
        """Link an item's output to a path in a new folder, and return this path.

        The output's own path is removed when the item changes.
        """
        folder = self._state.new_folder()
        try:
            with item.lock:
                path = item.download()
                try:
                    os.link(path, folder / path.name)
                except OSError:  # the file system has no hard links
                    shutil.copy2(path, folder / path.name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder / path.name

    # Films -----------------------------------------------------------------------------------------------------

    async def _start(self, request: Request) -> Response:
        film, facts = _film(self._item_of(request)), await _json(request)
        await run_in_threadpool(film.start, recolor=facts.get("recolor") is True)
        return JSONResponse(film.describe())

    async def _stop(self, request: Request) -> Response:
        film = _film(self._item_of(request))
        film.job.stop()
        return JSONResponse(film.describe())

    async def _shot(self, request: Request) -> Response:
        picture = _film(self._item_of(request)).shot_picture(request.path_params["number"])
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _cookie(request: Request) -> str:
    """Return the cookie's name; it includes the port, since browsers send cookies to all ports of a machine."""
    return f"photochrom-{request.scope['server'][1]}"


def _side(request: Request) -> int:
    """Return the greatest side, in pixels, of the picture that a request asks for; ``PREVIEW`` if it states none."""
    side = request.query_params.get("side", "")
    return min(PREVIEW, max(_SMALL, int(side))) if side.isdecimal() and len(side) < 6 else PREVIEW


def _tile(item: AnyItem, request: Request) -> bytes:
    column, row = (request.path_params[name] for name in ("column", "row"))
    return jpeg(_photograph(item).full_size().tile(column, row, grey="grey" in request.query_params))


def _photograph(item: AnyItem) -> Photograph:
    if not isinstance(item, Photograph):
        raise OptionError("this works with photographs only")
    return item


def _film(item: AnyItem) -> Film:
    if not isinstance(item, Film):
        raise OptionError("this works with films only")
    return item


async def _json(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_JSON:
            raise OptionError("the request is larger than the studio accepts")
    try:
        facts = parse_json(body)
    except ValueError:
        raise OptionError("the request is not JSON") from None
    if not isinstance(facts, dict):
        raise OptionError("the request is not a JSON object")
    return facts
