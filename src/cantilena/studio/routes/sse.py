"""Server-sent events: responses that are sent piece by piece."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.sse import format_sse_event
from pydantic import BaseModel

from cantilena.errors import CantilenaError
from cantilena.runtime import log

EVENT_STREAM: dict[str, Any] = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
"""The OpenAPI description of a response in events."""


def wants_events(request: Request) -> bool:
    """Return whether a request accepts a response in events."""
    return "text/event-stream" in request.headers.get("accept", "")


def event(name: str, data: BaseModel | Mapping[str, Any]) -> bytes:
    r"""Encode one event.

    Examples:
        >>> event("done", {"seconds": 0.1})
        b'event: done\ndata: {"seconds": 0.1}\n\n'
    """
    text = data.model_dump_json() if isinstance(data, BaseModel) else json.dumps(data, allow_nan=False)
    return format_sse_event(event=name, data_str=text)


def error_event(error: Exception) -> bytes:
    """Encode an exception as an event."""
    if isinstance(error, CantilenaError):
        return event("error", {"error": error.text, "hint": error.hint})
    log(f"unexpected {type(error).__name__}: {error}")
    return event("error", {"error": "internal server error", "hint": "report what the terminal says"})
