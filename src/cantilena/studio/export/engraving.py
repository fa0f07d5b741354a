"""The engraver: a few processes that engrave, so that no long score keeps other answers waiting."""

from __future__ import annotations

import queue
import time

from cantilena.errors import UsageError
from cantilena.runtime import Failure, StandingWorker
from cantilena.studio.export.sheets import Engraved, Sheet, engrave
from cantilena.studio.options import LIMITS
from cantilena.studio.services.executor import Bench, Deadline

_FINISHED_ANYWAY = 1.0
"""Seconds after which an engraving that nobody waits for is broken off: to start a process anew takes about as long."""


class Engraver:
    """Processes that engrave, each one score at a time.

    The second one is started when it is first needed.

    Args:
        at_once: how many there are.
        waiting: how many scores may wait.
    """

    def __init__(self, at_once: int = LIMITS.at_once, waiting: int = LIMITS.waiting) -> None:
        self._bench = Bench(at_once, waiting)
        self._workers = [
            StandingWorker(engrave, seconds=LIMITS.seconds, memory=LIMITS.engraving_memory) for _ in range(at_once)
        ]
        self._idle: queue.LifoQueue[StandingWorker[Sheet, Engraved]] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    async def engrave(self, sheet: Sheet) -> Engraved:
        """Engrave a sheet.

        Args:
            sheet: what to engrave.

        Raises:
            UsageError: it cannot be engraved, or it takes more time or memory than it may.
            CrowdedError: too many wait already.
            LateError: it took too long, waiting included.
        """
        return await self._bench.run(lambda deadline: self._engraved(sheet, deadline))

    def start(self) -> None:
        """Begin to start the first process."""
        self._workers[-1].start()

    def close(self) -> None:
        """End the processes, and refuse whoever waits."""
        self._bench.close()
        for worker in self._workers:
            worker.close()

    def _engraved(self, sheet: Sheet, deadline: Deadline) -> Engraved:
        began, worker = time.monotonic(), self._idle.get()
        try:
            outcome = worker.ask(sheet, lambda: deadline.left > 0 or time.monotonic() - began < _FINISHED_ANYWAY)
        finally:
            self._idle.put(worker)
        if not isinstance(outcome, Failure):
            return outcome
        deadline.check()
        hint = "" if outcome.hint.startswith("allow it") else outcome.hint
        raise UsageError(f"this score cannot be drawn: {outcome.reason}", hint or "send fewer notes at a time")
