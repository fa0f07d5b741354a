"""Routes of the page for listeners and of the admin page.

Every request of a participant may be repeated: the first one counts. The admin page shows the progress but no results,
so that a study is not stopped when they look favourable.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from cantilena.listening.analysis.answers import Answer, Listener, csv_text
from cantilena.listening.server import schemas
from cantilena.listening.server.session import Step
from cantilena.listening.server.state import ADMIN, MAX_PARTICIPANTS, CurrentParticipant, Served
from cantilena.server import NOT_FOUND, Responses, TooManyRequestsError
from cantilena.server.error_responses import ErrorBody

ADMIN_ROUTES = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[ADMIN])
"""Routes of the admin page."""

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_CSV_TYPE = "text/csv; charset=utf-8"


@ADMIN_ROUTES.get("/progress")
def progress(served: Served) -> schemas.Progress:
    """Return the progress of the study, without results."""
    study = served.study
    answered = Counter(answer.listener for answer in served.store.answers())
    rows = [
        schemas.ListenerRow(
            listener=row.listener,
            session=row.session,
            answered=answered[row.listener],
            of=len(study.sessions[row.session]),
            headphones=row.headphones,
        )
        for row in served.store.listeners()
    ]
    finished = [row for row in rows if row.answered == row.of]
    complete = {row.session for row in finished if row.headphones or not study.screening.headphones}
    return schemas.Progress(
        title=study.title,
        digest=study.digest,
        sessions=len(study.sessions),
        consented=served.store.count_participants(),
        began=len(rows),
        finished=len(finished),
        complete=len(complete),
        answers=answered.total(),
        listeners=rows,
    )


@ADMIN_ROUTES.get("/listeners.csv", response_class=Response, responses=_CSV)
def listeners_table(served: Served) -> Response:
    """Return the listeners as CSV, in the form that `cantilena listen analyse` reads."""
    return Response(csv_text(Listener, served.store.listeners()), media_type=_CSV_TYPE)


@ADMIN_ROUTES.get("/answers.csv", response_class=Response, responses=_CSV)
def answers_table(served: Served) -> Response:
    """Return the answers as CSV, in the form that `cantilena listen analyse` reads."""
    return Response(csv_text(Answer, served.store.answers()), media_type=_CSV_TYPE)


_CONFLICT: Responses = {409: {"model": ErrorBody, "description": "It is not the next step."}, **NOT_FOUND}

LISTENER_ROUTES = APIRouter(prefix="/api", tags=["listeners"], responses=_CONFLICT)
"""Routes of the page for listeners."""

Number = Annotated[int, Path(ge=0, le=10_000)]


@LISTENER_ROUTES.get("/study")
def about(served: Served) -> schemas.About:
    """Return what is public before consent."""
    return served.about()


@LISTENER_ROUTES.post("/sittings", status_code=201)
def begin(_: schemas.Consent, served: Served, request: Request) -> schemas.Begun:
    """Add a participant who consents, and return their key and their first step."""
    if not served.rate_limit.allows(request.client.host if request.client else ""):
        raise TooManyRequestsError("too many participants begin from this address", "wait a moment")
    key = served.store.add_participant(MAX_PARTICIPANTS)
    return schemas.Begun(key=key, state=served.state_of(served.store.participant(key)))


@LISTENER_ROUTES.get("/sitting")
def current_step(served: Served, participant: CurrentParticipant) -> schemas.State:
    """Return the current step of a participant."""
    return served.state_of(participant)


@LISTENER_ROUTES.get(
    "/sitting/sound",
    response_class=Response,
    responses={200: {"content": {"audio/flac": {"schema": {"type": "string", "format": "binary"}}}}},
)
def sound(served: Served, participant: CurrentParticipant) -> Response:
    """Return the sound of the current step; neither its size nor a name identifies the clip."""
    content, token = served.sound(participant)
    return Response(content, media_type="audio/flac", headers={"X-Ticket": token})


@LISTENER_ROUTES.put("/sitting/training")
def training(sent: schemas.Training, served: Served, participant: CurrentParticipant) -> schemas.State:
    """Store the years of musical training."""
    served.complete(participant, Step("training"), "" if sent.years is None else str(sent.years))
    return served.state_of(served.store.reload(participant.listener))


@LISTENER_ROUTES.put("/sitting/headphones/{turn}/{number}")
def headphones(
    turn: Number, number: Number, sent: schemas.Quietest, served: Served, participant: CurrentParticipant
) -> schemas.State:
    """Store an answer of the headphone check."""
    served.complete(participant, Step("headphones", number, attempt=turn), str(sent.quietest))
    return served.state_of(served.store.reload(participant.listener))


@LISTENER_ROUTES.put("/sitting/volume")
def volume(served: Served, participant: CurrentParticipant) -> schemas.State:
    """Confirm that the volume is set."""
    served.complete(participant, Step("volume"))
    return served.state_of(served.store.reload(participant.listener))


@LISTENER_ROUTES.put("/sitting/practice/{number}")
def practice(number: Number, served: Served, participant: CurrentParticipant) -> schemas.State:
    """Complete a practice trial; its answer is not stored."""
    served.complete(participant, Step("practice", number))
    return served.state_of(served.store.reload(participant.listener))


@LISTENER_ROUTES.put("/sitting/ready")
def ready(served: Served, participant: CurrentParticipant) -> schemas.State:
    """Begin the trials, in a session that is assigned now."""
    served.begin_trials(participant)
    return served.state_of(served.store.reload(participant.listener))


@LISTENER_ROUTES.put("/sitting/pause/{number}")
def pause(number: Number, served: Served, participant: CurrentParticipant) -> schemas.State:
    """Continue after a pause."""
    served.complete(participant, Step("pause", number))
    return served.state_of(served.store.reload(participant.listener))


@LISTENER_ROUTES.put("/sitting/answers/{position}")
def answer(
    position: Number, sent: schemas.TrialAnswer, served: Served, participant: CurrentParticipant
) -> schemas.State:
    """Store the answer to a trial, on disk before the response is sent."""
    served.answer(participant, position, sent)
    return served.state_of(served.store.reload(participant.listener))
