"""A worker process that stays: for tasks that are asked for one at a time, now and then, and whose start costs more.

As in `workers.py` an item may crash, hang or eat memory without harm; it then costs the process, and the next item
gets a fresh one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from cantilena.runtime.worker_process import Failure
from cantilena.runtime.workers import Worker

Item = TypeVar("Item")
Result = TypeVar("Result")

_LOOK = 0.1
"""Seconds between two looks at whether the answer is still wanted."""

_UNWANTED = Failure("it is no longer wanted")


class StandingWorker(Generic[Item, Result]):
    """A process that runs a task on one item after another.

    Threads may share it; they wait for each other.

    Args:
        task: a function that can be pickled by name: a top-level function of an importable module.
        seconds: how long one item may take.
        memory: bytes that one item may take above what the process has when the item begins (Linux; elsewhere the
            system may not enforce it).

    Example:
        >>> import math
        >>> worker = StandingWorker(math.sqrt)
        >>> worker.ask(4.0), worker.ask(-1.0).reason
        (2.0, 'ValueError: math domain error')
        >>> worker.close()
    """

    def __init__(self, task: Callable[[Item], Result], *, seconds: float = 10.0, memory: int = 2**30) -> None:
        self.seconds = seconds
        self._order = ForkingPickler.dumps((task, seconds, memory))
        self._worker: Worker | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self) -> None:
        """Begin to start the process, so that the first item need not wait for all of that.

        Raises:
            RunError: it cannot start at all.
        """
        with self._lock:
            if not self._is_closed:
                self._begun()

    def ask(self, item: Item, wanted: Callable[[], bool] = lambda: True) -> Result | Failure:
        """Run the task on an item, and wait for it.

        Args:
            item: what to run it on.
            wanted: is asked now and then whether the answer is still wanted; if not, the process is ended.

        Returns:
            What came of it; a `Failure` where it crashed, exceeded a limit, raised, or is no longer wanted.

        Raises:
            RunError: the process cannot start at all.
        """
        pickled = ForkingPickler.dumps(item)
        with self._lock:
            if self._is_closed:
                return _UNWANTED
            try:
                outcome: Result | Failure = self._answer(self._begun(), pickled, wanted)
                return outcome
            finally:
                if self._worker is not None and self._worker.is_gone:
                    self._worker = None

    def close(self) -> None:
        """End the process; what it works on fails, and it is not started again."""
        self._is_closed = True
        worker = self._worker
        if worker is None:
            return
        worker.process.kill()
        if self._lock.acquire(timeout=_LOOK * 5):  # whoever waits for it has seen its end
            worker.kill()
            self._worker = None
            self._lock.release()

    def _begun(self) -> Worker:
        if self._worker is not None and self._worker.process.poll() is not None:  # it died while nobody asked
            self._worker.kill()
            self._worker = None
        if self._worker is None:
            self._worker = Worker(self._order, self.seconds)
        return self._worker

    def _answer(self, worker: Worker, pickled: Any, wanted: Callable[[], bool]) -> Any:  # noqa: ANN401
        waiting = deque([(0, pickled)])
        while wanted() and not self._is_closed:
            worker.fill(waiting, 1)
            wait([worker.results], timeout=min(max(worker.deadline - time.monotonic(), 0.0), _LOOK))
            for _, outcome in worker.answers():
                return outcome
            if worker.is_gone:  # it died between two items: this one has not begun
                self._worker = worker = Worker(self._order, self.seconds)
        worker.kill()
        return _UNWANTED
