"""The studio as a web application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from cantilena.errors import __version__
from cantilena.studio import (
    catalogue_routes,
    compose_routes,
    file_routes,
    history_routes,
    job_routes,
    page_files,
    score_routes,
)
from cantilena.studio.callers import Callers
from cantilena.studio.doors import Door
from cantilena.studio.home import Home, usual_home
from cantilena.studio.options import LIMITS, StudioOptions
from cantilena.studio.refusals import REFUSALS, answer_refusals
from cantilena.studio.studio import Studio

_ABOUT = """\
The interface of `cantilena studio`. Times are in ticks, 24 a quarter note. The notes of a melody are numbered from 0 in
the order of their onsets. What is refused is answered with `{"error": ..., "hint": ...}`.
"""

_ROUTES = (catalogue_routes, compose_routes, score_routes, file_routes, job_routes, history_routes, page_files)

_SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""Nothing that happens here is reported to anybody."""


class _Guarded(FastAPI):
    """An application with a door in front of everything, what Starlette answers by itself included."""

    names: tuple[str, ...] = ()

    def build_middleware_stack(self) -> ASGIApp:
        return Door(Callers(super().build_middleware_stack(), LIMITS.body), self.names)


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

    app = _Guarded(
        title="Cantilena studio",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        responses=REFUSALS,
        telemetry=_SILENT,
    )
    app.state.studio = studio
    answer_refusals(app)
    app.names = (options.host, *options.allow_host)
    for routes in _ROUTES:
        app.include_router(routes.ROUTES)
    return app
