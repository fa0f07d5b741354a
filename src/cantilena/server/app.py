"""The FastAPI application that both servers build on: request checks in front, JSON errors for every failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp

from cantilena.errors import __version__
from cantilena.server.error_responses import ERROR_RESPONSES, add_error_handlers
from cantilena.server.options import ServerOptions
from cantilena.server.origin_guard import OriginGuard
from cantilena.server.request_lifecycle import CancelOnDisconnect

_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class SecuredApp(FastAPI):
    """A FastAPI application whose checks also cover what Starlette answers by itself, such as a 500."""

    host_names: tuple[str, ...] = ()
    body_limit: int = 0

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap the whole stack."""
        app = CancelOnDisconnect(super().build_middleware_stack(), self.body_limit)
        return OriginGuard(app, self.host_names)


def secured_app(
    title: str,
    description: str,
    options: ServerOptions,
    *,
    max_body_size: int,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> SecuredApp:
    """Create an application without routes.

    Args:
        title: title in the OpenAPI description.
        description: text in the OpenAPI description.
        options: the host names that it answers to.
        max_body_size: bytes that a request body may have.
        lifespan: opens and closes the resources of the application.
    """
    app = SecuredApp(
        title=title,
        version=__version__,
        description=description,
        lifespan=lifespan,
        docs_url=None,  # both documentation pages load scripts from a CDN
        redoc_url=None,
        responses=ERROR_RESPONSES,
        telemetry=_NO_TELEMETRY,
    )
    app.host_names, app.body_limit = (options.host, *options.allow_host), max_body_size
    add_error_handlers(app)
    return app
