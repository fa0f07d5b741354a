"""Composing, rewriting, interpolating, varying, answering and judging."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.sse import EventSourceResponse

from cantilena.server import NOT_FOUND, Responses
from cantilena.studio.routes.sse import EVENT_STREAM, error_event, event, wants_events
from cantilena.studio.schemas.melody import MelodySchema
from cantilena.studio.schemas.requests import (
    AnswerRequest,
    CallRequest,
    ComposeRequest,
    InterpolateRequest,
    JudgeRequest,
    RewriteRequest,
    RewriteSectionRequest,
    VaryRequest,
)
from cantilena.studio.schemas.responses import Answer, CallMelody, Candidate, Candidates, MelodyVerdict, Verdicts
from cantilena.studio.services.compose import Events, NewNotes
from cantilena.studio.services.executor import Deadline
from cantilena.studio.state import Studio, StudioDep

router = APIRouter(prefix="/api", tags=["composing"])

_RESPONSES: Responses = {**NOT_FOUND, 200: EVENT_STREAM}


@router.post("/compose", response_model=Candidates, responses=_RESPONSES)
async def compose(body: ComposeRequest, request: Request, studio: StudioDep) -> Any:  # noqa: ANN401
    """Compose melodies from a primer.

    With `Accept: text/event-stream` the response is a stream of events: `notes` (`number`, `notes`, `length`,
    `pickup`) while notes are sampled, `candidate` for each complete melody, and at the end `done` (`seconds`) or
    `error` (`error`, `hint`).
    """
    return await _respond(studio, request, lambda deadline: studio.composing.compose(body, deadline))


@router.post("/rewrite", response_model=Candidates, responses=_RESPONSES)
async def rewrite(body: RewriteRequest, request: Request, studio: StudioDep) -> Any:  # noqa: ANN401
    """Compose some bars of a melody anew, so that they fit what comes before and after; responds as compose does.

    In events, the `notes` and `candidate` of each candidate come before the next one is begun.
    """
    return await _respond(studio, request, lambda deadline: studio.composing.rewrite(body, deadline))


@router.post("/rewrite-section", response_model=Candidates, responses=_RESPONSES)
async def rewrite_section(body: RewriteSectionRequest, request: Request, studio: StudioDep) -> Any:  # noqa: ANN401
    """Compose a section of a form and all its returns anew; responds as rewrite does.

    The first section of its letter is composed, literal returns repeat it note by note, varied ones with another end.
    """
    return await _respond(studio, request, lambda deadline: studio.composing.rewrite_section(body, deadline))


@router.post("/interpolate", response_model=Candidates, responses=_RESPONSES)
async def interpolate(body: InterpolateRequest, request: Request, studio: StudioDep) -> Any:  # noqa: ANN401
    """Interpolate between two melodies with a VAE; responds as compose does."""
    return await _respond(studio, request, lambda deadline: studio.composing.interpolate(body, deadline))


@router.post("/vary", response_model=Candidates, responses=_RESPONSES)
async def vary(body: VaryRequest, request: Request, studio: StudioDep) -> Any:  # noqa: ANN401
    """Vary a melody with a VAE; responds as compose does."""
    return await _respond(studio, request, lambda deadline: studio.composing.vary(body, deadline))


@router.post("/call")
async def call(body: CallRequest) -> CallMelody:
    """Write notes as they were played as a melody of whole bars, without answering it."""
    return CallMelody(melody=MelodySchema.from_melody(body.to_melody()))


@router.post("/answer", responses=NOT_FOUND)
async def answer(body: AnswerRequest, studio: StudioDep) -> Answer:
    """Answer a call that was played with as many bars, in its key, meter and tempo.

    The answer of a model that has learned forms ends on the tonic.
    """
    return await studio.executor.run(lambda deadline: studio.composing.answer(body, deadline))


@router.post("/judge")
async def judge(body: JudgeRequest, studio: StudioDep) -> Verdicts:
    """Judge melodies by rules, note by note; melodies that were judged before are answered at once."""
    rules = body.rules.to_rule_set()
    melodies = [melody.to_melody() for melody in body.melodies]

    def verdicts(deadline: Deadline) -> list[MelodyVerdict]:
        found = []
        for melody in melodies:
            deadline.check()
            found.append(studio.verdicts.verdict(melody, rules) or MelodyVerdict(total=0.0, rules=[], notes=[]))
        return found

    return Verdicts(verdicts=await studio.executor.run(verdicts))


async def _respond(studio: Studio, request: Request, generate: Callable[[Deadline], Events]) -> Candidates | Response:
    if wants_events(request):
        studio.executor.check_capacity()  # now, while the error can still be a status
        return EventSourceResponse(_stream(studio, generate))
    started = time.monotonic()

    def candidates(deadline: Deadline) -> list[Candidate]:
        return [item for item in generate(deadline) if isinstance(item, Candidate)]

    found = await studio.executor.run(candidates)
    return Candidates(candidates=found, seconds=round(time.monotonic() - started, 4))


async def _stream(studio: Studio, generate: Callable[[Deadline], Events]) -> AsyncIterator[bytes]:
    """Send what a thread of the executor generates; if the client disconnects, the thread stops."""
    started, loop = time.monotonic(), asyncio.get_running_loop()
    ready: asyncio.Queue[NewNotes | Candidate | None] = asyncio.Queue()

    def run(deadline: Deadline) -> None:
        for item in generate(deadline):
            deadline.check()
            loop.call_soon_threadsafe(ready.put_nowait, item)

    work = asyncio.ensure_future(studio.executor.run(run))
    work.add_done_callback(lambda _: ready.put_nowait(None))
    try:
        while (item := await ready.get()) is not None:
            yield _encode(item)
            await asyncio.sleep(0)  # `get` does not suspend while items are ready, and then cancelling has no effect
        await work
        yield event("done", {"seconds": round(time.monotonic() - started, 4)})
    except Exception as error:  # the response has begun: its status cannot change any more
        yield error_event(error)
    finally:
        work.cancel()


def _encode(item: NewNotes | Candidate) -> bytes:
    if isinstance(item, Candidate):
        return event("candidate", item)
    notes = [note.model_dump() for note in item.notes]
    return event("notes", {"number": item.number, "notes": notes, "length": item.length, "pickup": item.pickup})
