"""The processes that train the trials of a search, as their parent sees them: each may crash or be killed alone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait

from cantilena.errors import RunError
from cantilena.runtime import ONE_THREAD, command_of, how_it_ended
from cantilena.workflows.sweep.worker import Message, TrialOrder
from cantilena.workflows.train.options import TrainRequest


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker is no more: it crashed, was killed, or was late and was ended."""

    reason: str


class Worker:
    """One process, started at once.

    Args:
        request: whose corpus it reads.
        alone: whether it may use as many threads as there are processors.
    """

    def __init__(self, request: TrainRequest, *, alone: bool) -> None:
        self.trial: int | None = None
        """The number of the trial that it trains."""
        self.is_ready = False
        self.stops = ""
        """Why it was told to stop its trial."""
        self.began = time.monotonic()
        self.deadline = float("inf")
        its_orders, self._orders = Pipe(duplex=False)
        self.messages, its_messages = Pipe(duplex=False)
        try:
            self.process = _started(its_orders, its_messages, alone=alone)
        finally:
            its_orders.close()
            its_messages.close()
        self._send(request)

    def train(self, number: int, order: TrialOrder, seconds: float | None) -> None:
        """Begin a trial."""
        self.trial, self.stops = number, ""
        self.began = time.monotonic()
        self.deadline = self.began + seconds if seconds else float("inf")
        self._send(order)

    def go_on(self, stops: str) -> None:
        """Answer the report of an epoch: why to stop there, or "" to go on."""
        self.stops = stops
        self._send(bool(stops))

    def done(self) -> float:
        """The trial is over; gives the seconds that it took."""
        self.trial, self.deadline = None, float("inf")
        return time.monotonic() - self.began

    def kill(self) -> None:
        """End the process now."""
        self.process.kill()
        self.process.wait()
        self._orders.close()
        self.messages.close()

    def cause_of_death(self) -> str:
        """How it ended, in words."""
        return f"its process {how_it_ended(self.process)}"

    def _send(self, thing: object) -> None:
        try:
            self._orders.send(thing)
        except OSError:
            return  # it died; `Team.messages` finds that out and says why


class Team:
    """So many workers as are wanted; use it in a `with`, which ends them all.

    Args:
        request: whose corpus they read.
        size: how many at most.
    """

    def __init__(self, request: TrainRequest, size: int) -> None:
        self._request, self._size = request, size
        self.workers: list[Worker] = []

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()

    @property
    def busy(self) -> int:
        """How many train."""
        return sum(worker.trial is not None for worker in self.workers)

    def fill(self, wanted: int) -> None:
        """Start workers until there are as many as are wanted and allowed."""
        while len(self.workers) < min(wanted, self._size):
            self.workers.append(Worker(self._request, alone=self._size == 1))

    def messages(self) -> Iterator[tuple[Worker, Message | Ended]]:
        """What workers have to say, waited for until one has; those that died or are late are no more."""
        patience = min(worker.deadline for worker in self.workers) - time.monotonic()
        wait([worker.messages for worker in self.workers], timeout=min(max(patience, 0.0), 3600.0))
        for worker in [*self.workers]:
            try:
                if worker.messages.poll():
                    yield worker, worker.messages.recv()
                    continue
            except (EOFError, OSError):
                reason = worker.cause_of_death()
                self._dismiss(worker)
                yield worker, Ended(reason)
                continue
            if time.monotonic() > worker.deadline:
                allowed = worker.deadline - worker.began
                self._dismiss(worker)
                yield worker, Ended(f"it took longer than {allowed:g} s")

    def _dismiss(self, worker: Worker) -> None:
        worker.kill()
        self.workers.remove(worker)


def _started(orders: Connection, messages: Connection, *, alone: bool) -> subprocess.Popen[bytes]:
    pipes = (orders.fileno(), messages.fileno())
    threads = {} if alone else ONE_THREAD
    try:
        return subprocess.Popen(  # noqa: S603  (our own interpreter, no shell)
            command_of("cantilena.workflows.sweep.worker", *map(str, pipes), str(os.getpid())),
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # libraries print; the command's own output must stay clean
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C is for the parent alone
        )
    except OSError as error:
        raise RunError(
            f"worker processes cannot start: {error.strerror or error}", "give fewer --processes, or free some memory"
        ) from error
