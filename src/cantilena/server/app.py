"""A web application with a door in front of everything, which answers every failure with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from cantilena.errors import __version__
from cantilena.server.error_responses import REFUSALS, answer_refusals
from cantilena.server.options import Address
from cantilena.server.origin_guard import Door
from cantilena.server.request_lifecycle import Callers

_SILENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""Nothing that happens here is reported to anybody."""


class Guarded(FastAPI):
    """An application with a door in front of everything, what Starlette answers by itself included."""

    names: tuple[str, ...] = ()
    most: int = 0

    def build_middleware_stack(self) -> ASGIApp:
        """What a request goes through, from the outside: the door, then the wait until it is whole."""
        return Door(Callers(super().build_middleware_stack(), self.most), self.names)


def guarded(
    title: str,
    about: str,
    address: Address,
    *,
    most: int,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> Guarded:
    """An application without routes.

    Args:
        title: what it is called in its description.
        about: what is said of it there.
        address: where it is served.
        most: bytes that a request may have.
        lifespan: opens and closes what it works with.
    """
    app = Guarded(
        title=title,
        version=__version__,
        description=about,
        lifespan=lifespan,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        responses=REFUSALS,
        telemetry=_SILENT,
    )
    app.names, app.most = (address.host, *address.allow_host), most
    answer_refusals(app)
    return app
