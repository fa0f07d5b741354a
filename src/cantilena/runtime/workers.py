"""Running a task on many items, each in a process that may crash, hang or eat memory without harm to the others.

Pools of the standard library give up when a worker dies; here a death costs the item that caused it, and nothing
else. Workers are fresh interpreters, not forks: they inherit no torch, no threads and no half-held lock, and the
script that asks need not be importable.

A worker process that stays: for tasks that are asked for one at a time, now and then, and whose start costs more.

As in `workers.py` an item may crash, hang or eat memory without harm; it then costs the process, and the next item
gets a fresh one.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, TypeVar

from cantilena.errors import RunError, UsageError
from cantilena.runtime.processes import ONE_THREAD, how_it_ended, python_command
from cantilena.runtime.worker_process import READY, Failure

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 8
"""Items that wait in a worker's pipe, so that short tasks do not wait for the parent."""

_SMALL = 1024
"""Bytes of an item that may wait in a pipe: `_AHEAD` of them fit in any system's pipe, so nobody blocks."""

_START_SECONDS = 120.0
"""How long a worker may take to start on a busy machine."""


def bounded_map(
    task: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int = 0,
    seconds: float = 10.0,
    memory: int = 2**30,
) -> Iterator[tuple[int, Result | Failure]]:
    """Run a task on each item in worker processes; give the outcomes as they come, each with its item's index.

    A worker that crashes, is killed, exceeds a limit or raises costs only its own item, which becomes a `Failure`;
    a fresh worker goes on. When the iterator is closed or interrupted, all workers are killed at once.

    Args:
        task: a function that can be pickled by name: a top-level function of an importable module.
        items: what to run it on; each is pickled.
        jobs: worker processes; 0 takes one a processor.
        seconds: how long one item may take.
        memory: bytes that one item may take above what the process has when the item begins (Linux; elsewhere
            the system may not enforce it).

    Raises:
        UsageError: limits that allow nothing.
        RunError: workers cannot start at all.

    Example:
        >>> import math
        >>> sorted(bounded_map(math.sqrt, [4.0, 9.0, -1.0], jobs=1))[:2]
        [(0, 2.0), (1, 3.0)]
    """
    if jobs < 0 or not seconds > 0 or memory < 2**20:
        raise UsageError(
            f"{jobs} jobs with {seconds:g} seconds and {memory} bytes each",
            "give 0 jobs or more, some seconds and a megabyte or more",
        )
    waiting = deque((index, ForkingPickler.dumps(item)) for index, item in enumerate(items))
    wanted = min(jobs or cpu_count(), len(waiting))
    # Pickled here, in the caller's face, so that a lambda is an error at once and not in each worker.
    order = ForkingPickler.dumps((task, seconds, memory))
    return _outcomes(order, waiting, wanted, seconds)


def cpu_count() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _outcomes(
    order: memoryview, waiting: deque[tuple[int, Any]], wanted: int, seconds: float
) -> Iterator[tuple[int, Any]]:
    team: list[Worker] = []
    try:
        while waiting or any(worker.taken for worker in team):
            while waiting and len(team) < wanted:
                team.append(Worker(order, seconds))
            depth = min(_AHEAD, 1 + len(waiting) // (4 * wanted))
            for worker in team:
                worker.fill(waiting, depth)
            patience = min(worker.deadline for worker in team) - time.monotonic()
            wait([worker.results for worker in team], timeout=min(max(patience, 0.0), 3600.0))
            for worker in [*team]:
                yield from worker.answers()
                if worker.is_gone:
                    team.remove(worker)
                    waiting.extendleft(reversed(worker.taken))
    finally:
        for worker in team:
            worker.kill()


class Worker:
    """A worker process as its parent sees it.

    Args:
        order: the task and its limits, pickled.
        seconds: how long one item may take.
    """

    def __init__(self, order: memoryview, seconds: float) -> None:
        self.seconds = seconds
        self.taken: deque[tuple[int, Any]] = deque()
        self.is_ready = False
        self.is_gone = False
        self.deadline = time.monotonic() + _START_SECONDS
        its_items, self.items = Pipe(duplex=False)
        self.results, its_results = Pipe(duplex=False)
        self.process = _started(its_items, its_results)
        its_items.close()
        its_results.close()
        try:
            self.items.send_bytes(order)
        except OSError:
            self.kill()
            raise _cannot_start("it ended at once") from None

    def fill(self, waiting: deque[tuple[int, Any]], depth: int) -> None:
        """Hand over items until `depth` of them are taken; a large one only to a worker that waits for it."""
        while self.is_ready and waiting and len(self.taken) < depth:
            index, pickled = waiting[0]
            if self.taken and len(pickled) > _SMALL:
                return
            if not self.taken:
                self.deadline = time.monotonic() + self.seconds
            self.taken.append((index, pickled))
            waiting.popleft()
            try:
                self.items.send_bytes(pickled)
            except OSError:
                return  # it died; `answers` finds that out and says why

    def answers(self) -> Iterator[tuple[int, Any]]:
        """What it has to say by now; at last, why it says no more."""
        try:
            while self.results.poll():
                message = self.results.recv()
                self.deadline = time.monotonic() + self.seconds
                if not self.is_ready:
                    if message != READY:
                        raise _cannot_start(message)
                    self.is_ready = True
                    if not self.taken:
                        self.deadline = float("inf")
                    continue
                outcome, goes_on = message
                index, _ = self.taken.popleft()
                if not self.taken:
                    self.deadline = float("inf")
                if not goes_on:
                    self.kill()
                yield index, outcome
                if not goes_on:
                    return
        except (EOFError, OSError):
            yield from self._failed(self._cause_of_death())
            return
        if time.monotonic() > self.deadline:
            yield from self._failed(f"it took longer than {self.seconds:g} s", "allow it more time")

    def _failed(self, reason: str, hint: str = "") -> Iterator[tuple[int, Any]]:
        self.kill()
        if not self.is_ready:
            raise _cannot_start(reason)
        if self.taken:
            index, _ = self.taken.popleft()
            yield index, Failure(reason, hint)

    def _cause_of_death(self) -> str:
        return f"its worker process {how_it_ended(self.process, by_signal='crashed')}"

    def kill(self) -> None:
        """End the process now."""
        self.is_gone = True
        self.process.kill()
        self.process.wait()
        self.items.close()
        self.results.close()


def _started(items: Connection, results: Connection) -> subprocess.Popen[bytes]:
    pipes = (items.fileno(), results.fileno())
    try:
        return subprocess.Popen(  # noqa: S603  (our own interpreter, no shell)
            python_command("cantilena.runtime.worker_process", *map(str, pipes)),
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # libraries print; the command's own output must stay clean
            stderr=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
        )
    except OSError as error:
        raise _cannot_start(error.strerror or str(error)) from error


def _cannot_start(why: str) -> RunError:
    return RunError(
        f"worker processes cannot start: {why}",
        "check that `python -c 'import cantilena.runtime'` works here, and the memory that is free",
    )


_LOOK = 0.1
"""Seconds between two looks at whether the answer is still wanted."""

_UNWANTED = Failure("it is no longer wanted")


class Worker(Generic[Item, Result]):
    """A process that runs a task on one item after another.

    Threads may share it; they wait for each other.

    Args:
        task: a function that can be pickled by name: a top-level function of an importable module.
        seconds: how long one item may take.
        memory: bytes that one item may take above what the process has when the item begins (Linux; elsewhere the
            system may not enforce it).

    Example:
        >>> import math
        >>> worker = Worker(math.sqrt)
        >>> worker.run(4.0), worker.run(-1.0).reason
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

    def run(self, item: Item, wanted: Callable[[], bool] = lambda: True) -> Result | Failure:
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
