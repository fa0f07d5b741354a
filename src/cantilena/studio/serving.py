"""Opening the studio: the socket, the server, the browser, and a quick end."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from types import FrameType

from cantilena.errors import InputError
from cantilena.runs import say
from cantilena.studio.options import StudioOptions


def serve(options: StudioOptions, *, opened: Callable[[str], None] = say, browser: bool = False) -> None:
    """Run the studio until it is interrupted.

    Args:
        options: where it listens and keeps its things.
        opened: is told where, when the studio answers there.
        browser: whether to show it in a browser.

    Raises:
        InputError: the port is taken, or the address is not this computer's.
    """
    listening = listen(options)
    import uvicorn

    from cantilena.studio.app import make_app
    from cantilena.studio.connections import PatientConnection

    address = address_of(options, listening.getsockname()[1])
    if options.host not in ("127.0.0.1", "localhost", "::1"):
        say("The studio is open to other computers: whoever reaches it can compose, tune and see its history")

    app = make_app(options)

    loop: asyncio.AbstractEventLoop | None = None

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            await super().startup(sockets)
            opened(f"The studio is open: {address} (Ctrl-C ends it)")
            if browser and can_show():
                # Some systems wait until the browser is closed again.
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if loop is not None:  # a signal comes between any two steps, and not as one of the loop
                loop.call_soon_threadsafe(app.state.studio.say_goodbye)
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
        limit_concurrency=400,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()


def listen(options: StudioOptions) -> socket.socket:
    """A socket at the address that was asked for.

    Raises:
        InputError: the port is taken, or the address is not this computer's.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # The protocol must be said: only then does asyncio send what is small without waiting for more (TCP_NODELAY).
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        where = f"{options.host}:{options.port}"
        raise InputError(
            f"cannot listen on {where}: {error.strerror or error}",
            "another studio may be open there; --port 0 takes any free port",
        ) from error
    return listening


def address_of(options: StudioOptions, port: int) -> str:
    """What to type into a browser.

    Example:
        >>> address_of(StudioOptions(host="0.0.0.0"), 8000)
        'http://127.0.0.1:8000/'
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # noqa: S104
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def can_show() -> bool:
    """Whether there is a screen that a browser could show a page on."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
