"""Where requests are computed: threads and engraving processes, both with a bounded queue and a deadline per call."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from cantilena.errors import UsageError
from cantilena.music import Melody
from cantilena.runtime import Failure, Worker
from cantilena.server import TooManyRequestsError, UnavailableError
from cantilena.studio.export.engraving import EngravingResult, EngravingTask, engrave, note_annotations
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.requests import NoteColours
from cantilena.studio.schemas.responses import NoteHead, Score, TimedNoteHead

Result = TypeVar("Result")


class Deadline:
    """When a call must be done, and whether its result is still wanted.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self._cancelled = threading.Event()

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 if it has passed or the call was cancelled."""
        return 0.0 if self._cancelled.is_set() else max(self.end - time.monotonic(), 0.0)

    def cancel(self) -> None:
        """Declare that nobody waits for the result."""
        self._cancelled.set()

    def check(self) -> None:
        """Stop the call if it is late; long work calls this regularly.

        Raises:
            UnavailableError: the deadline has passed, or the call was cancelled.
        """
        if not self.remaining:
            raise UnavailableError("the request took too long", "ask for fewer bars or fewer candidates")


class BoundedExecutor:
    """Runs functions in threads; a bounded number of calls waits, none longer than its deadline.

    Args:
        max_workers: number of threads; Python and NumPy gain little from more threads than processors.
        max_queued: how many calls may wait; one more is rejected.
    """

    def __init__(self, max_workers: int = LIMITS.at_once, max_queued: int = LIMITS.waiting) -> None:
        self.pending = 0
        """How many calls run or wait."""
        self._max_workers, self._capacity = max_workers, max_workers + max_queued
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._awaited: set[asyncio.Future[Any]] = set()
        self._is_closed = False

    def check_capacity(self) -> None:
        """Raise TooManyRequestsError if the queue is full."""
        if self.pending >= self._capacity:
            raise TooManyRequestsError("too many requests are waiting", "try again in a moment")

    async def run(self, function: Callable[[Deadline], Result], seconds: float = LIMITS.seconds) -> Result:
        """Run a function in a thread, and wait for its result.

        Args:
            function: receives its deadline, which it should check regularly.
            seconds: the deadline from now, waiting included.

        Raises:
            TooManyRequestsError: the queue is full.
            UnavailableError: the deadline has passed, or the executor was closed.
        """
        if self._is_closed:
            raise _closing_error()
        self.check_capacity()
        deadline = Deadline(seconds)
        with self._lock:
            self.pending += 1
            self._start_threads()
        outcome: Future[Result] = Future()
        outcome.add_done_callback(self._count_done)
        self._queue.put(partial(_execute, outcome, function, deadline))
        result = asyncio.wrap_future(outcome)
        result.add_done_callback(_retrieve_exception)
        self._awaited.add(result)
        try:
            return await asyncio.wait_for(asyncio.shield(result), seconds)
        except TimeoutError:
            raise UnavailableError("the request took too long", "ask for less, or try again in a moment") from None
        except asyncio.CancelledError:
            if result.cancelled():  # by `close`; cancelling the caller does not reach the shielded future
                raise _closing_error() from None
            raise
        finally:
            deadline.cancel()
            self._awaited.discard(result)

    def close(self) -> None:
        """Reject all callers. Running calls stop at their next check, or with the process; nobody waits for them."""
        self._is_closed = True
        for result in [*self._awaited]:
            result.cancel()
        for _ in self._threads:
            self._queue.put(None)

    def _start_threads(self) -> None:
        # `ThreadPoolExecutor` is not used: the interpreter waits at exit for its threads, however long they take.
        while len(self._threads) < self._max_workers:
            thread = threading.Thread(target=self._work, daemon=True, name=f"executor {len(self._threads) + 1}")
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            call()

    def _count_done(self, _: Future[Any]) -> None:
        with self._lock:
            self.pending -= 1


def _closing_error() -> UnavailableError:
    return UnavailableError("the studio is shutting down", "start it again")


def _retrieve_exception(result: asyncio.Future[Any]) -> None:
    if not result.cancelled():
        result.exception()  # asyncio warns of exceptions that nobody has retrieved


def _execute(outcome: Future[Result], function: Callable[[Deadline], Result], deadline: Deadline) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        deadline.check()
        result = function(deadline)
    except BaseException as error:
        outcome.set_exception(error)
    else:
        outcome.set_result(result)


_GRACE_SECONDS = 1.0
"""How long an engraving runs on after its client has gone: starting a new process takes about as long."""


class EngravingPool:
    """Processes that engrave, each one score at a time. The second one is started when it is first needed.

    Args:
        max_workers: number of processes.
        max_queued: how many scores may wait.
    """

    def __init__(self, max_workers: int = LIMITS.at_once, max_queued: int = LIMITS.waiting) -> None:
        self._executor = BoundedExecutor(max_workers, max_queued)
        self._workers = [
            Worker(engrave, seconds=LIMITS.seconds, memory=LIMITS.engraving_memory) for _ in range(max_workers)
        ]
        self._idle: queue.LifoQueue[Worker[EngravingTask, EngravingResult]] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    async def engrave(self, task: EngravingTask) -> EngravingResult:
        """Engrave a melody.

        Raises:
            UsageError: it cannot be engraved, or takes too much time or memory.
            TooManyRequestsError: the queue is full.
            UnavailableError: it took too long, waiting included.
        """
        return await self._executor.run(lambda deadline: self._run(task, deadline))

    async def score(self, melody: Melody, *, width: int, heading: bool, colours: NoteColours | None = None) -> Score:
        """Engrave a melody as SVG; errors as of `engrave`.

        Args:
            melody: the melody.
            width: width in pixels.
            heading: whether to print the title.
            colours: what marks the notes.
        """
        looks = note_annotations(melody, colours) if colours is not None else {}
        engraving = (await self.engrave(EngravingTask(melody, width, heading, looks))).score
        assert engraving is not None
        return Score(
            svg=engraving.svg,
            notes=[NoteHead(note=head.note, id=head.id) for head in engraving.timemap],
            timemap=[
                TimedNoteHead(note=head.note, id=head.id, onset=round(head.onset, 6), end=round(head.end, 6))
                for head in engraving.timemap
            ],
        )

    def start(self) -> None:
        """Start the first process."""
        self._workers[-1].start()

    def close(self) -> None:
        """End the processes, and reject all callers."""
        self._executor.close()
        for worker in self._workers:
            worker.close()

    def _run(self, task: EngravingTask, deadline: Deadline) -> EngravingResult:
        started, worker = time.monotonic(), self._idle.get()
        try:
            outcome = worker.run(task, lambda: deadline.remaining > 0 or time.monotonic() - started < _GRACE_SECONDS)
        finally:
            self._idle.put(worker)
        if not isinstance(outcome, Failure):
            return outcome
        deadline.check()
        hint = "" if outcome.hint.startswith("allow it") else outcome.hint
        raise UsageError(f"this score cannot be engraved: {outcome.reason}", hint or "send fewer notes at a time")
