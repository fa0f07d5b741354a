"""A process that trains one trial after the other as it is told, and reports each epoch. It knows no Optuna.

It reads the corpus once. It ends when its parent does, however that ended.
"""

from __future__ import annotations

import hashlib
import math
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from cantilena.errors import CantilenaError, RunError
from cantilena.workflows.data import Material
from cantilena.workflows.train.blend import score
from cantilena.workflows.train.config import fitted, shape_and_training
from cantilena.workflows.train.options import TrainRequest
from cantilena.workflows.train.run import learn_network
from cantilena.workflows.train.train_material import read_material


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
    most = training.passes(material.train.sequences.steps)
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
