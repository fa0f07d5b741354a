"""Composing, rewriting and judging."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from cantilena.server import UNKNOWN
from cantilena.studio.routes.sse import EVENTS, event, failure_event, wants_events
from cantilena.studio.schemas.requests import (
    ComposeRequest,
    InterpolateRequest,
    JudgeRequest,
    RewriteRequest,
    VaryRequest,
)
from cantilena.studio.schemas.responses import Candidate, Candidates, MelodyVerdict, Verdicts
from cantilena.studio.services.compose import NewNotes, compose, interpolate, rewrite, vary
from cantilena.studio.services.executor import Deadline
from cantilena.studio.state import Here, Studio

ROUTES = APIRouter(prefix="/api", tags=["composing"])
"""The addresses of this file."""

Drawn = Callable[[Deadline], Iterator[NewNotes | Candidate]]
"""Composes, and gives what there is as soon as it is there."""


@ROUTES.post("/compose", response_model=Candidates, responses={**UNKNOWN, 200: EVENTS})
async def compose_melodies(asked: ComposeRequest, request: Request, studio: Here) -> Any:  # noqa: ANN401
    """Compose melodies from a primer.

    With `Accept: text/event-stream` it answers in events: `notes` (`number`, `notes`, `length`) while notes are drawn,
    `candidate` for each melody that is finished, `done` (`seconds`) at the end, or `error` (`error`, `hint`).
    """
    return await _answer(studio, request, lambda deadline: compose(asked, studio.composers, studio.judge, deadline))


@ROUTES.post("/rewrite", response_model=Candidates, responses={**UNKNOWN, 200: EVENTS})
async def rewrite_bars(asked: RewriteRequest, request: Request, studio: Here) -> Any:  # noqa: ANN401
    """Compose some bars of a melody anew, so that they fit what comes before and after; answers as compose does.

    In events, each candidate's `notes` and `candidate` come before the next one is begun.
    """
    return await _answer(studio, request, lambda deadline: rewrite(asked, studio.composers, studio.judge, deadline))


@ROUTES.post("/interpolate", response_model=Candidates, responses={**UNKNOWN, 200: EVENTS})
async def interpolate_melodies(asked: InterpolateRequest, request: Request, studio: Here) -> Any:  # noqa: ANN401
    """Go from one melody to another in steps, with a model that is a VAE; answers as compose does."""
    return await _answer(studio, request, lambda deadline: interpolate(asked, studio.composers, studio.judge, deadline))


@ROUTES.post("/vary", response_model=Candidates, responses={**UNKNOWN, 200: EVENTS})
async def vary_melody(asked: VaryRequest, request: Request, studio: Here) -> Any:  # noqa: ANN401
    """Vary a melody by more or less, with a model that is a VAE; answers as compose does."""
    return await _answer(studio, request, lambda deadline: vary(asked, studio.composers, studio.judge, deadline))


@ROUTES.post("/judge")
async def judge(asked: JudgeRequest, studio: Here) -> Verdicts:
    """What rules say of melodies, note by note; what was judged before is answered at once."""
    rules = asked.rules.rules()
    melodies = [melody.melody() for melody in asked.melodies]

    def judged(deadline: Deadline) -> list[MelodyVerdict]:
        verdicts = []
        for melody in melodies:
            deadline.check()
            verdicts.append(studio.judge.verdict(melody, rules) or MelodyVerdict(total=0.0, rules=[], notes=[]))
        return verdicts

    return Verdicts(verdicts=await studio.bench.run(judged))


async def _answer(studio: Studio, request: Request, drawn: Drawn) -> Candidates | Response:
    if wants_events(request):
        studio.bench.check_room()  # while it can still be said by a status
        return StreamingResponse(_events(studio, drawn), media_type="text/event-stream")
    began = time.monotonic()

    def whole(deadline: Deadline) -> list[Candidate]:
        return [one for one in drawn(deadline) if isinstance(one, Candidate)]

    candidates = await studio.bench.run(whole)
    return Candidates(candidates=candidates, seconds=round(time.monotonic() - began, 4))


async def _events(studio: Studio, drawn: Drawn) -> AsyncIterator[bytes]:
    """What is drawn on the bench, sent while it is drawn; if nobody listens any more, the drawing ends."""
    began, loop = time.monotonic(), asyncio.get_running_loop()
    ready: asyncio.Queue[NewNotes | Candidate | None] = asyncio.Queue()

    def put(one: NewNotes | Candidate | None) -> None:
        loop.call_soon_threadsafe(ready.put_nowait, one)

    def draw(deadline: Deadline) -> None:
        for one in drawn(deadline):
            deadline.check()
            put(one)

    drawing = asyncio.ensure_future(studio.bench.run(draw))
    drawing.add_done_callback(lambda _: ready.put_nowait(None))
    try:
        while (one := await ready.get()) is not None:
            yield _event_of(one)
            await asyncio.sleep(0)  # what is ready need not wait, and that nobody listens any more must be seen
        await drawing
        yield event("done", {"seconds": round(time.monotonic() - began, 4)})
    except Exception as error:  # the answer has begun: what is wrong is told in an event
        yield failure_event(error)
    finally:
        drawing.cancel()


def _event_of(one: NewNotes | Candidate) -> bytes:
    if isinstance(one, Candidate):
        return event("candidate", one)
    return event(
        "notes", {"number": one.number, "notes": [note.model_dump() for note in one.notes], "length": one.length}
    )
