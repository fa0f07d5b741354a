"""Background tunings: one at a time, in the order of the requests, each in a process of its own."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cantilena.errors import UsageError
from cantilena.models import Bundle
from cantilena.runtime import Failure, Worker
from cantilena.server import NotFoundError, TooManyRequestsError
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.requests import JobRequest
from cantilena.studio.schemas.responses import Curves, Job, JobState
from cantilena.studio.services.models import ModelRegistry
from cantilena.studio.services.tuning_worker import TuningTask, tune_in_worker

_MAX_JOBS = 100
"""Jobs that are listed; of more, the oldest that have ended are dropped."""

_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""PyTorch uses several threads, the other libraries one."""

_EVENT_INTERVAL = 0.25
"""Seconds between two events of a job."""


@dataclass(eq=False)
class TuningJob:
    """A tuning, from the request to its end."""

    task: TuningTask
    title: str
    source: str
    """The model that is tuned."""

    page: str
    """The page that it belongs to; empty for none."""

    model: str
    """The name of the tuned model."""

    facts: dict[str, Any]
    """What `TunedModels` stores about the tuned model."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: JobState = "waiting"
    error: str | None = None
    updates: int = 0
    """The number of updates; 0 until it is known."""

    started: float = 0.0
    """When training started, by the monotonic clock."""

    curves: Curves = field(default_factory=lambda: Curves(update=[], reward=[], diversity=[], kl=[]))
    worker: Worker[TuningTask, None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        """Whether it is done, cancelled or failed."""
        return self.state in ("done", "cancelled", "failed")

    @property
    def progress(self) -> float:
        """Progress from 0 to 1."""
        if self.state == "done":
            return 1.0
        return min(len(self.curves.update) / self.updates, 1.0) if self.updates else 0.0

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the pace of the updates; None before the first."""
        done = len(self.curves.update)
        if self.state != "running" or not done:
            return None
        return round((time.monotonic() - self.started) / done * (self.updates - done), 1)

    def set_state(self, state: JobState) -> None:
        """Change the state, and wake up whoever follows the job."""
        self.state = state
        self.changed.set()

    def update(self, report: dict[str, Any]) -> None:
        """Apply a report of the worker."""
        if "updates" in report:
            self.updates, self.started = int(report["updates"]), time.monotonic()
        else:
            self.curves.update.append(report["update"])
            self.curves.reward.append(report["reward"] or 0.0)
            self.curves.diversity.append(report["diversity"])
            self.curves.kl.append(report["kl"])
        self.changed.set()


class TuningQueue:
    """The tunings that wait, run or have ended.

    Args:
        models: the models that can be tuned; tuned ones are added.
    """

    def __init__(self, models: ModelRegistry) -> None:
        self.models = models
        self.jobs: list[TuningJob] = []
        self._closing = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def add(self, request: JobRequest) -> TuningJob:
        """Add a tuning to the queue.

        Raises:
            NotFoundError: there is no such model.
            UsageError: the model cannot be tuned, or not on these rules.
            TooManyRequestsError: the queue is full.
        """
        if sum(job.state == "waiting" for job in self.jobs) >= LIMITS.jobs:
            raise TooManyRequestsError(f"{LIMITS.jobs} tunings are waiting", "cancel one, or wait until one has ended")
        source, path = self.models.get(request.model).info, self.models.path(request.model)
        Bundle.load(path).network_options()  # raises for n-grams and blends, which cannot be tuned
        rules, weights = rule_selection(request)
        model = self.models.tuned.new_name()
        task = TuningTask(
            bundle=str(path),
            out=str(self.models.tuned.new_file(model)),
            rules=rules,
            weights=weights,
            seconds=request.seconds,
            updates=request.updates or 0,
            seed=request.seed,
        )
        title = " ".join(request.name.split()) or f"{source.title} tuned"
        facts = {
            "title": title,
            "untuned": source.untuned or (request.model if not source.tuned else ""),
            "rules": request.rules.model_dump(),
        }
        job = TuningJob(task, title, request.model, request.page, model, facts)
        self.jobs.append(job)
        for old in [old for old in self.jobs if old.has_ended][: max(len(self.jobs) - _MAX_JOBS, 0)]:
            self.jobs.remove(old)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run_all())
        return job

    def find(self, id_: str) -> TuningJob:
        """Return the job with that id.

        Raises:
            NotFoundError: there is none.
        """
        job = next((job for job in self.jobs if job.id == id_), None)
        if job is None:
            raise NotFoundError("there is no such job", "GET /api/jobs lists them")
        return job

    def describe(self, job: TuningJob) -> Job:
        """Return a job as the API shows it."""
        waiting = [other for other in self.jobs if other.state == "waiting"]
        return Job(
            id=job.id,
            kind="tune",
            state=job.state,
            place=waiting.index(job) + 1 if job.state == "waiting" else 0,
            progress=round(job.progress, 4),
            seconds_left=job.seconds_left,
            title=job.title,
            source=job.source,
            model=job.model if job.state == "done" else None,
            error=job.error,
            curves=job.curves,
        )

    def cancel(self, job: TuningJob) -> None:
        """Cancel a job at once; one that has ended stays as it is."""
        if job.has_ended:
            return
        job.set_state("cancelled")
        if job.worker is not None:
            job.worker.close()
        self._notify_all()  # the places in the queue may have changed

    def cancel_page(self, page: str) -> None:
        """Cancel the jobs of a page that was closed."""
        for job in self.jobs:
            if job.page == page:
                self.cancel(job)

    async def follow(self, job: TuningJob) -> AsyncIterator[Job]:
        """Yield a job at each change, at most four times a second, until it has ended."""
        while not self._closing.is_set():
            job.changed.clear()
            yield self.describe(job)
            if job.has_ended:
                return
            for event in (self._closing, job.changed):
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), _EVENT_INTERVAL)

    def stop(self) -> None:
        """Cancel all jobs, and end every `follow`."""
        self._closing.set()
        for job in self.jobs:
            self.cancel(job)

    async def close(self) -> None:
        """Cancel all jobs, and wait until their processes have ended."""
        self.stop()
        if self._runner is not None:
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._runner, 2.0)

    async def _run_all(self) -> None:
        while (job := next((job for job in self.jobs if job.state == "waiting"), None)) is not None:
            try:
                await self._run(job)
            except Exception as error:  # the next job must run whatever happened to this one
                job.error = f"unexpected {type(error).__name__}: {error}"
                job.set_state("failed")
            self._notify_all()

    async def _run(self, job: TuningJob) -> None:
        job.set_state("running")
        job.worker = Worker(tune_in_worker, streams=True, seconds=None, memory=None, environment=_ENVIRONMENT)
        loop = asyncio.get_running_loop()

        def report(values: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(job.update, values)

        try:
            failure = await asyncio.to_thread(_tune, job.worker, job.task, report)
            if job.state == "cancelled":
                return
            if failure is None:
                self.models.tuned.finish(job.model, job.facts)
                job.set_state("done")
            else:
                job.error = f"{failure.reason}: {failure.hint or 'start the tuning again'}"
                job.set_state("failed")
        finally:
            job.worker.close()
            if job.state != "done":
                self.models.tuned.discard(job.model)

    def _notify_all(self) -> None:
        for job in self.jobs:
            job.changed.set()


def _tune(
    worker: Worker[TuningTask, None], task: TuningTask, report: Callable[[dict[str, Any]], None]
) -> Failure | None:
    for message in worker.stream(task):
        if isinstance(message, Failure):
            return message
        if message is not None:
            report(message)
    return None


def rule_selection(request: JobRequest) -> tuple[str, dict[str, float]]:
    """Return the rules that have a weight as `TuningOptions.rules`, and the weights that are not 1.

    Raises:
        UsageError: no rule has a weight, or there is none of that name.
    """
    rules = request.rules.to_rule_set()
    active = [rule for rule in rules.rules if rule.weight]
    if not active:
        raise UsageError("all rules have weight 0", "give at least one rule a weight")
    weights = {rule.name: rule.weight for rule in active if rule.weight != 1.0}
    if len(active) == len(rules.rules) and not request.rules.only:
        return request.rules.set, weights
    return "+".join(f"{request.rules.set}:{rule.name}" for rule in active), weights
