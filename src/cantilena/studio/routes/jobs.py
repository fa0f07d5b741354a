"""Long work behind the page, and the pages that wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from cantilena.server import UNKNOWN, Answers
from cantilena.studio.routes.sse import EVENTS, event
from cantilena.studio.schemas.requests import JobRequest
from cantilena.studio.schemas.responses import JobAnswer, Jobs
from cantilena.studio.services.jobs import Tuning, Tunings
from cantilena.studio.state import Here, Pages

ROUTES = APIRouter(prefix="/api", tags=["tuning"])
"""The addresses of this file."""

JobId = Annotated[str, Path(max_length=32, description="The `id` of a job.")]
PageId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$", description="Any id that a page gives itself.")]
_STREAM: Answers = {200: {**EVENTS, "description": "Events until it is over."}}


@ROUTES.post("/jobs", status_code=202, responses=UNKNOWN)
async def begin(asked: JobRequest, studio: Here) -> JobAnswer:
    """Tune a model on rules, in the background; tunings wait for each other."""
    job = studio.tunings.add(asked)
    studio.pages.expect(asked.page)
    return JobAnswer(job=studio.tunings.told(job))


@ROUTES.get("/jobs")
async def jobs(studio: Here) -> Jobs:
    """All jobs since the studio opened, the newest last."""
    return Jobs(jobs=[studio.tunings.told(job) for job in studio.tunings.all])


@ROUTES.get("/jobs/{number}", responses=UNKNOWN)
async def job(number: JobId, studio: Here) -> JobAnswer:
    """One job."""
    return JobAnswer(job=studio.tunings.told(studio.tunings.find(number)))


@ROUTES.delete("/jobs/{number}", responses=UNKNOWN)
async def cancel(number: JobId, studio: Here) -> JobAnswer:
    """Cancel a job; one that is over stays as it is."""
    found = studio.tunings.find(number)
    studio.tunings.cancel(found)
    return JobAnswer(job=studio.tunings.told(found))


@ROUTES.get("/jobs/{number}/events", response_class=StreamingResponse, responses={**UNKNOWN, **_STREAM})
async def follow(number: JobId, studio: Here) -> StreamingResponse:
    """A job at every change as server-sent events `job`, until it is over."""
    found = studio.tunings.find(number)
    return StreamingResponse(_told(studio.tunings, found), media_type="text/event-stream")


@ROUTES.get("/pages/{page}/events", response_class=StreamingResponse, responses=_STREAM)
async def hold(page: PageId, studio: Here) -> StreamingResponse:
    """A stream that a page holds open: five seconds after it is closed, the page's jobs are cancelled."""
    return StreamingResponse(_held(studio.pages, page), media_type="text/event-stream")


async def _told(tunings: Tunings, job: Tuning) -> AsyncIterator[bytes]:
    async for told in tunings.follow(job):
        yield event("job", told)


async def _held(pages: Pages, page: str) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async for _ in pages.hold(page):
        yield b": here\n\n"
