"""The listening test as a web application.

Serving a study to listeners.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from cantilena.errors import InputError
from cantilena.listening.options import ServeOptions
from cantilena.listening.server.routes import ADMIN_ROUTES as ADMIN_ROUTES
from cantilena.listening.server.routes import LISTENER_ROUTES as LISTENER_ROUTES
from cantilena.listening.server.state import ListeningRoom
from cantilena.listening.study.study import read_study
from cantilena.runtime import say
from cantilena.server import ServerOptions, listen, page_files, run, secured_app, server_url

_ABOUT = """\
The interface of `cantilena listen serve`. A sitting is opened by its key, `Authorization: Bearer KEY`. What is
refused is answered with `{"error": ..., "hint": ...}`.
"""

_PAGE = Path(__file__).parents[1] / "page"
_MOST_BYTES = 2**14


def make_app(room: ListeningRoom, address: ServerOptions) -> FastAPI:
    """The listening test as an ASGI application, which lets go of the answers when it ends.

    Args:
        room: the study and the book of its answers.
        address: where it is served.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            room.book.close()

    app = secured_app("Cantilena listening test", _ABOUT, address, max_body_size=_MOST_BYTES, lifespan=lifespan)
    app.state.room = room
    app.include_router(LISTENER_ROUTES)
    app.include_router(ADMIN_ROUTES)
    app.include_router(page_files(_PAGE, {"": "index.html", "admin": "admin.html"}))
    return app


_MOST_CONNECTIONS = 2000
"""A class that opens the link at once: six connections a browser."""


def serve(path: Path, options: ServeOptions, *, on_start: Callable[[str], None] = say) -> Path:
    """Serve a study until it is interrupted.

    Args:
        path: of the study file.
        options: where it listens, and where the answers go.
        on_start: is told where, when the test can be taken there.

    Returns:
        The file of the answers.

    Raises:
        InputError: the study or the file of the answers cannot be used, or the port is taken.
    """
    from cantilena.listening.server.state import ListeningRoom

    study = read_study(path)
    if not study.sessions:
        raise InputError(f"{path} has no sessions", "name a file that `cantilena listen create` wrote")
    answers = options.answers or path.with_suffix(".answers.sqlite")
    listening = listen(options)
    try:
        room = ListeningRoom(path, study, answers)
    except BaseException:
        listening.close()
        raise
    port = listening.getsockname()[1]
    address = server_url(options, port)

    def tell() -> None:
        on_start(f"The listening test is open: {address} (Ctrl-C ends it)")
        for name in options.allow_host:
            on_start(f"Listeners at other computers: http://{name}:{port}/")
        if not options.is_local and not options.allow_host:
            on_start("Other computers must call this one by a name that you allow: --allow-host NAME")
        on_start(f"Progress and export, for you alone: {address}admin#{room.admin_key}")
        on_start(f"Answers go to {answers}")

    run(make_app(room, options), listening, on_start=tell, max_connections=_MOST_CONNECTIONS)
    return answers
