"""The door of a server: who may come in, and what every answer says of itself.

A page of another site can send requests to this computer too. So the name that was called must be one of ours (DNS
rebinding: a stranger's name that leads here), and whatever changes or computes something must come from our own page.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cantilena.server.error_responses import refused

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "style-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
"""The content-security policy of every answer."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), midi=(self), autoplay=(self)",
}
"""What every answer says of itself."""

_HERE = ("127.0.0.1", "localhost", "[::1]")
_SAFE = ("GET", "HEAD", "OPTIONS")


class Door:
    """Middleware that lets in requests to one of our names, from our own page or from no page at all.

    Args:
        app: what is behind the door.
        names: the names and addresses that the server may be called by, besides this computer's own.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self.app = app
        self.names = {*_HERE, *(_bracketed(name.lower()) for name in names)} - {"0.0.0.0", "[::]"}  # noqa: S104

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        is_answered = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_answered
            is_answered = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        trouble = self.trouble(scope["method"], Headers(scope=scope))
        if trouble is not None:
            await refused(403, *trouble)(scope, receive, send_with_headers)
            return
        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            if not is_answered:  # that an answer breaks off must be seen; of a whole one the terminal has been told
                raise

    def trouble(self, method: str, headers: Headers) -> tuple[str, str] | None:
        """Why a request is refused, and what to do; None where it may come in."""
        hosts = headers.getlist("host")
        host = hosts[0].strip().lower() if len(hosts) == 1 else ""
        if _name_of(host) not in self.names:
            return "this server is not called by that name", "open it by the address that it printed, or --allow-host"
        if method in _SAFE:
            return None
        own = all(_is_origin(one) and urlsplit(one.lower()).netloc == host for one in headers.getlist("origin"))
        if not own or not {*headers.getlist("sec-fetch-site")} <= {"same-origin", "none"}:
            return "another site's page asked", "use the server's own page, or send no Origin"
        return None


def _name_of(host: str) -> str:
    """A host without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not host.endswith("]") else host


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.path and "@" not in parts.netloc


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name
