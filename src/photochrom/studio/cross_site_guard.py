"""``Guard``: ASGI middleware that refuses requests from the web pages of other sites.

A hostile site that is open in a visitor's browser must not reach the studio. ``Origin`` and ``Sec-Fetch-Site`` headers
reveal cross-origin requests. The ``Host`` header reveals DNS rebinding, in which the site makes its own host name
resolve to this machine.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self'; connect-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI application that passes on requests from the studio's own page, and refuses those from other sites.

    Args:
        app: Application that receives the accepted requests.
        host: Address or name at which the studio listens.
        names: Host names under which a proxy serves the studio.
    """

    def __init__(self, app: ASGIApp, host: str, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = {name.lower() for name in ("localhost", host, *names)}
        if not is_local(host):  # other machines may use this machine's name
            self._names |= {name.lower() for name in (socket.gethostname(), socket.getfqdn())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection; a WebSocket is ignored."""
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope), opens_page=scope["path"] == "/" and scope["method"] == "GET")
            await (refusal or self._app)(scope, receive, _with_headers(send))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)

    def _refusal(self, headers: Headers, *, opens_page: bool) -> PlainTextResponse | None:
        if not self._is_ours(headers.get("host", "")):
            return PlainTextResponse(
                "the studio is not served under this host name: use the address that it printed\n", 403
            )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        foreign = origin is not None and origin.partition("://")[2] != headers["host"]
        is_link = opens_page and headers.get("sec-fetch-dest") == "document"  # a link on another site was followed
        if foreign or (site not in ("same-origin", "none") and not is_link):
            return PlainTextResponse("the studio answers its own page only\n", 403)
        return None

    def _is_ours(self, host: str) -> bool:
        """Return whether a Host header names this studio: by one of its names, or by any IP address.

        A hostile site can make its own name resolve to this machine, but cannot use an IP address as its name.
        """
        name = re.sub(r":\d+$", "", host).lower()
        return name in self._names or _is_ip(name.strip("[]"))


def is_local(host: str) -> bool:
    """Return whether a host is ``localhost`` or a loopback address, which only this machine can reach."""
    return host.lower() == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
