"""The page and its files, read from the package and from nowhere else."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cantilena.studio.refusals import UnknownError

ROUTES = APIRouter(include_in_schema=False)
"""The addresses of this file."""

_LOOKED_AT = ["GET", "HEAD"]
_PAGE = Path(__file__).parent / "page"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}


@ROUTES.api_route("/", methods=_LOOKED_AT)
def page(request: Request) -> Response:
    """The page."""
    return _file("index.html", request)


@ROUTES.api_route("/favicon.ico", methods=_LOOKED_AT)
def icon(request: Request) -> Response:
    """The page's own picture, for browsers that ask for it by habit."""
    return _file("icon.svg", request)


@ROUTES.api_route("/page/{name:path}", methods=_LOOKED_AT)
def file(name: str, request: Request) -> Response:
    """A file of the page."""
    return _file(name, request)


def _file(name: str, request: Request) -> Response:
    if name not in _names():
        raise UnknownError("there is no such page", "open /")
    path = _PAGE / name
    content = path.read_bytes()
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[path.suffix], headers=headers)


def _names() -> set[str]:
    """All files of the page, by their paths in it: what is not among them does not exist, however it is spelled."""
    return {path.relative_to(_PAGE).as_posix() for path in _PAGE.rglob("*") if path.suffix in _TYPES and path.is_file()}
