"""What a listener's page asks. Everything that is sent may be sent again: the first time counts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from cantilena.listening.analysis.answers import Given
from cantilena.listening.server.database import Sitting
from cantilena.listening.server.schemas import About, Begun, Consent, Quietest, State, Training, TrialAnswer
from cantilena.listening.server.session import Place
from cantilena.listening.server.state import MOST_SITTINGS, Here, ListeningRoom, Mine
from cantilena.server import UNKNOWN, Answers
from cantilena.server.error_responses import RefusalShape

_NOT_NOW: Answers = {409: {"model": RefusalShape, "description": "It is not the time for that."}, **UNKNOWN}

ROUTES = APIRouter(prefix="/api", tags=["listeners"], responses=_NOT_NOW)
"""The addresses of this file."""

Number = Annotated[int, Path(ge=0, le=10_000)]


@ROUTES.get("/study", response_model=About)
def about(room: Here) -> dict[str, Any]:
    """What anybody may know before they begin."""
    return room.about()


@ROUTES.post("/sittings", status_code=201, response_model=Begun)
def begin(_: Consent, room: Here, request: Request) -> dict[str, Any]:
    """Begin a sitting."""
    room.arrivals.let_in(request.client.host if request.client else "")
    key = room.book.begin(MOST_SITTINGS)
    return {"key": key, "state": room.state(room.book.sitting(key))}


@ROUTES.get("/sitting", response_model=State)
def where(room: Here, mine: Mine) -> dict[str, Any]:
    """Where a listener is."""
    return room.state(mine)


@ROUTES.get(
    "/sitting/sound",
    response_class=Response,
    responses={200: {"content": {"audio/flac": {"schema": {"type": "string", "format": "binary"}}}}},
)
def sound(room: Here, mine: Mine) -> Response:
    """What sounds where the listener is: as many bytes for every clip, under no name."""
    content, ticket = room.sound(mine)
    return Response(content, media_type="audio/flac", headers={"X-Ticket": ticket})


@ROUTES.put("/sitting/training", response_model=State)
def training(sent: Training, room: Here, mine: Mine) -> dict[str, Any]:
    """Say for how many years one has had lessons."""
    room.step(mine, Place("training"), "" if sent.years is None else str(sent.years))
    return _now(room, mine)


@ROUTES.put("/sitting/headphones/{turn}/{number}", response_model=State)
def headphones(turn: Number, number: Number, sent: Quietest, room: Here, mine: Mine) -> dict[str, Any]:
    """Say which of three tones was the quietest."""
    room.step(mine, Place("headphones", number, turn=turn), str(sent.quietest))
    return _now(room, mine)


@ROUTES.put("/sitting/volume", response_model=State)
def volume(room: Here, mine: Mine) -> dict[str, Any]:
    """Say that the volume is set."""
    room.step(mine, Place("volume"))
    return _now(room, mine)


@ROUTES.put("/sitting/practice/{number}", response_model=State)
def practice(number: Number, room: Here, mine: Mine) -> dict[str, Any]:
    """Go on after a trial for practice; what was answered is not kept."""
    room.step(mine, Place("practice", number))
    return _now(room, mine)


@ROUTES.put("/sitting/ready", response_model=State)
def ready(room: Here, mine: Mine) -> dict[str, Any]:
    """Begin the trials."""
    room.seat(mine)
    return _now(room, mine)


@ROUTES.put("/sitting/pause/{number}", response_model=State)
def pause(number: Number, room: Here, mine: Mine) -> dict[str, Any]:
    """Go on after a pause."""
    room.step(mine, Place("pause", number))
    return _now(room, mine)


@ROUTES.put("/sitting/answers/{position}", response_model=State)
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
