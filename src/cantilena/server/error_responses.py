"""How a server says no: a status, one line of what is wrong and one of what to do."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from cantilena.errors import BundleError, CantilenaError, InputError
from cantilena.runtime import log


class RefusalError(CantilenaError):
    """A request that is not answered, with the status that says why."""

    status = 422


class UnknownError(RefusalError):
    """There is nothing of that name."""

    status = 404


class CrowdedError(RefusalError):
    """Too many wait already."""

    status = 429


class LateError(RefusalError):
    """It took too long, or the server is closing."""

    status = 503


class RefusalShape(BaseModel):
    """What every refused request is answered with."""

    error: str = Field(description="What is wrong, in one line.")
    hint: str = Field(description="What to do about it, in one line.")


Answers = dict[int | str, dict[str, Any]]
"""Answers by status, for the description of the API."""

REFUSALS: Answers = {
    403: {"model": RefusalShape, "description": "The page of another site asked, or another name was called."},
    413: {"model": RefusalShape, "description": "The request is too large."},
    422: {"model": RefusalShape, "description": "The request makes no sense; the text says what in it."},
    429: {"model": RefusalShape, "description": "Too many requests wait already."},
    503: {"model": RefusalShape, "description": "It took too long."},
}
"""The refusals that any request may meet, for the description of the API."""

UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": RefusalShape, "description": "There is nothing of that name."}
}
"""The refusal of requests that name something."""

_WORDS = {
    404: ("there is no such page", "GET /openapi.json lists all that there is"),
    405: ("that method is not for this address", "GET /openapi.json lists all that there is"),
    400: ("the request cannot be read", "send JSON in UTF-8"),
}


def refused(status: int, error: str, hint: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that says no."""
    return JSONResponse({"error": _one_line(error), "hint": _one_line(hint)}, status, headers)


def answer_refusals(app: FastAPI) -> None:
    """Let an application answer every failure with a sentence, and never with a traceback."""

    async def of_ours(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, CantilenaError)
        status = error.status if isinstance(error, RefusalError) else 422
        if isinstance(error, InputError) and not isinstance(error, BundleError) and "cannot write" in error.text:
            status = 503
        return refused(status, error.text, error.hint, {"Retry-After": "2"} if status in (429, 503) else None)

    async def of_shapes(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0] if error.errors() else {"loc": (), "msg": "it does not fit"}
        place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
        wrong = _one_line(f"{place or 'the request'}: {first['msg']}")[:400]  # a key may hold half a surrogate pair
        return refused(422, wrong, "GET /openapi.json describes every request")

    async def of_starlette(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        text, hint = _WORDS.get(error.status_code, (str(error.detail), ""))
        status = 422 if error.status_code == 400 else error.status_code
        return refused(status, text, hint, dict(error.headers or {}))

    async def of_nobody(request: Request, error: Exception) -> JSONResponse:
        log(f"{request.method} {request.url.path}: unexpected {type(error).__name__}: {_one_line(str(error))}")
        return refused(500, "the server made a mistake", "try it again; if it stays, report what the terminal says")

    app.add_exception_handler(CantilenaError, of_ours)
    app.add_exception_handler(RequestValidationError, of_shapes)
    app.add_exception_handler(HTTPException, of_starlette)
    app.add_exception_handler(Exception, of_nobody)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))[:600]
