"""Who may talk to the server: the page itself, under an address that is the server's own.

A page of somebody else's, open in the same browser, can send requests to 127.0.0.1 as well. Two
things keep it out (https://owasp.org/www-community/attacks/csrf,
https://en.wikipedia.org/wiki/DNS_rebinding): a changing request must come from this very origin,
and the name that the server is called by must be one that nobody else can give it.
"""

import ipaddress
import platform
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Everything the page needs comes from here, and nobody may frame it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_READING = ("GET", "HEAD")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that is bound to the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware: refuses strangers, and sends :data:`HEADERS` with every answer.

    Args:
        app: What it stands before.
        host: What the server is bound to.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._loopback = is_loopback(host)
        self._names = {"localhost"}
        if not self._loopback:
            node = platform.node().lower()
            self._names |= {host.lower(), node, f"{node}.local"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                # What nobody has marked otherwise is about a song.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        why = self._refusal(scope["method"], Headers(scope=scope))
        if why:
            refusal = JSONResponse({"error": why}, 403)
            await refusal(scope, receive, with_headers)
        else:
            await self._app(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "")
        if not self._ours(host):
            return (
                f"This server does not go by the name {host!r}: open it by the address that it "
                "printed when it started."
            )
        if method in _READING:
            return ""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        # Without an Origin it is no browser, and has nobody's rights but its own.
        ours = origin is None or origin in (f"http://{host}", f"https://{host}")
        if not ours or site not in ("same-origin", "none"):
            return "This request comes from another page, which may not change anything here."
        return ""

    def _ours(self, host: str) -> bool:
        """Whether it is a name that a stranger's name server can not give to this machine."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return address.is_loopback or not self._loopback
