"""The listening test as a web application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from cantilena.listening.server import listener_routes, routes
from cantilena.listening.server.state import ListeningRoom
from cantilena.server import Address, guarded, page_files

_ABOUT = """\
The interface of `cantilena listen serve`. A sitting is opened by its key, `Authorization: Bearer KEY`. What is
refused is answered with `{"error": ..., "hint": ...}`.
"""

_PAGE = Path(__file__).parents[1] / "page"
_MOST_BYTES = 2**14


def make_app(room: ListeningRoom, address: Address) -> FastAPI:
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

    app = guarded("Cantilena listening test", _ABOUT, address, most=_MOST_BYTES, lifespan=lifespan)
    app.state.room = room
    app.include_router(listener_routes.ROUTES)
    app.include_router(routes.ROUTES)
    app.include_router(page_files(_PAGE, {"": "index.html", "admin": "admin.html"}))
    return app
