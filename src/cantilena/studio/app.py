"""The studio as a web application, and the function that serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from cantilena.runtime import log
from cantilena.server import listen, page_files, run, secured_app, server_url
from cantilena.studio.options import LIMITS, StudioOptions
from cantilena.studio.routes import catalogue, compose, files, history, jobs, scores
from cantilena.studio.state import DataDir, Studio, default_data_dir

_DESCRIPTION = """\
The HTTP API of `cantilena studio`. Times are in ticks, 24 a quarter note. The notes of a melody are numbered from 0 by
onset. Error responses are `{"error": ..., "hint": ...}`.
"""

_PAGE = Path(__file__).parent / "page"


def make_app(options: StudioOptions | None = None) -> FastAPI:
    """Create the ASGI application; its lifespan opens and closes the studio.

    Args:
        options: the data folder, and the host names that it answers to.

    Raises:
        InputError: the data folder cannot be created.
    """
    options = options or StudioOptions()
    studio = Studio(DataDir(options.home or default_data_dir()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.open()
        try:
            yield
        finally:
            await studio.close()

    app = secured_app("Cantilena studio", _DESCRIPTION, options, max_body_size=LIMITS.body, lifespan=lifespan)
    app.state.studio = studio
    for module in (catalogue, compose, scores, files, jobs, history):
        app.include_router(module.router)
    app.include_router(page_files(_PAGE, {"": "index.html"}))
    return app


def serve(options: StudioOptions, *, on_start: Callable[[str], None] = log, browser: bool = False) -> None:
    """Run the studio until it is interrupted.

    Args:
        options: where it listens and stores its data.
        on_start: called with a message that contains the URL when the studio accepts requests.
        browser: whether to open a browser.

    Raises:
        InputError: the data folder cannot be created, the port is in use, or the address is not this computer's.
    """
    app = make_app(options)
    listening = listen(options)
    url = server_url(options, listening.getsockname()[1])
    if not options.is_local:
        log("Other computers can reach the studio: they can compose, tune, and see its history")
    run(
        app,
        listening,
        on_start=lambda: on_start(f"The studio is open: {url} (Ctrl-C ends it)"),
        on_shutdown=app.state.studio.begin_shutdown,
        open_url=url if browser else "",
    )
