"""What a batch teaches: losses of the modern input, every step of a piece predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cantilena.model import Network
from cantilena.training.batches import Batches

Precisely = Callable[[], AbstractContextManager[object]]
"""Gives the context in which a forward pass computes: autocast, or nothing."""

_NOTHING = -100
"""The target of steps after a piece's end, which count nowhere."""


class Lesson(Protocol):
    """A way to learn from pieces."""

    @property
    def each_epoch(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, number: int) -> list[NDArray[Any]]:
        """What each batch of an epoch holds."""
        ...

    def losses(
        self, network: Network, batch: NDArray[Any], epoch: int, precisely: Precisely
    ) -> Iterator[tuple[Tensor, int]]:
        """Mean nats of the tokens predicted, and how many; the weights may be updated between two of these."""
        ...


class EveryStep(Batches):
    """Teacher forcing: each step of each piece is predicted from all before it (Williams and Zipser 1989).

    A piece longer than `steps` is learned in parts: the state goes on from part to part, the gradient does not
    (truncated backpropagation through time).

    Args:
        steps: the longest part; the rest as for `Batches`.
    """

    def __init__(self, steps: int, *batches: Any, **named: Any) -> None:  # noqa: ANN401  (those of Batches)
        super().__init__(*batches, **named)
        self.steps = steps

    def losses(
        self, network: Network, batch: NDArray[Any], epoch: int, precisely: Precisely
    ) -> Iterator[tuple[Tensor, int]]:
        """Mean nats a step of each part of the batch, and the steps it is the mean of."""
        tokens, lengths, bars = self.tokens(batch, epoch)
        rows = torch.from_numpy(network.features.of(tokens, bars)).to(network.device)
        counts = torch.arange(tokens.shape[1])[None, :] < torch.from_numpy(lengths)[:, None]
        targets = torch.from_numpy(tokens).masked_fill(~counts, _NOTHING).to(network.device)
        state = None
        for first in range(0, tokens.shape[1], self.steps):
            going = int((lengths > first).sum())  # the longest pieces come first
            part = slice(first, first + self.steps)
            with precisely():
                scores, state = network(rows[:going, part], _cut(state, going))
            wanted = targets[:going, part]
            loss = F.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=_NOTHING)
            yield loss, int((wanted != _NOTHING).sum())


def _cut(state: Any, going: int) -> Any:  # noqa: ANN401  (a tensor, or a pair for lstm)
    """The state of the pieces that go on, without its gradient."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(_cut(part, going) for part in state)
    return state[:, :going].detach().contiguous()
