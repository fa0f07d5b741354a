"""Pages and their files, read from the package and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cantilena.server.error_responses import UnknownError

_LOOKED_AT = ["GET", "HEAD"]
_OURS = Path(__file__).parent / "page"

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


def page_files(folder: Path, pages: Mapping[str, str]) -> APIRouter:
    """The addresses of pages and of their files, `/page/NAME`: those of a folder, and those that all pages share.

    Args:
        folder: of the files.
        pages: for each address, without its `/`, the file of the page there.
    """
    routes, found = APIRouter(include_in_schema=False), _found(folder)

    def add(address: str, name: str) -> None:
        def page(request: Request) -> Response:
            return _answer(found.get(name), request)

        routes.add_api_route(f"/{address}", page, methods=_LOOKED_AT)

    def file(name: str, request: Request) -> Response:
        return _answer(found.get(name), request)

    for address, name in {**pages, "favicon.ico": "icon.svg"}.items():
        add(address, name)
    routes.add_api_route("/page/{name:path}", file, methods=_LOOKED_AT)
    return routes


def _answer(path: Path | None, request: Request) -> Response:
    if path is None:
        raise UnknownError("there is no such page", "open /")
    content = path.read_bytes()
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[path.suffix], headers=headers)


def _found(folder: Path) -> dict[str, Path]:
    """All files by their paths in the folders: what is not among them does not exist, however it is spelled."""
    return {
        path.relative_to(place).as_posix(): path
        for place in (_OURS, folder)
        for path in place.rglob("*")
        if path.suffix in _TYPES and path.is_file()
    }
