"""The bench: where a few requests are computed at a time, a bounded number wait, and none waits for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cantilena.studio.options import LIMITS
from cantilena.studio.refusals import CrowdedError, LateError

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
        self._threads = ThreadPoolExecutor(at_once, "bench")
        self._room = at_once + waiting
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many are computed or wait."""
        return self._taken

    async def run(self, work: Callable[[Deadline], Result], seconds: float = LIMITS.seconds) -> Result:
        """Compute something, and wait for it.

        Args:
            work: what; it is told by when, and asks now and then.
            seconds: how long it may take, waiting included.

        Raises:
            CrowdedError: too many wait already.
            LateError: it took too long.
        """
        if self._taken >= self._room:
            raise CrowdedError("too many requests wait already", "try again in a moment")
        deadline = Deadline(seconds)
        self._taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, _unless_late, work, deadline)
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds)
        except TimeoutError:
            raise LateError("it takes too long", "ask for less, or try again in a moment") from None
        finally:
            deadline.give_up()

    def _leave(self, future: asyncio.Future[Result]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # it was told to whoever waited, or nobody does

    def close(self) -> None:
        """Let go of what waits; what runs ends at its next check."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _unless_late(work: Callable[[Deadline], Result], deadline: Deadline) -> Result:
    deadline.check()
    return work(deadline)
