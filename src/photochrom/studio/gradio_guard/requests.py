"""A filter in front of Gradio that passes only the requests that the page needs.

Gradio downloads any URL given in place of a file, proxies any URL through ``file=``, and has routes that serve other
purposes. The studio needs none of this. Nor may another site that a visitor has open reach the studio, whether across
origins (``Origin`` header) or through a name of its own that resolves to this machine (``Host`` header, DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import StudioError
from ..state import Disk

_MOST_JSON = 1 << 20  # bytes; a request holds settings, never a picture
_API = "/gradio_api"
_UPLOAD = f"{_API}/upload"
_READ = re.compile(
    r"/(index\.html|config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)?|/(assets|static|svelte)/.*"
    rf"|{_API}/(info|startup-events|app_id|upload_progress|queue/data|heartbeat/\w+|call/\w+/\w+)/?|{_API}/file=.*",
    re.S,
)
_WRITE = re.compile(rf"{_API}/(upload|queue/join|cancel|reset|call/\w+|call/v2/\w+)/?")
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]+:/", re.I)  # at least two letters, since C:/ is a drive

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses requests that the page does not need.

    Args:
        app: The guarded application.
        host: Address or name that the studio is bound to.
        disk: Disk that receives uploads.
        names: Host names under which the studio is reached through a proxy.
    """

    def __init__(self, app: ASGIApp, host: str, disk: Disk, names: Iterable[str] = ()) -> None:
        self._app, self._disk = app, disk
        self._coming = 0  # total size in bytes of uploads that are under way
        self._names = {name.lower() for name in ("localhost", host, *names)}
        if not is_local(host):  # other machines use the name of this one
            self._names |= {name.lower() for name in (socket.gethostname(), socket.getfqdn())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal, receive = await self._refusal(scope, receive)
            is_upload = scope["method"] == "POST" and scope["path"].startswith(_UPLOAD)
            await (refusal or (self._uploaded if is_upload else self._app))(scope, receive, _with_headers(send))

    async def _uploaded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept uploads while there is room, counting those that others are sending."""
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            await _refused(411, "say how large the upload is")(scope, receive, send)
            return
        with self._expected(int(length)):
            if not (full := await run_in_threadpool(self._why_full, self._coming)):
                await self._app(scope, receive, send)
                return
        while (await receive()).get("more_body"):  # a browser reads no response before it has sent its request
            pass
        await _refused(507, full)(scope, receive, send)

    @contextmanager
    def _expected(self, size: int) -> Iterator[None]:
        """Count the bytes of an upload before checking for room, because others may arrive during the check."""
        self._coming += size
        try:
            yield
        finally:
            self._coming -= size

    def _why_full(self, coming: int) -> str:
        """Return an error message if there is no room for so many bytes, else an empty string."""
        try:
            self._disk.check(coming)
        except StudioError as exc:
            return str(exc)
        return ""

    async def _refusal(self, scope: Scope, receive: Receive) -> tuple[PlainTextResponse | None, Receive]:
        """Return the refusal, if any, and a channel that delivers the rest of the request."""
        headers, path = Headers(scope=scope), scope["path"]
        if not self._is_ours(headers.get("host", "")):
            return _refused(403, "the studio does not go by this name: use the address that it printed"), receive
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers["host"]:
            return _refused(403, "the studio answers its own page only"), receive
        wanted = _READ if scope["method"] in ("GET", "HEAD") else _WRITE
        if (scope["method"] not in ("GET", "HEAD", "POST")) or not wanted.fullmatch(path):
            return _refused(404, "the studio has nothing there"), receive
        if path.startswith(f"{_API}/file=") and _is_address(path.removeprefix(f"{_API}/file=")):
            return _refused(403, "the studio does not fetch URLs"), receive
        if scope["method"] == "POST" and not path.startswith(_UPLOAD):
            return await _checked_json(receive)
        return None, receive

    def _is_ours(self, host: str) -> bool:
        """Check the Host header. A hostile site can point its own name here, but cannot forge an IP address."""
        name = re.sub(r":\d+$", "", host).lower()
        return name in self._names or _is_ip(name.strip("[]"))


def is_local(host: str) -> bool:
    """Return whether an address or name can be reached from this machine only."""
    return host.lower() == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _checked_json(receive: Receive) -> tuple[PlainTextResponse | None, Receive]:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MOST_JSON:
            return _refused(413, "the request is larger than the studio accepts"), receive
    try:
        facts = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return _refused(400, "this is not JSON"), receive
    if _names_an_address(facts):
        return _refused(403, "the studio does not fetch URLs: send the file itself"), receive
    return None, _again(bytes(body), receive)


def _names_an_address(facts: Any) -> bool:
    """Return whether any ``path``, at any depth, is a URL. (``url`` entries are Gradio's own and harmless.)"""
    rest = [facts]
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            if isinstance(path := each.get("path"), str) and _is_address(path):
                return True
            rest += each.values()
        elif isinstance(each, list):
            rest += each
    return False


def _is_address(path: str) -> bool:
    return bool(_ADDRESS.match(path) or _ADDRESS.match(unquote(path)))


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a channel that replays a body that was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
        await send(message)

    return sending


def _refused(status: int, reason: str) -> PlainTextResponse:
    return PlainTextResponse(f"{reason}\n", status)
