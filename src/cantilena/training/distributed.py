"""The group of processes that train one network together: who is who, and what passes between them.

Each process learns from its share of a batch, and the gradients are added up as one flat vector after every backward
pass (data parallelism: Li et al., PyTorch Distributed, Proceedings of the VLDB Endowment 13, 2020). Torch's
DistributedDataParallel does not fit here: it counts on every process to go forward and backward equally often, and
takes the mean over processes. Ours carry a state from part to part, may have no piece left in the last parts, and
divide by the tokens of all. One sum is exact whatever each process has, and a few lines. The price is that nothing is
sent while the backward pass still runs.

Alone is a group of one, which sends nothing and imports nothing.

Which of several processes this one is, by what the starter of them says in the environment: torchrun, or another.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from cantilena.errors import CantilenaError, RunError, UsageError

if TYPE_CHECKING:
    from torch import Tensor


START_WITH = "start with torchrun, which sets what is needed, or unset WORLD_SIZE to train in one process"
"""What to do where the environment makes no sense."""


@dataclass(frozen=True)
class Place:
    """The place of a process among those that were started together.

    Args:
        rank: its number, from 0; process 0 speaks, reads and writes for all.
        world: how many there are.
        local_rank: its number on this machine, which is the number of its card too.
        local_world: how many there are on this machine.

    Example:
        >>> Place().several, Place(rank=1, world=2, local_rank=1, local_world=2).first
        (False, False)
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.world > 1

    @property
    def first(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0


def placed(environment: Mapping[str, str]) -> Place:
    """The place that the environment gives this process; alone where it tells of no others.

    Args:
        environment: its variables, as torchrun sets them; a WORLD_SIZE above 1 is what tells of others.

    Raises:
        UsageError: variables that are missing or make no sense.

    Example:
        >>> placed({"PATH": "/bin"}).several
        False
        >>> placed({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1",
        ...         "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"})
        Place(rank=3, world=4, local_rank=1, local_world=2)
    """
    world = _number(environment, "WORLD_SIZE", 1, 65_536, missing=1)
    if world == 1:
        return Place()
    local_world = _number(environment, "LOCAL_WORLD_SIZE", 1, world, missing=world)
    rank = _number(environment, "RANK", 0, world - 1)
    local_rank = _number(environment, "LOCAL_RANK", 0, local_world - 1)
    if not environment.get("MASTER_ADDR", "").strip():
        raise _missing(environment, "MASTER_ADDR")
    _number(environment, "MASTER_PORT", 1, 65_535)
    return Place(rank, world, local_rank, local_world)


def speaks(environment: Mapping[str, str]) -> bool:
    """Whether this process may print: process 0, and whoever does not know its place and must say so.

    Args:
        environment: as for `placed`.

    Example:
        >>> speaks({}), speaks({"WORLD_SIZE": "two"})
        (True, True)
    """
    try:
        return placed(environment).first
    except UsageError:
        return True


def _number(environment: Mapping[str, str], name: str, least: int, most: int, *, missing: int | None = None) -> int:
    text = environment.get(name, "").strip()
    if not text and missing is not None:
        return missing
    if not text:
        raise _missing(environment, name)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise UsageError(f"{name} is '{text}', not a whole number from {least} to {most}", START_WITH)
    return int(text)


def _missing(environment: Mapping[str, str], name: str) -> UsageError:
    return UsageError(f"WORLD_SIZE is {environment['WORLD_SIZE']}, but {name} is not given", START_WITH)


T = TypeVar("T")

_PATIENCE = timedelta(minutes=5)
"""How long a process waits for one that lives but does not answer; the end of one is noticed at once."""

_LOOK_SECONDS = 0.01
"""Between two looks whether process 0 has something to tell."""

_FAILURE = "cantilena failure"
"""Under this name the first process that fails says why."""


@dataclass(frozen=True)
class Processes(Place):
    """This process with its way to the others; alone if nothing is given.

    Example:
        >>> import numpy as np
        >>> Processes(rank=1, world=2).share(np.array([7, 5, 4, 2, 1])).tolist()
        [5, 2]
    """

    _store: Any = field(default=None, repr=False, compare=False)
    _words: Iterator[int] = field(default_factory=itertools.count, repr=False, compare=False)

    def share(self, rows: NDArray[Any]) -> NDArray[Any]:
        """This process's part of a batch: every `world`-th row, so that lengths balance where rows are sorted."""
        return rows[self.rank :: self.world]

    def add_gradients(self, weights: Iterable[Tensor], loss: Tensor) -> float:
        """Replace each weight's gradient by the sum over all processes, the same bits in each; give the summed loss.

        Args:
            weights: of the network, the same in all processes; a weight without gradient counts as 0.
            loss: `()`: this process's part of the loss.
        """
        if not self.several:
            return float(loss.detach())
        import torch
        import torch.distributed as group

        learned = list(weights)
        parts = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in learned]
        flat = torch.cat([*(part.flatten() for part in parts), loss.detach().reshape(1)])
        with self._heard():
            group.all_reduce(flat)
        sums = torch.split(flat[:-1], [weight.numel() for weight in learned])
        for weight, total in zip(learned, sums, strict=True):
            weight.grad = total.view_as(weight)
        return float(flat[-1])

    def add(self, numbers: Sequence[float]) -> list[float]:
        """Sums over all processes, the same bits in each."""
        if not self.several:
            return [*numbers]
        import torch
        import torch.distributed as group

        sums = torch.tensor(numbers, dtype=torch.float64)
        with self._heard():
            group.all_reduce(sums)
        return [float(total) for total in sums]

    def tell(self, value: T | None) -> T:
        """What process 0 gives, in every process.

        The others wait for it however long it takes, and stop waiting when a process fails.

        Args:
            value: anything that can be pickled; looked at in process 0 alone.
        """
        if self.several:
            import torch
            import torch.distributed as group

            word = f"cantilena word {next(self._words)}"
            with self._heard():
                if self.first:
                    self._store.set(word, "")
                while not self._store.check([word]):
                    if self._store.check([_FAILURE]):
                        raise self._lost()
                    time.sleep(_LOOK_SECONDS)
                box = [value if self.first else None]
                group.broadcast_object_list(box, src=0, device=torch.device("cpu"))
                value = box[0]
        return value  # type: ignore[return-value]

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Where a process is not heard any more, that is said in one sentence."""
        try:
            yield
        except RuntimeError as error:  # whatever torch raises when another process ends or is silent for too long
            raise self._lost() from error

    def _lost(self) -> CantilenaError:
        """Why this process cannot go on: what the one that failed has said, if it could say anything."""
        with suppress(RuntimeError, ValueError, KeyError):
            if self._store.check([_FAILURE]):
                said = json.loads(self._store.get(_FAILURE))
                failure = CantilenaError(said["text"], said["hint"])
                failure.exit_status = said["status"]
                return failure
        return RunError(
            "another process of this training has ended or is not heard any more",
            "when the reason is gone, start the same command with --resume: it goes on from the last checkpoint",
        )

    def _say_why(self, error: BaseException) -> None:
        """Let the others know why this process ends; only the first reason counts."""
        match error:
            case CantilenaError():
                text, hint, status = error.text, error.hint, error.exit_status
            case KeyboardInterrupt():
                text, hint, status = "interrupted", "start the same command with --resume", 130
            case _:
                text, hint, status = f"unexpected {type(error).__name__}: {error}", "run it again with --debug", 1
        whose = "" if self.first else f"process {self.rank}: "
        with suppress(RuntimeError):
            said = {"text": f"{whose}{text}", "hint": hint, "status": status}
            self._store.compare_set(_FAILURE, "", json.dumps(said))


ALONE = Processes()
"""The group of one."""


@contextmanager
def together() -> Iterator[Processes]:
    """Join the processes that were started with this one, and leave them at the end, together where all went well.

    Raises:
        UsageError: the environment makes no sense.
        RunError: the others do not come, or one of them ends before the work is done.

    Example:
        >>> with together() as processes:
        ...     processes.add([1.0, 2.0])
        [1.0, 2.0]
    """
    place = placed(os.environ)
    if not place.several:
        yield ALONE
        return
    processes = _joined(place)
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGINT)}
    _answer(signal.SIGTERM, _end)
    try:
        yield processes
        processes.tell(None)  # the others wait for the last work of process 0, so that all end with the same status
        processes.add([0.0])  # and process 0 for the others to have heard it
    except BaseException as error:
        # This process is about to end: a second Ctrl-C, or whoever ends the others, must not cut off its last words.
        for sign in before:
            _answer(sign, signal.SIG_IGN)
        if isinstance(error, _Ended):
            raise processes._lost() from None
        processes._say_why(error)
        raise
    else:
        for sign, answer in before.items():
            _answer(sign, answer)
    finally:
        _leave()


class _Ended(BaseException):
    """Whoever started the processes wants them to end, as torchrun does when one of them has ended."""


def _end(sign: int, frame: FrameType | None) -> None:
    _answer(signal.SIGTERM, signal.SIG_IGN)
    raise _Ended


def _answer(sign: signal.Signals, answer: Any) -> None:  # noqa: ANN401  (what `signal.signal` takes)
    with suppress(ValueError, TypeError):  # not in the main thread, or an answer that Python did not give
        signal.signal(sign, answer)


def _joined(place: Place) -> Processes:
    before = signal.getsignal(signal.SIGINT)
    _answer(signal.SIGINT, signal.SIG_DFL)  # torch would not hear Ctrl-C while it waits, and nothing is begun yet
    try:
        # Functions of this module keep the group of the time of its import, which torch's optimizers bring about. That
        # group would never be taken down, and its threads abort a process that ends before they do.
        import torch.distributed.nn.functional
        from torch.distributed.rendezvous import rendezvous

        group = torch.distributed
        store, rank, world = next(rendezvous("env://", timeout=_PATIENCE))
        backend = "cpu:gloo,cuda:nccl" if _has_cards() else "gloo"
        group.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=_PATIENCE)
        return Processes(**asdict(place), _store=store)
    except (RuntimeError, ValueError) as error:
        minutes = _PATIENCE.total_seconds() / 60
        raise RunError(
            f"the {place.world} processes did not find each other within {minutes:.0f} minutes", START_WITH
        ) from error
    finally:
        _answer(signal.SIGINT, before)


def _has_cards() -> bool:
    import torch

    return torch.cuda.is_available() and torch.distributed.is_nccl_available()


def _leave() -> None:
    import torch.distributed as group

    with suppress(RuntimeError, AssertionError):
        if group.is_initialized():
            group.destroy_process_group()
