"""Middleware of both servers: protection against other sites' pages, security headers, limits, and cancelling.

A page of another site can send requests to this computer. So the host name of a request must be one of ours (against
DNS rebinding: a foreign name that resolves to this computer), and requests that change or compute something must come
from our own page. Starlette's `TrustedHostMiddleware` is not used: it answers 400 in plain text, looks only at the
first Host header, and redirects to `www.` names.

Each body is read whole, up to a limit, and the work on a request is cancelled when its client disconnects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cantilena.server.error_responses import error_response

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self'; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), midi=(self), autoplay=(self)",
}
"""Headers of every response."""

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class OriginGuard:
    """ASGI middleware that accepts requests to known host names, from our own page or from no page at all.

    Args:
        app: the application.
        host_names: names and addresses of the server besides those of the local host.
    """

    def __init__(self, app: ASGIApp, host_names: Iterable[str] = ()) -> None:
        self.app = app
        names = (name.lower() for name in host_names)
        bracketed = {f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names}
        self.host_names = {*_LOCAL_HOSTS, *bracketed} - {"0.0.0.0", "[::]"}  # noqa: S104

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle or reject one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_complete = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_complete
            is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        rejection = self.rejection(scope["method"], Headers(scope=scope))
        if rejection is not None:
            await error_response(403, *rejection)(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            if not is_complete:  # the client must see that a response breaks off; a complete one was already logged
                raise

    def rejection(self, method: str, headers: Headers) -> tuple[str, str] | None:
        """Return why a request is rejected and what to do; None if it is accepted."""
        hosts = headers.getlist("host")
        host = hosts[0].strip().lower() if len(hosts) == 1 else ""
        if _without_port(host) not in self.host_names:
            return (
                "this server does not answer to that host name",
                "open the address that it printed, or start it with --allow-host",
            )
        if method in _SAFE_METHODS:
            return None
        is_own_origin = all(_netloc(origin) == host for origin in headers.getlist("origin"))
        if not is_own_origin or not {*headers.getlist("sec-fetch-site")} <= {"same-origin", "none"}:
            return "the request comes from another site's page", "use the server's own page, or send no Origin header"
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not host.endswith("]") else host


def _netloc(origin: str) -> str | None:
    """Return host and port of an Origin header; None if it is invalid."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return None
    is_valid = parts.scheme in ("http", "https") and parts.netloc and not parts.path and "@" not in parts.netloc
    return parts.netloc if is_valid else None


class CancelOnDisconnect:
    """ASGI middleware that cancels the application when the client disconnects before it has the whole response.

    Starlette cancels only streaming responses. A page that is closed, or that sends a newer request, should also stop
    the work on a response in one piece. To notice that, the body must have been read.

    Starlette's own limit of the body is not used: it replaces every response to a request whose Content-Length is too
    large with plain text.

    Args:
        app: the application.
        max_body_size: bytes that a request body may have.
    """

    def __init__(self, app: ASGIApp, max_body_size: int) -> None:
        self.app = app
        self.max_body_size = max_body_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await self._read_body(scope, receive, send)
        if body is None:
            return
        request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        disconnected, is_complete = asyncio.Event(), False

        async def receive_body() -> Message:
            nonlocal request
            if request is not None:
                message, request = request, None
                return message
            await disconnected.wait()
            return {"type": "http.disconnect"}

        async def send_response(message: Message) -> None:
            nonlocal is_complete
            await send(message)
            is_complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        async def watch_client() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            disconnected.set()

        work = asyncio.ensure_future(self.app(scope, receive_body, send_response))
        watch = asyncio.ensure_future(watch_client())
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if work.done() or is_complete:
                await work
            else:
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
        finally:
            work.cancel()
            watch.cancel()

    async def _read_body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """Return the body; None if the client has disconnected, or if it is too large, which is answered."""
        declared = Headers(scope=scope).get("content-length", "")
        is_small = not declared.isdecimal() or (len(declared) < 20 and int(declared) <= self.max_body_size)
        body, has_more = bytearray(), True
        while is_small and has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
            is_small = len(body) <= self.max_body_size
        if is_small:
            return bytes(body)
        response = error_response(413, "the request is too large", f"send {self.max_body_size:,} bytes or less")
        await response(scope, receive, send)
        return None
