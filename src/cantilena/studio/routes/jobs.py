"""Background tunings, and the streams by which open pages are known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event

from cantilena.server import NOT_FOUND, Responses
from cantilena.studio.routes.sse import EVENT_STREAM, event
from cantilena.studio.schemas.requests import JobRequest
from cantilena.studio.schemas.responses import JobAnswer, Jobs
from cantilena.studio.services.jobs import TuningJob, TuningQueue
from cantilena.studio.state import OpenPages, StudioDep

router = APIRouter(prefix="/api", tags=["tuning"])

JobId = Annotated[str, Path(max_length=32, description="The `id` of a job.")]
PageId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$", description="Any id that the page chooses for itself.")]

_STREAM: Responses = {200: {**EVENT_STREAM, "description": "A stream of events."}}


@router.post("/jobs", status_code=202, responses=NOT_FOUND)
async def start_job(body: JobRequest, studio: StudioDep) -> JobAnswer:
    """Tune a model on rules in the background; tunings run one after another."""
    job = studio.tunings.add(body)
    studio.pages.expect(body.page)
    return JobAnswer(job=studio.tunings.describe(job))


@router.get("/jobs")
async def jobs(studio: StudioDep) -> Jobs:
    """List all jobs since the studio was started, the newest last."""
    return Jobs(jobs=[studio.tunings.describe(job) for job in studio.tunings.jobs])


@router.get("/jobs/{number}", responses=NOT_FOUND)
async def job(number: JobId, studio: StudioDep) -> JobAnswer:
    """Return one job."""
    return JobAnswer(job=studio.tunings.describe(studio.tunings.find(number)))


@router.delete("/jobs/{number}", responses=NOT_FOUND)
async def cancel_job(number: JobId, studio: StudioDep) -> JobAnswer:
    """Cancel a job; one that has ended stays as it is."""
    found = studio.tunings.find(number)
    studio.tunings.cancel(found)
    return JobAnswer(job=studio.tunings.describe(found))


@router.get("/jobs/{number}/events", response_class=StreamingResponse, responses={**NOT_FOUND, **_STREAM})
async def follow_job(number: JobId, studio: StudioDep) -> EventSourceResponse:
    """Send a job at every change as server-sent events `job`, until it has ended."""
    return EventSourceResponse(_job_events(studio.tunings, studio.tunings.find(number)))


@router.get("/pages/{page}/events", response_class=StreamingResponse, responses=_STREAM)
async def open_page(page: PageId, studio: StudioDep) -> EventSourceResponse:
    """Hold a stream open while a page is open: five seconds after it ends, the page's jobs are cancelled."""
    return EventSourceResponse(_page_events(studio.pages, page))


async def _job_events(tunings: TuningQueue, job: TuningJob) -> AsyncIterator[bytes]:
    async for state in tunings.follow(job):
        yield event("job", state)


async def _page_events(pages: OpenPages, page: str) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=1000)
    async for _ in pages.stream(page):
        yield format_sse_event(comment="open")
