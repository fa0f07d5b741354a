"""The listening test as a web application, and the server that runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from cantilena.errors import InputError
from cantilena.listening.options import ServeOptions
from cantilena.listening.server.routes import ADMIN_ROUTES, LISTENER_ROUTES
from cantilena.listening.server.state import ServedStudy
from cantilena.listening.study.study import read_study
from cantilena.runtime import log
from cantilena.server import ServerOptions, listen, page_files, run, secured_app, server_url

_ABOUT = """\
The HTTP interface of `cantilena listen serve`. A participant sends their key with every request, as
`Authorization: Bearer KEY`. An error response is `{"error": ..., "hint": ...}`.
"""

_PAGE = Path(__file__).parents[1] / "page"
_MAX_REQUEST_BYTES = 2**14
_MAX_CONNECTIONS = 2000
"""A whole class may open the link at once, and a browser opens six connections."""


def make_app(served: ServedStudy, address: ServerOptions) -> FastAPI:
    """Return the ASGI application of a study; it closes the file of the answers when it shuts down."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            served.store.close()

    app = secured_app("Cantilena listening test", _ABOUT, address, max_body_size=_MAX_REQUEST_BYTES, lifespan=lifespan)
    app.state.served = served
    app.include_router(LISTENER_ROUTES)
    app.include_router(ADMIN_ROUTES)
    app.include_router(page_files(_PAGE, {"": "index.html", "admin": "admin.html"}))
    return app


def serve(path: Path, options: ServeOptions, *, on_start: Callable[[str], None] = log) -> Path:
    """Serve a study file until the process is interrupted, and return the file of the answers.

    `on_start` is called with each line about the server as soon as it accepts requests.

    Raises:
        InputError: the study or the file of the answers cannot be used, or the port is taken.
    """
    study = read_study(path)
    if not study.sessions:
        raise InputError(f"{path} has no sessions", "give a file written by `cantilena listen create`")
    answers = options.answers or path.with_suffix(".answers.sqlite")
    socket = listen(options)
    try:
        served = ServedStudy(path, study, answers)
    except BaseException:
        socket.close()
        raise
    port = socket.getsockname()[1]
    address = server_url(options, port)

    def announce() -> None:
        on_start(f"The listening test is open: {address} (press Ctrl-C to stop)")
        for name in options.allow_host:
            on_start(f"For listeners on other computers: http://{name}:{port}/")
        if not options.is_local and not options.allow_host:
            on_start("Other computers need a name for this one, which you allow with --allow-host NAME")
        on_start(f"Progress and export, only for you: {address}admin#{served.admin_key}")
        on_start(f"Answers are written to {answers}")

    run(make_app(served, options), socket, on_start=announce, max_connections=_MAX_CONNECTIONS)
    return answers
