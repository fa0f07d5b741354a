"""The studio as a web application.

Opening the studio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from cantilena.runtime import log
from cantilena.server import address_of, guarded, listen, page_files, run
from cantilena.studio.options import LIMITS, StudioOptions
from cantilena.studio.routes import catalogue as catalogue_routes
from cantilena.studio.routes import compose as compose_routes
from cantilena.studio.routes import files as file_routes
from cantilena.studio.routes import history as history_routes
from cantilena.studio.routes import jobs as job_routes
from cantilena.studio.routes import scores as score_routes
from cantilena.studio.state import Home, Studio, usual_home

_ABOUT = """\
The interface of `cantilena studio`. Times are in ticks, 24 a quarter note. The notes of a melody are numbered from 0 in
the order of their onsets. What is refused is answered with `{"error": ..., "hint": ...}`.
"""

_ROUTES = (catalogue_routes, compose_routes, score_routes, file_routes, job_routes, history_routes)
_PAGE = Path(__file__).parent / "page"


def make_app(options: StudioOptions | None = None) -> FastAPI:
    """The studio as an ASGI application; it opens and closes with the application's lifespan.

    Args:
        options: where it keeps its things, and by which names it may be called.

    Raises:
        InputError: its folder cannot be made.
    """
    options = options or StudioOptions()
    studio = Studio(Home(options.home or usual_home()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.open()
        try:
            yield
        finally:
            await studio.close()

    app = guarded("Cantilena studio", _ABOUT, options, most=LIMITS.body, lifespan=lifespan)
    app.state.studio = studio
    for routes in _ROUTES:
        app.include_router(routes.ROUTES)
    app.include_router(page_files(_PAGE, {"": "index.html"}))
    return app


def serve(options: StudioOptions, *, opened: Callable[[str], None] = log, browser: bool = False) -> None:
    """Run the studio until it is interrupted.

    Args:
        options: where it listens and keeps its things.
        opened: is told where, when the studio answers there.
        browser: whether to show it in a browser.

    Raises:
        InputError: the port is taken, or the address is not this computer's.
    """
    listening = listen(options)

    address = address_of(options, listening.getsockname()[1])
    if not options.is_here_alone:
        log("The studio is open to other computers: whoever reaches it can compose, tune and see its history")
    app = make_app(options)
    run(
        app,
        listening,
        opened=lambda: opened(f"The studio is open: {address} (Ctrl-C ends it)"),
        ending=app.state.studio.say_goodbye,
        show=address if browser else "",
    )
