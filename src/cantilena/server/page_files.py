"""Serve the static files of a page, and nothing outside their folders."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

_METHODS = ["GET", "HEAD"]


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
