"""A small application behind all checks, as a test client and on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from pydantic import BaseModel

from cantilena.errors import UsageError
from cantilena.server import SecuredApp, ServerOptions, page_files, secured_app

LIMIT = 1000


class Text(BaseModel):
    text: str


def make_app(folder: Path, **options: object) -> SecuredApp:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = secured_app("Test", "A test.", ServerOptions(**options), max_body_size=LIMIT, lifespan=lifespan)  # type: ignore[arg-type]

    @app.get("/api/hello")
    def hello() -> str:
        return "hello"

    @app.post("/api/text")
    def text(body: Text) -> str:
        if body.text == "crash":
            raise ZeroDivisionError
        if body.text == "wrong":
            raise UsageError("the text is wrong", "send another")
        return body.text

    @app.post("/api/bytes")
    async def size(request: Request) -> int:
        return len(await request.body())

    app.include_router(page_files(folder, {"": "index.html"}))
    return app


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of page files, with a file beside it that must not be served."""
    folder = tmp_path_factory.mktemp("pages") / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text("<!DOCTYPE html>")
    (folder / "main.js").write_text("export {};")
    (folder / "parts" / "part.css").write_text("p {}")
    (folder.parent / "secret.py").write_text("import secret")
    return folder


@pytest.fixture(scope="session")
def client(page_folder: Path) -> TestClient:
    return TestClient(make_app(page_folder), base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


@pytest.fixture(scope="session")
def port(page_folder: Path, serve: Callable[[Any], AbstractContextManager[int]]) -> Iterator[int]:
    """The port of a server that runs in a thread."""
    with serve(make_app(page_folder)) as port:
        yield port
