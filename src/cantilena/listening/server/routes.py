"""What the page of the people who run the study asks: how far it has come, and the answers as tables.

Nothing here tells what was answered so far: a study that is looked into may be stopped when it looks well.

What a listener's page asks. Everything that is sent may be sent again: the first time counts.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from cantilena.listening.analysis.answers import Given, Listener, csv_text
from cantilena.listening.server.database import Sitting
from cantilena.listening.server.schemas import About, Begun, Consent, Progress, Quietest, State, Training, TrialAnswer
from cantilena.listening.server.session import Place
from cantilena.listening.server.state import ADMIN, MOST_SITTINGS, Here, ListeningRoom, Mine
from cantilena.server import NOT_FOUND, Responses
from cantilena.server.error_responses import ErrorBody

ADMIN_ROUTES = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[ADMIN])
"""The addresses of this file."""

_TABLE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@ADMIN_ROUTES.get("/progress", response_model=Progress)
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


@ADMIN_ROUTES.get("/listeners.csv", response_class=Response, responses=_TABLE)
def listeners_table(room: Here) -> Response:
    """The table of the listeners, as `cantilena listen analyse` reads it."""
    return Response(csv_text(Listener, room.book.listeners()), media_type="text/csv; charset=utf-8")


@ADMIN_ROUTES.get("/answers.csv", response_class=Response, responses=_TABLE)
def answers_table(room: Here) -> Response:
    """The table of the answers, as `cantilena listen analyse` reads it."""
    return Response(csv_text(Given, room.book.answers()), media_type="text/csv; charset=utf-8")


_NOT_NOW: Responses = {409: {"model": ErrorBody, "description": "It is not the time for that."}, **NOT_FOUND}

LISTENER_ROUTES = APIRouter(prefix="/api", tags=["listeners"], responses=_NOT_NOW)
"""The addresses of this file."""

Number = Annotated[int, Path(ge=0, le=10_000)]


@LISTENER_ROUTES.get("/study", response_model=About)
def about(room: Here) -> dict[str, Any]:
    """What anybody may know before they begin."""
    return room.about()


@LISTENER_ROUTES.post("/sittings", status_code=201, response_model=Begun)
def begin(_: Consent, room: Here, request: Request) -> dict[str, Any]:
    """Begin a sitting."""
    room.arrivals.let_in(request.client.host if request.client else "")
    key = room.book.begin(MOST_SITTINGS)
    return {"key": key, "state": room.state(room.book.sitting(key))}


@LISTENER_ROUTES.get("/sitting", response_model=State)
def where(room: Here, mine: Mine) -> dict[str, Any]:
    """Where a listener is."""
    return room.state(mine)


@LISTENER_ROUTES.get(
    "/sitting/sound",
    response_class=Response,
    responses={200: {"content": {"audio/flac": {"schema": {"type": "string", "format": "binary"}}}}},
)
def sound(room: Here, mine: Mine) -> Response:
    """What sounds where the listener is: as many bytes for every clip, under no name."""
    content, ticket = room.sound(mine)
    return Response(content, media_type="audio/flac", headers={"X-Ticket": ticket})


@LISTENER_ROUTES.put("/sitting/training", response_model=State)
def training(sent: Training, room: Here, mine: Mine) -> dict[str, Any]:
    """Say for how many years one has had lessons."""
    room.step(mine, Place("training"), "" if sent.years is None else str(sent.years))
    return _now(room, mine)


@LISTENER_ROUTES.put("/sitting/headphones/{turn}/{number}", response_model=State)
def headphones(turn: Number, number: Number, sent: Quietest, room: Here, mine: Mine) -> dict[str, Any]:
    """Say which of three tones was the quietest."""
    room.step(mine, Place("headphones", number, turn=turn), str(sent.quietest))
    return _now(room, mine)


@LISTENER_ROUTES.put("/sitting/volume", response_model=State)
def volume(room: Here, mine: Mine) -> dict[str, Any]:
    """Say that the volume is set."""
    room.step(mine, Place("volume"))
    return _now(room, mine)


@LISTENER_ROUTES.put("/sitting/practice/{number}", response_model=State)
def practice(number: Number, room: Here, mine: Mine) -> dict[str, Any]:
    """Go on after a trial for practice; what was answered is not kept."""
    room.step(mine, Place("practice", number))
    return _now(room, mine)


@LISTENER_ROUTES.put("/sitting/ready", response_model=State)
def ready(room: Here, mine: Mine) -> dict[str, Any]:
    """Begin the trials."""
    room.seat(mine)
    return _now(room, mine)


@LISTENER_ROUTES.put("/sitting/pause/{number}", response_model=State)
def pause(number: Number, room: Here, mine: Mine) -> dict[str, Any]:
    """Go on after a pause."""
    room.step(mine, Place("pause", number))
    return _now(room, mine)


@LISTENER_ROUTES.put("/sitting/answers/{position}", response_model=State)
def answer(position: Number, sent: TrialAnswer, room: Here, mine: Mine) -> dict[str, Any]:
    """Answer a trial; the answer is on the disk before this answers."""
    given = Given(
        mine.listener, position, "item", "", sent.answer, sent.confidence, sent.knows_piece, sent.seconds_heard,
        sent.liking, sent.classical,
    )  # fmt: skip
    room.answer(mine, given, sent.ticket)
    return _now(room, mine)


def _now(room: ListeningRoom, mine: Sitting) -> dict[str, Any]:
    """Where the listener is after what was written down."""
    return room.state(room.book.of_listener(mine.listener))
