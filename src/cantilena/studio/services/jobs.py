"""Long work behind the page: tunings, one at a time in the order in which they were asked for.

Each runs in a process of its own, which is killed when the job is cancelled, and ends by itself when the studio does.

One tuning in the background, from when it is asked for to when it is over.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from cantilena.errors import UsageError
from cantilena.models import Bundle
from cantilena.runtime import describe_exit, python_command
from cantilena.server import CrowdedError, UnknownError
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.requests import JobRequest
from cantilena.studio.schemas.responses import Curves, Job
from cantilena.studio.services.models import Composers
from cantilena.studio.services.tuning_worker import Order

State = Literal["waiting", "running", "done", "cancelled", "failed"]


@dataclass(eq=False)
class Tuning:
    """One tuning, from when it is asked for to when it is over."""

    order: Order
    title: str
    source: str
    page: str
    model: str
    facts: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    error: str | None = None
    updates: int = 0
    learning: float = 0.0
    curves: Curves = field(default_factory=lambda: Curves(update=[], reward=[], diversity=[], kl=[]))
    process: asyncio.subprocess.Process | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ("done", "cancelled", "failed")

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        if self.state == "done":
            return 1.0
        return min(len(self.curves.update) / self.updates, 1.0) if self.updates else 0.0

    @property
    def seconds_left(self) -> float | None:
        """By the time that the updates took; None where that is not known yet."""
        done = len(self.curves.update)
        if self.state != "running" or not done:
            return None
        return round((time.monotonic() - self.learning) / done * (self.updates - done), 1)

    def change(self, state: State | None = None) -> None:
        """Tell whoever waits that something is new."""
        if state is not None:
            self.state = state
        self.changed.set()


_REMEMBERED = 100
"""Jobs that are remembered after they are over."""

_LONGEST_LINE = 2**16
_BETWEEN = 0.25
"""Seconds between two events of a job: four a second at the most."""


class Tunings:
    """The queue of tunings.

    Args:
        composers: where models are found, and where tuned ones appear.
    """

    def __init__(self, composers: Composers) -> None:
        self.composers = composers
        self.all: list[Tuning] = []
        self.is_closing = False
        self._closing = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def add(self, asked: JobRequest) -> Tuning:
        """Put a tuning in the queue.

        Raises:
            UnknownError: there is no such model.
            UsageError: it cannot be tuned, or not on such rules.
            CrowdedError: too many wait already.
        """
        if sum(job.state == "waiting" for job in self.all) >= LIMITS.jobs:
            raise CrowdedError(f"{LIMITS.jobs} tunings wait already", "cancel one, or wait for one to end")
        shown = self.composers.shown(asked.model)
        check_network(self.composers.path(asked.model))
        rules, weights = rules_in_words(asked)
        made = self.composers.made
        model = made.new_name()
        order = Order(
            bundle=str(self.composers.path(asked.model)),
            out=str(made.draft(model)),
            rules=rules,
            weights=weights,
            seconds=asked.seconds,
            updates=asked.updates or 0,
            seed=asked.seed,
        )
        title = " ".join(asked.name.split()) or f"{shown.title} tuned"
        facts = {
            "title": title,
            "untuned": shown.untuned or (asked.model if not shown.tuned else ""),
            "rules": asked.rules.model_dump(),
        }
        job = Tuning(order, title, asked.model, asked.page, model, facts)
        self.all.append(job)
        over = [one for one in self.all if one.is_over]
        for one in over[: max(len(self.all) - _REMEMBERED, 0)]:
            self.all.remove(one)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_all())
        return job

    def find(self, number: str) -> Tuning:
        """The job of that id.

        Raises:
            UnknownError: there is none.
        """
        found = next((job for job in self.all if job.id == number), None)
        if found is None:
            raise UnknownError("there is no such job", "GET /api/jobs lists them")
        return found

    def told(self, job: Tuning) -> Job:
        """A job as the page sees it."""
        waiting = [one for one in self.all if one.state == "waiting"]
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

    def cancel(self, job: Tuning) -> None:
        """End a job now; one that is over stays as it is."""
        if job.is_over:
            return
        job.change("cancelled")
        if job.process is not None:
            with suppress(ProcessLookupError):
                job.process.kill()
        for other in self.all:
            other.changed.set()  # their places in the queue may be others now

    def cancel_of(self, page: str) -> None:
        """End the jobs that a page waited for, which was closed."""
        for job in self.all:
            if job.page == page:
                self.cancel(job)

    async def follow(self, job: Tuning) -> AsyncIterator[Job]:
        """A job at every change, four times a second at the most, until it is over."""
        while not self.is_closing:
            job.changed.clear()
            yield self.told(job)
            if job.is_over:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _BETWEEN)
            with suppress(TimeoutError):
                await asyncio.wait_for(job.changed.wait(), _BETWEEN)

    def end(self) -> None:
        """Cancel everything, and end every stream that tells of it."""
        self.is_closing = True
        self._closing.set()
        for job in self.all:
            self.cancel(job)

    async def close(self) -> None:
        """Cancel everything, and wait until no process is left."""
        self.end()
        if self._running is not None:
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._running, 2.0)

    async def _run_all(self) -> None:
        while (job := next((one for one in self.all if one.state == "waiting"), None)) is not None:
            try:
                await self._run(job)
            except Exception as error:  # the next in the queue shall run whatever happened to this one
                job.error = f"unexpected {type(error).__name__}: {error}"
                job.change("failed")
            for other in self.all:
                other.changed.set()

    async def _run(self, job: Tuning) -> None:
        job.change("running")
        made, whole = self.composers.made, False
        try:
            job.process = await _started()
            if job.is_over:  # cancelled while it started
                job.process.kill()
            assert job.process.stdin is not None
            with suppress(BrokenPipeError, ConnectionResetError):
                job.process.stdin.write(json.dumps(asdict(job.order)).encode() + b"\n")
                await job.process.stdin.drain()
            whole = await self._listen(job)
            code = await job.process.wait()
            if job.state == "cancelled":
                return
            if not whole:
                job.error = job.error or f"the process that tuned it {describe_exit(code)}: start it again"
                job.change("failed")
                return
            made.finish(job.model, job.facts)
            job.change("done")
        finally:
            if job.process is not None and job.process.returncode is None:
                job.process.kill()
                await job.process.wait()
            if job.state != "done":
                made.discard(job.model)

    async def _listen(self, job: Tuning) -> bool:
        """Take what the process tells until it ends; whether it said that all is done."""
        assert job.process is not None
        assert job.process.stdout is not None
        whole = False
        async for line in job.process.stdout:
            told = json.loads(line)
            if "error" in told:
                job.error = f"{told['error']}: {told['hint']}" if told.get("hint") else str(told["error"])
            elif "updates" in told:
                job.updates, job.learning = int(told["updates"]), time.monotonic()
            elif "update" in told:
                job.curves.update.append(told["update"])
                job.curves.reward.append(told["reward"] or 0.0)
                job.curves.diversity.append(told["diversity"])
                job.curves.kl.append(told["kl"])
            whole = whole or "done" in told
            job.change()
        return whole


async def _started() -> asyncio.subprocess.Process:
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return await asyncio.create_subprocess_exec(
        *python_command("cantilena.studio.services.tuning_worker"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **threads, "OMP_WAIT_POLICY": "PASSIVE"},
        start_new_session=True,
        limit=_LONGEST_LINE,
    )


def check_network(path: Path) -> None:
    """Refuse a model that cannot be tuned.

    Raises:
        UsageError: it is an n-gram, or blended with one.
    """
    Bundle.load(path).network_options()


def rules_in_words(asked: JobRequest) -> tuple[str, dict[str, float]]:
    """Rules as a tuner is told them, those that are switched off left out, and the weights that are not 1.

    Raises:
        UsageError: no rule is left, or there is none of that name.
    """
    rules = asked.rules.rules()
    speaking = [rule for rule in rules.rules if rule.weight]
    if not speaking:
        raise UsageError("no rule is left to tune on", "give one of them a weight")
    weights = {rule.name: rule.weight for rule in speaking if rule.weight != 1.0}
    if len(speaking) == len(rules.rules) and not asked.rules.only:
        return asked.rules.set, weights
    return "+".join(f"{asked.rules.set}:{rule.name}" for rule in speaking), weights
