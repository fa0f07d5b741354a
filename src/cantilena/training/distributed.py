"""Data-parallel training: the rank of this process, and communication with the others.

Each process learns from its share of a batch, and the gradients are summed as one flat vector after each backward pass
(Li et al., PyTorch Distributed, Proceedings of the VLDB Endowment 13, 2020). `DistributedDataParallel` does not fit:
it expects equally many forward and backward passes in all processes and averages over processes. Here, recurrent state
is carried between parts of a batch, a process may have no pieces left in the last parts, and the loss is the mean over
the tokens of all processes. The cost is that communication does not overlap with the backward pass.

A single process does not communicate and imports no torch.
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
from typing import TYPE_CHECKING, Any, TypeVar

from cantilena.errors import CantilenaError, RunError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")

_HINT = "start with torchrun, which sets the environment, or unset WORLD_SIZE to train in one process"
_RESUME = "then run the same command with --resume, which continues from the last checkpoint"

_TIMEOUT = timedelta(minutes=5)
"""How long to wait for a process that is alive but does not respond; an exit is noticed at once."""

_POLL_SECONDS = 0.01
_FAILURE = "cantilena failure"
"""Key in the store of the reason why the first failed process stopped."""


@dataclass(frozen=True)
class ProcessRank:
    """The rank of a process, as torchrun defines it.

    Args:
        rank: from 0; process 0 is the main process, which alone reads, writes and prints.
        world_size: number of processes.
        local_rank: rank among the processes of this machine, which is also the number of its CUDA device.
        local_world_size: number of processes on this machine.

    Examples:
        >>> rank = ProcessRank(rank=1, world_size=2, local_rank=1, local_world_size=2)
        >>> rank.is_distributed, rank.is_main
        (True, False)
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def is_distributed(self) -> bool:
        """Whether there are several processes."""
        return self.world_size > 1

    @property
    def is_main(self) -> bool:
        """Whether this is process 0."""
        return self.rank == 0


def rank_from_env(environment: Mapping[str, str]) -> ProcessRank:
    """The rank of this process by the variables that torchrun sets; a single process unless WORLD_SIZE is above 1.

    Raises:
        UsageError: a variable is missing or invalid.

    Examples:
        >>> rank_from_env({"PATH": "/bin"}).is_distributed
        False
        >>> rank_from_env({"WORLD_SIZE": "4", "RANK": "3", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1",
        ...                "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"})
        ProcessRank(rank=3, world_size=4, local_rank=1, local_world_size=2)
    """

    def value(name: str, default: int | None = None) -> str:
        text = environment.get(name, "").strip() or ("" if default is None else str(default))
        if not text:
            raise UsageError(f"WORLD_SIZE is {environment['WORLD_SIZE']}, but {name} is not set", _HINT)
        return text

    def number(name: str, least: int, most: int, default: int | None = None) -> int:
        text = value(name, default)
        if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
            raise UsageError(f"{name} must be an integer from {least} to {most}, got '{text}'", _HINT)
        return int(text)

    world_size = number("WORLD_SIZE", 1, 65_536, default=1)
    if world_size == 1:
        return ProcessRank()
    local_world_size = number("LOCAL_WORLD_SIZE", 1, world_size, default=world_size)
    rank, local_rank = number("RANK", 0, world_size - 1), number("LOCAL_RANK", 0, local_world_size - 1)
    value("MASTER_ADDR")
    number("MASTER_PORT", 1, 65_535)
    return ProcessRank(rank, world_size, local_rank, local_world_size)


def is_main_process(environment: Mapping[str, str]) -> bool:
    """Whether this process may print: process 0, or one whose environment is invalid and that must report it.

    Examples:
        >>> is_main_process({}), is_main_process({"WORLD_SIZE": "two"})
        (True, True)
    """
    try:
        return rank_from_env(environment).is_main
    except UsageError:
        return True


@dataclass(frozen=True)
class ProcessGroup(ProcessRank):
    """The rank of this process, with collective operations; by default a single process.

    Examples:
        >>> import numpy as np
        >>> ProcessGroup(rank=1, world_size=2).shard(np.array([7, 5, 4, 2, 1])).tolist()
        [5, 2]
    """

    _store: Any = field(default=None, repr=False, compare=False)
    _broadcasts: Iterator[int] = field(default_factory=itertools.count, repr=False, compare=False)

    def shard(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Every `world_size`-th row: this process's share, balanced in length where rows are sorted by it."""
        return rows[self.rank :: self.world_size]

    def all_reduce_gradients(self, weights: Iterable[Tensor], loss: Tensor) -> float:
        """Replace each gradient by its sum over all processes, bit-identical in each; return the summed loss.

        A weight without gradient counts as 0; `loss` is this process's share of the loss.
        """
        if not self.is_distributed:
            return float(loss.detach())
        import torch

        parameters = list(weights)
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in parameters]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), loss.detach().reshape(1)])
        self._sum(flat)
        sums = torch.split(flat[:-1], [weight.numel() for weight in parameters])
        for weight, total in zip(parameters, sums, strict=True):
            weight.grad = total.view_as(weight)
        return float(flat[-1])

    def all_reduce(self, numbers: Sequence[float]) -> list[float]:
        """Sums over all processes, bit-identical in each."""
        if not self.is_distributed:
            return [*numbers]
        import torch

        sums = torch.tensor(numbers, dtype=torch.float64)
        self._sum(sums)
        return [float(total) for total in sums]

    def _sum(self, tensor: Tensor) -> None:
        import torch.distributed

        with self._peer_failures():
            torch.distributed.all_reduce(tensor)

    def broadcast(self, value: T | None) -> T:
        """The value of process 0, any picklable object, in every process.

        The others wait for it without a timeout, since process 0 may read or measure for long, but stop waiting when a
        process fails.
        """
        if not self.is_distributed:
            return value  # type: ignore[return-value]
        import torch
        import torch.distributed

        key = f"cantilena word {next(self._broadcasts)}"
        with self._peer_failures():
            if self.is_main:
                self._store.set(key, "")
            while not self._store.check([key]):  # a wait that signals can interrupt
                if self._store.check([_FAILURE]):
                    raise self._peer_error()
                time.sleep(_POLL_SECONDS)
            box = [value if self.is_main else None]
            torch.distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]  # type: ignore[return-value]

    @contextmanager
    def _peer_failures(self) -> Iterator[None]:
        """Turn whatever torch raises when another process exits or times out into one readable error."""
        try:
            yield
        except RuntimeError as error:
            raise self._peer_error() from error

    def _peer_error(self) -> CantilenaError:
        """The error of the process that failed first, if it could report one."""
        with suppress(RuntimeError, ValueError, KeyError):
            if self._store.check([_FAILURE]):
                report = json.loads(self._store.get(_FAILURE))
                error = CantilenaError(report["text"], report["hint"])
                error.exit_status = report["status"]
                return error
        return RunError("another process of this training exited or does not respond", f"fix the cause, {_RESUME}")

    def _report(self, error: BaseException) -> None:
        """Store why this process fails; only the first report counts."""
        match error:
            case CantilenaError():
                text, hint, status = error.text, error.hint, error.exit_status
            case KeyboardInterrupt():
                text, hint, status = "interrupted", _RESUME.removeprefix("then "), 130
            case _:
                text, hint, status = f"unexpected {type(error).__name__}: {error}", "run it again with --debug", 1
        text = text if self.is_main else f"process {self.rank}: {text}"
        with suppress(RuntimeError):
            self._store.compare_set(_FAILURE, "", json.dumps({"text": text, "hint": hint, "status": status}))


SINGLE_PROCESS = ProcessGroup()
"""The group of a single process."""


class _Terminated(BaseException):
    """SIGTERM, which torchrun sends to the others when a process has failed."""


@contextmanager
def init_distributed() -> Iterator[ProcessGroup]:
    """Join the processes that were started with this one; on success, all leave the context together.

    Raises:
        UsageError: the environment is invalid.
        RunError: the others do not connect, or one of them fails.

    Examples:
        >>> with init_distributed() as processes:
        ...     processes.all_reduce([1.0, 2.0])
        [1.0, 2.0]
    """
    rank = rank_from_env(os.environ)
    if not rank.is_distributed:
        yield SINGLE_PROCESS
        return
    processes = _connect(rank)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    _set_handler(signal.SIGTERM, _raise_terminated)
    try:
        yield processes
        processes.broadcast(None)  # wait for process 0 to finish, so that all exit with the same status,
        processes.all_reduce([0.0])  # and for the others to know
    except BaseException as error:
        for number in handlers:  # a second Ctrl-C or SIGTERM must not interrupt the report
            _set_handler(number, signal.SIG_IGN)
        if isinstance(error, _Terminated):
            raise processes._peer_error() from None
        processes._report(error)
        raise
    else:
        for number, handler in handlers.items():
            _set_handler(number, handler)
    finally:
        import torch.distributed

        with suppress(RuntimeError, AssertionError):
            torch.distributed.destroy_process_group()


def _connect(rank: ProcessRank) -> ProcessGroup:
    handler = signal.getsignal(signal.SIGINT)
    _set_handler(signal.SIGINT, signal.SIG_DFL)  # torch ignores Ctrl-C while it waits, and nothing has begun yet
    try:
        # Import this module before there is a group: it keeps the group of its import (torch's optimizers import it),
        # which is then never destroyed, and whose threads abort a process at exit.
        import torch
        import torch.distributed.nn.functional
        from torch.distributed.rendezvous import rendezvous

        store, number, world_size = next(rendezvous("env://", timeout=_TIMEOUT))
        has_nccl = torch.cuda.is_available() and torch.distributed.is_nccl_available()
        torch.distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if has_nccl else "gloo",
            store=store,
            rank=number,
            world_size=world_size,
            timeout=_TIMEOUT,
        )
        return ProcessGroup(**asdict(rank), _store=store)
    except (RuntimeError, ValueError) as error:
        minutes = _TIMEOUT.total_seconds() / 60
        raise RunError(
            f"the {rank.world_size} processes could not connect to each other within {minutes:.0f} minutes", _HINT
        ) from error
    finally:
        _set_handler(signal.SIGINT, handler)


def _raise_terminated(*_: object) -> None:
    _set_handler(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated


def _set_handler(number: signal.Signals, handler: Any) -> None:  # noqa: ANN401  (what `signal.signal` takes)
    with suppress(ValueError, TypeError):  # not in the main thread, or a handler that Python did not install
        signal.signal(number, handler)
