"""The FastAPI application of both servers: request checks in front, JSON errors for every failure, and page files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Scope

from cantilena.errors import __version__
from cantilena.server.error_responses import ERROR_RESPONSES, add_error_handlers
from cantilena.server.middleware import CancelOnDisconnect, OriginGuard
from cantilena.server.options import ServerOptions

_METHODS = ["GET", "HEAD"]
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


def page_files(folder: Path, pages: Mapping[str, str]) -> APIRouter:
    """Create the routes of pages and of their files: `/page/NAME`.

    Args:
        folder: the files of these pages; those in `server/page` are shared by all pages.
        pages: for each address, without its leading slash, the name of an HTML file.
    """
    files = _PageFiles(directory=folder, packages=[("cantilena.server", "page")])
    router = APIRouter(include_in_schema=False)

    def serve(name: str) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            return await files.get_response(name, request.scope)

        return page

    async def file(name: str, request: Request) -> Response:
        return await files.get_response(name, request.scope)

    for address, name in {**pages, "favicon.ico": "icon.svg"}.items():
        router.add_api_route(f"/{address}", serve(name), methods=_METHODS)
    router.add_api_route("/page/{name:path}", file, methods=_METHODS)
    return router


class _PageFiles(StaticFiles):
    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Find a file by its exact path: without `..`, doubled or trailing slashes."""
        return super().lookup_path(path) if posixpath.normpath(path) == path else ("", None)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
