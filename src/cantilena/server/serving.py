"""Run a server: open its socket, serve until interrupted, open a browser, shut down quickly."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from cantilena.errors import InputError
from cantilena.server.options import ServerOptions

REQUEST_SECONDS = 20.0
"""How long a request may take to arrive, from its first byte or from when the connection was opened."""

_OTHER_FILES = 100


def run(
    app: ASGIApp,
    listening: socket.socket,
    *,
    on_start: Callable[[], None],
    on_shutdown: Callable[[], None] = lambda: None,
    open_url: str = "",
    max_connections: int = 400,
) -> None:
    """Serve an application until it is interrupted.

    Args:
        app: the application.
        listening: a socket of `listen`; it is closed at the end.
        on_start: called when the application accepts requests.
        on_shutdown: called in the event loop when the server is about to stop, to end long-lived responses.
        open_url: an address to open in a browser, if there is a display.
        max_connections: how many connections may be open at once; a browser opens six.
    """
    import uvicorn

    loop: asyncio.AbstractEventLoop | None = None

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            await super().startup(sockets)
            on_start()
            if open_url and has_display():
                # Some systems block until the browser is closed again.
                threading.Thread(target=webbrowser.open, args=(open_url,), daemon=True).start()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if loop is not None:  # a signal handler runs outside the event loop
                loop.call_soon_threadsafe(on_shutdown)
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=RequestTimeoutProtocol,
        loop="asyncio",
        lifespan="on",
        ws="none",
        h11_max_incomplete_event_size=2**15,
        limit_concurrency=max_connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    _raise_file_limit(max_connections + _OTHER_FILES)
    with listening, suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listening])


def listen(options: ServerOptions) -> socket.socket:
    """Open the socket of a server.

    Raises:
        InputError: the port is in use, or the address does not belong to this computer.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets with an explicit protocol.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise InputError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror or error}",
            "another server may be using it; --port 0 takes any free port",
        ) from error
    return listening


def server_url(options: ServerOptions, port: int) -> str:
    """Return the URL to open in a browser.

    Examples:
        >>> server_url(ServerOptions(host="0.0.0.0"), 8000)
        'http://127.0.0.1:8000/'
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def has_display() -> bool:
    """Return whether there is a display on which a browser could open."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _raise_file_limit(count: int) -> None:
    """Allow this process that many open files and connections, as far as the system permits."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        limit = count if hard == resource.RLIM_INFINITY else min(count, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


class RequestTimeoutProtocol(H11Protocol):
    """uvicorn's HTTP protocol, closing connections whose request does not arrive in time.

    Without it, a few hundred clients that send half a request and wait would block everybody else.
    """

    timeout = REQUEST_SECONDS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the first request."""
        super().connection_made(transport)
        self._update_timer()

    def handle_events(self) -> None:
        """Process received data; the timer stops when the request is complete, until the response is sent."""
        super().handle_events()
        self._update_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _update_timer(self) -> None:
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.timeout, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
