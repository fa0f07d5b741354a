"""A process that trains one trial after the other as it is told, and reports each epoch. It knows no Optuna.

It reads the corpus once. It ends when its parent does, however that ended.

The processes that train the trials of a search, as their parent sees them: each may crash or be killed alone.
"""

from __future__ import annotations

import hashlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

import numpy as np

from cantilena.errors import CantilenaError, RunError
from cantilena.runtime import ONE_THREAD, describe_exit, python_command
from cantilena.workflows.data import Material
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import fitted, read_material, shape_and_training
from cantilena.workflows.train.options import TrainRequest
from cantilena.workflows.train.run import learn_network


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """What to train.

    Args:
        request: the training, with the parameters of the trial.
        bundle: where the model goes, if training comes to its end.
    """

    request: TrainRequest
    bundle: Path


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has read the corpus; the digest tells whether it is the one that its parent read."""

    digest: str


@dataclass(frozen=True, slots=True)
class EpochDone:
    """After each epoch, from 1 `of` so many at most; the worker waits to be told whether to stop there."""

    epoch: int
    of: int
    loss: float


@dataclass(frozen=True, slots=True)
class TrialDone:
    """A training is over; `score` is None if it was told to stop."""

    score: dict[str, float | None] | None


@dataclass(frozen=True, slots=True)
class TrialFailed:
    """A training, or reading the corpus, could not be done."""

    reason: str
    hint: str = ""


Message = Ready | EpochDone | TrialDone | TrialFailed


def serve(orders: Connection, messages: Connection) -> None:
    """Read the corpus of the first message, a `TrainRequest`, then train what the others say, until none comes."""
    try:
        material, corpus = read_material(orders.recv())
    except Exception as error:
        messages.send(_failure(error))
        return
    messages.send(Ready(material_digest(material)))
    while True:
        try:
            order = orders.recv()
        except EOFError:
            return
        try:
            messages.send(TrialDone(_trained(order, material, corpus, orders, messages)))
        except (BrokenPipeError, EOFError):
            return
        except Exception as error:  # whatever it is, it is a row of the table and not the end of the search
            messages.send(_failure(error))


def material_digest(material: Material) -> str:
    """What tells the pieces of one corpus from those of another."""
    content = hashlib.sha256()
    for pieces in (material.train, material.valid, material.test):
        for array in (*pieces.sequences.tokens, pieces.sequences.lengths, pieces.sequences.bars.steps_per_bar):
            content.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    return content.hexdigest()


def _trained(
    order: TrialOrder, material: Material, corpus: dict[str, str], orders: Connection, messages: Connection
) -> dict[str, float | None] | None:
    network, training = fitted(order.request, *shape_and_training(order.request), material)
    most = training.epochs_for(material.train.sequences.steps)
    stopped = False

    def tell(epoch: int, loss: float) -> bool:
        nonlocal stopped
        if not math.isfinite(loss):
            raise RunError(f"the held-out loss after epoch {epoch} is not a number", "lower the learning rate")
        messages.send(EpochDone(epoch, most, loss))
        stopped = bool(orders.recv())
        return stopped

    learned = learn_network(network, training, material, corpus, quiet=True, after_epoch=tell)
    if stopped:
        return None
    result = score(learned.model, material.valid, material)
    learned.bundle.save(order.bundle)
    return result


def _failure(error: Exception) -> TrialFailed:
    if isinstance(error, CantilenaError):
        return TrialFailed(_one_line(error.text), _one_line(error.hint))
    if isinstance(error, MemoryError):
        return TrialFailed("not enough memory", "search smaller networks or batches")
    return TrialFailed(_one_line(f"{type(error).__name__}: {error}"))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _end_with(parent: int) -> None:
    """End this process as soon as another has become its parent: the search is gone, a training may take hours."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Serve on the two pipes whose numbers stand first among the arguments, for the parent whose number is third."""
    orders, messages, parent = (int(argument) for argument in sys.argv[1:4])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _end_with(parent)
    try:
        serve(Connection(orders, writable=False), Connection(messages, readable=False))
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)


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
        return f"its process {describe_exit(self.process)}"

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
            python_command("cantilena.workflows.sweep.worker", *map(str, pipes), str(os.getpid())),
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
