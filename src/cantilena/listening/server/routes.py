"""What the page of the people who run the study asks: how far it has come, and the answers as tables.

Nothing here tells what was answered so far: a study that is looked into may be stopped when it looks well.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from cantilena.listening.analysis.answers import Given, Listener, csv_text
from cantilena.listening.server.schemas import Progress
from cantilena.listening.server.state import ADMIN, Here

ROUTES = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[ADMIN])
"""The addresses of this file."""

_TABLE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@ROUTES.get("/progress", response_model=Progress)
def progress(room: Here) -> dict[str, Any]:
    """How far the study has come."""
    study, listeners = room.study, room.book.listeners()
    answered = Counter(one.listener for one in room.book.answers())
    rows = [
        {
            "listener": one.listener,
            "session": one.session,
            "answered": answered[one.listener],
            "of": len(study.sessions[one.session]),
            "headphones": one.headphones,
        }
        for one in listeners
    ]
    finished = [row for row in rows if row["answered"] == row["of"]]
    counted = {row["session"] for row in finished if row["headphones"] or not study.screening.headphones}
    return {
        "title": study.title, "digest": study.digest, "sessions": len(study.sessions),
        "consented": room.book.sittings(), "began": len(rows), "finished": len(finished), "complete": len(counted),
        "answers": answered.total(), "listeners": rows,
    }  # fmt: skip


@ROUTES.get("/listeners.csv", response_class=Response, responses=_TABLE)
def listeners_table(room: Here) -> Response:
    """The table of the listeners, as `cantilena listen analyse` reads it."""
    return Response(csv_text(Listener, room.book.listeners()), media_type="text/csv; charset=utf-8")


@ROUTES.get("/answers.csv", response_class=Response, responses=_TABLE)
def answers_table(room: Here) -> Response:
    """The table of the answers, as `cantilena listen analyse` reads it."""
    return Response(csv_text(Given, room.book.answers()), media_type="text/csv; charset=utf-8")
