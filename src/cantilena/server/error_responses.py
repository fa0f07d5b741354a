"""Error responses: a status, one line that says what is wrong, and one that says what to do."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from cantilena.errors import BundleError, CantilenaError, InputError
from cantilena.runtime import log


class HTTPError(CantilenaError):
    """A request that cannot be fulfilled, with its HTTP status."""

    status = 422


class NotFoundError(HTTPError):
    """Nothing has this name or id."""

    status = 404


class TooManyRequestsError(HTTPError):
    """The queue is full."""

    status = 429


class UnavailableError(HTTPError):
    """The request took too long, the disk failed, or the server is shutting down."""

    status = 503


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: str = Field(description="What is wrong, in one line.")
    hint: str = Field(description="What to do, in one line.")


Responses = dict[int | str, dict[str, Any]]
"""Responses by status, as the `responses` of a FastAPI route."""

ERROR_RESPONSES: Responses = {
    403: {"model": ErrorBody, "description": "The request comes from another site, or names another host."},
    413: {"model": ErrorBody, "description": "The request body is too large."},
    422: {"model": ErrorBody, "description": "The request is invalid; the text says why."},
    429: {"model": ErrorBody, "description": "Too many requests are waiting."},
    503: {"model": ErrorBody, "description": "The request took too long, or the server cannot handle it now."},
}
"""The error responses that every route can give."""

NOT_FOUND: Responses = {404: {"model": ErrorBody, "description": "Nothing has this name or id."}}
"""The error response of routes that look something up."""

_STARLETTE_ERRORS = {
    400: (422, "the request cannot be parsed", "send JSON in UTF-8"),
    404: (404, "there is no such page", "GET /openapi.json lists all addresses"),
    405: (405, "this address does not support the method", "GET /openapi.json lists all addresses and methods"),
}


def error_response(status: int, error: str, hint: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """Create an error response."""
    return JSONResponse({"error": _single_line(error), "hint": _single_line(hint)}, status, headers)


def add_error_handlers(app: FastAPI) -> None:
    """Make an application answer every exception with an error response."""
    app.add_exception_handler(CantilenaError, _handle_cantilena_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_starlette_error)
    app.add_exception_handler(Exception, _handle_unexpected_error)


async def _handle_cantilena_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CantilenaError)
    status = error.status if isinstance(error, HTTPError) else 422
    if isinstance(error, InputError) and not isinstance(error, BundleError) and "cannot write" in error.text:
        status = 503
    return error_response(status, error.text, error.hint, {"Retry-After": "2"} if status in (429, 503) else None)


async def _handle_validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = next(iter(error.errors()), {"loc": (), "msg": "it is invalid"})
    field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    text = _single_line(f"{field or 'the request'}: {first['msg']}")[:400]  # a key may hold half a surrogate pair
    return error_response(422, text, "GET /openapi.json describes every request")


async def _handle_starlette_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    unchanged = (error.status_code, str(error.detail), "")
    status, text, hint = _STARLETTE_ERRORS.get(error.status_code, unchanged)
    return error_response(status, text, hint, dict(error.headers or {}))


async def _handle_unexpected_error(request: Request, error: Exception) -> JSONResponse:
    log(f"{request.method} {request.url.path}: unexpected {type(error).__name__}: {_single_line(str(error))}")
    return error_response(500, "internal server error", "try again; if it persists, report what the terminal says")


def _single_line(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))[:600]
