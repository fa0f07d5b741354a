"""Running a server: the socket, the server itself, the browser, and a quick end.

Connections: a request must arrive whole in a while, or else its connection is closed.

Without this, a few hundred callers who send half a request and wait would keep everybody else out.
"""

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
from cantilena.server.options import Address

_OTHER_FILES = 100


def run(
    app: ASGIApp,
    listening: socket.socket,
    *,
    opened: Callable[[], None],
    ending: Callable[[], None] = lambda: None,
    show: str = "",
    most_connections: int = 400,
) -> None:
    """Serve an application until it is interrupted.

    Args:
        app: the application.
        listening: from `listen`; it is closed at the end.
        opened: is called when the application answers.
        ending: is called in the server's loop when it shall end, to let go of what would keep it waiting.
        show: an address to show in a browser, where there is a screen.
        most_connections: that may be open at once; a browser opens six.
    """
    import uvicorn

    loop: asyncio.AbstractEventLoop | None = None

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            await super().startup(sockets)
            opened()
            if show and can_show():
                # Some systems wait until the browser is closed again.
                threading.Thread(target=webbrowser.open, args=(show,), daemon=True).start()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if loop is not None:  # a signal comes between any two steps, and not as one of the loop
                loop.call_soon_threadsafe(ending)
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=PatientConnection,
        loop="asyncio",
        lifespan="on",
        ws="none",
        h11_max_incomplete_event_size=2**15,
        limit_concurrency=most_connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    _allow_files(most_connections + _OTHER_FILES)
    server = Server(config)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()


def listen(address: Address) -> socket.socket:
    """A socket at the address that was asked for.

    Raises:
        InputError: the port is taken, or the address is not this computer's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # The protocol must be said: only then does asyncio send what is small without waiting for more (TCP_NODELAY).
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address.host, address.port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        where = f"{address.host}:{address.port}"
        raise InputError(
            f"cannot listen on {where}: {error.strerror or error}",
            "another server may be open there; --port 0 takes any free port",
        ) from error
    return listening


def address_of(address: Address, port: int) -> str:
    """What to type into a browser.

    Example:
        >>> address_of(Address(host="0.0.0.0"), 8000)
        'http://127.0.0.1:8000/'
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _allow_files(most: int) -> None:
    """Let this process hold so many files and connections, where the system says how many it may."""
    try:
        import resource
    except ImportError:  # Windows, which has no such bound
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < most:
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def can_show() -> bool:
    """Whether there is a screen that a browser could show a page on."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


ARRIVAL_SECONDS = 20.0
"""How long a request may take to arrive, from its first byte or from when the connection was opened."""


class PatientConnection(H11Protocol):
    """A connection that waits for a request, and not for ever."""

    patience = ARRIVAL_SECONDS
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def handle_events(self) -> None:
        """Take what has arrived; when a request is whole, the waiting is over until it is answered."""
        super().handle_events()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete:
            self._wait_no_more()
        elif self._late is None:
            self._late = self.loop.call_later(self.patience, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
