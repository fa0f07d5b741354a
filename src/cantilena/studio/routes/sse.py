"""Server-sent events: how answers are told while they come about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from cantilena.errors import CantilenaError
from cantilena.runtime import log

EVENTS: dict[str, Any] = {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
"""For the description of the API: it answers in events where they are asked for."""


def wants_events(request: Request) -> bool:
    """Whether a request asks for an answer in events."""
    return "text/event-stream" in request.headers.get("accept", "")


def event(name: str, content: BaseModel | Mapping[str, Any]) -> bytes:
    r"""One event as it is sent: JSON never holds a line break.

    Example:
        >>> event("done", {"seconds": 0.1})
        b'event: done\ndata: {"seconds": 0.1}\n\n'
    """
    text = content.model_dump_json() if isinstance(content, BaseModel) else json.dumps(content, allow_nan=False)
    return f"event: {name}\ndata: {text}\n\n".encode()


def failure_event(error: Exception) -> bytes:
    """What is wrong, as an event."""
    if isinstance(error, CantilenaError):
        return event("error", {"error": error.text, "hint": error.hint})
    log(f"unexpected {type(error).__name__}: {error}")
    return event("error", {"error": "the server made a mistake", "hint": "report what the terminal says"})
