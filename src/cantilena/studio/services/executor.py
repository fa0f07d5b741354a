"""The bench: where a few requests are computed at a time, a bounded number wait, and none waits for ever."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from cantilena.server import CrowdedError, LateError
from cantilena.studio.options import LIMITS

Result = TypeVar("Result")


class Deadline:
    """When a request must be done, and whether somebody still waits for it.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self._given_up = threading.Event()

    @property
    def left(self) -> float:
        """Seconds that are left, 0 where none are."""
        return 0.0 if self._given_up.is_set() else max(self.end - time.monotonic(), 0.0)

    def give_up(self) -> None:
        """Say that nobody waits any more."""
        self._given_up.set()

    def check(self) -> None:
        """Stop here where it is too late; long work calls this now and then.

        Raises:
            LateError: it is.
        """
        if not self.left:
            raise LateError("it takes too long", "ask for fewer bars or fewer candidates")


class Bench:
    """Threads that compute requests.

    Python and numpy gain little by more threads than processors; what more there is waits in line.

    Args:
        at_once: how many are computed at the same time.
        waiting: how many may wait; one more is refused.
    """

    def __init__(self, at_once: int = LIMITS.at_once, waiting: int = LIMITS.waiting) -> None:
        self._line: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._at_once = at_once
        self._threads: list[threading.Thread] = []
        self._room = at_once + waiting
        self._taken = 0
        self._lock = threading.Lock()
        self._waited_for: set[asyncio.Future[Any]] = set()
        self._is_closed = False

    @property
    def taken(self) -> int:
        """How many are computed or wait."""
        return self._taken

    def check_room(self) -> None:
        """Refuse what could not even wait.

        Raises:
            CrowdedError: too many wait already.
        """
        if self._taken >= self._room:
            raise CrowdedError("too many requests wait already", "try again in a moment")

    async def run(self, work: Callable[[Deadline], Result], seconds: float = LIMITS.seconds) -> Result:
        """Compute something, and wait for it.

        Args:
            work: what; it is told by when, and asks now and then.
            seconds: how long it may take, waiting included.

        Raises:
            CrowdedError: too many wait already.
            LateError: it took too long, or the studio is closing.
        """
        if self._is_closed:
            raise _closing()
        self.check_room()
        deadline = Deadline(seconds)
        with self._lock:
            self._taken += 1
        told: Future[Result] = Future()
        told.add_done_callback(self._leave)
        self._begin()
        self._line.put(partial(_answer, told, work, deadline))
        answer = asyncio.wrap_future(told)
        answer.add_done_callback(_look_at)
        self._waited_for.add(answer)
        try:
            return await asyncio.wait_for(asyncio.shield(answer), seconds)
        except TimeoutError:
            raise LateError("it takes too long", "ask for less, or try again in a moment") from None
        except asyncio.CancelledError:
            if answer.cancelled():  # by `close`: what cancels the caller does not reach it
                raise _closing() from None
            raise
        finally:
            deadline.give_up()
            self._waited_for.discard(answer)

    def close(self) -> None:
        """Refuse whoever waits. What runs ends at its next check, or with the process: it is not waited for."""
        self._is_closed = True
        for answer in [*self._waited_for]:
            answer.cancel()
        for _ in self._threads:
            self._line.put(None)

    def _begin(self) -> None:
        """Start the threads where that was not done yet."""
        with self._lock:
            while len(self._threads) < self._at_once:
                # Threads of the standard pools are waited for when the process ends, however long they take.
                thread = threading.Thread(target=self._work, daemon=True, name=f"bench {len(self._threads) + 1}")
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        while (answer := self._line.get()) is not None:
            answer()

    def _leave(self, told: Future[Result]) -> None:
        with self._lock:
            self._taken -= 1


def _closing() -> LateError:
    return LateError("the studio is closing", "open it again")


def _look_at(answer: asyncio.Future[Result]) -> None:
    """Look at what came of work that nobody may wait for any more; asyncio complains of what is never looked at."""
    if not answer.cancelled():
        answer.exception()


def _answer(told: Future[Result], work: Callable[[Deadline], Result], deadline: Deadline) -> None:
    if not told.set_running_or_notify_cancel():
        return
    try:
        deadline.check()
        result = work(deadline)
    except BaseException as error:
        told.set_exception(error)
    else:
        told.set_result(result)
