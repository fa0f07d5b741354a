"""What a batch teaches: losses of the modern input, every step of a piece predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cantilena.models import Network
from cantilena.training.batches import Batches
from cantilena.training.distributed import ALONE, Processes

Precisely = Callable[[], AbstractContextManager[object]]
"""Gives the context in which a forward pass computes: autocast, or nothing."""

NOTHING = -100
"""The target of steps after a piece's or a window's end, which count nowhere."""


Taught = TypeVar("Taught", bound=nn.Module, contravariant=True)


@dataclass(frozen=True)
class Place:
    """Where in a training a batch lies.

    Args:
        epoch: from 0.
        batch: of the epoch, from 0.
        share: of all epochs' batches, how many were before it.
    """

    epoch: int = 0
    batch: int = 0
    share: float = 0.0


class Lesson(Protocol[Taught]):
    """A way to learn from pieces."""

    @property
    def each_epoch(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, number: int) -> list[NDArray[Any]]:
        """What each batch of an epoch holds."""
        ...

    def losses(
        self, network: Taught, batch: NDArray[Any], place: Place, precisely: Precisely
    ) -> Iterator[tuple[Tensor, int]]:
        """Mean nats of the tokens predicted, and how many; the weights may be updated between two of these.

        Of several processes each gives its part of the mean over the tokens of all, and how many those are: as often as
        the others, whatever it has to learn from.
        """
        ...


class EveryStep(Batches):
    """Teacher forcing: each step of each piece is predicted from all before it (Williams and Zipser 1989).

    A piece longer than `steps` is learned in parts: the state goes on from part to part, the gradient does not
    (truncated backpropagation through time).

    Args:
        steps: the longest part; the rest as for `Batches`.
        processes: those that share each batch.
    """

    def __init__(self, steps: int, *batches: Any, processes: Processes = ALONE, **named: Any) -> None:  # noqa: ANN401  (those of Batches)
        super().__init__(*batches, **named)
        self.steps, self.processes = steps, processes

    def losses(
        self, network: Network, batch: NDArray[Any], place: Place, precisely: Precisely
    ) -> Iterator[tuple[Tensor, int]]:
        """Mean nats a step of each part of the batch, and the steps it is the mean of.

        The parts are those of the whole batch: a process whose own pieces have ended gives 0, without gradient.
        """
        everyone = np.array([len(self.pieces.tokens[piece]) for piece in batch], dtype=np.int64)
        tokens, lengths, bars = self.tokens(self.processes.share(batch), place.epoch)
        rows = torch.from_numpy(network.features.of(tokens, bars)).to(network.device)
        counts = torch.arange(tokens.shape[1])[None, :] < torch.from_numpy(lengths)[:, None]
        targets = torch.from_numpy(tokens).masked_fill(~counts, NOTHING).to(network.device)
        state = None
        for first in range(0, int(everyone.max()), self.steps):
            total, own = (int(np.clip(each - first, 0, self.steps).sum()) for each in (everyone, lengths))
            going = int((lengths > first).sum())  # the longest pieces come first
            if not going:
                yield torch.zeros((), device=network.device), total
                continue
            part = slice(first, first + self.steps)
            with precisely():
                scores, state = network(rows[:going, part], _cut(state, going))
            wanted = targets[:going, part]
            loss = F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=NOTHING)
            yield loss * (own / total), total


def _cut(state: Any, going: int) -> Any:  # noqa: ANN401  (a tensor, or a pair for lstm)
    """The state of the pieces that go on, without its gradient."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(_cut(part, going) for part in state)
    return state[:, :going].detach().contiguous()
