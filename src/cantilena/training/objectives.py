"""What a batch teaches: losses of the modern input, every step of a piece predicted.

The paper's own way to train, for comparison: windows of 40 tokens as plain numbers, only the next token learned.

As in the Keras tutorial that the paper follows: every step of every piece gives one window, windows are shuffled and
learned from 64 at a time, and the loss is the categorical cross-entropy of the one token after the window. So a token
is read 40 times to be predicted once, which is what `EveryStep` saves. The windows of a piece's first steps are padded
on the left with the start symbol, so that the same tokens are predicted in both ways.
"""

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

from cantilena.models import Network, Sequences
from cantilena.runtime import generator
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
        rows = torch.from_numpy(network.features.encode(tokens, bars)).to(network.device)
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


class LastStep:
    """Only the token after a window is predicted.

    Args:
        pieces: what is learned.
        window: how many tokens are seen.
        batch: windows in a batch.
        seed: of the run.
        vocabulary_size: how many tokens there are; this number stands for the start symbol.
        processes: those that share each batch.

    Example:
        >>> lesson = LastStep(Sequences.from_tokens([[1, 2, 3]]), window=2, batch=2, seed=1, vocabulary_size=9)
        >>> lesson.windows(np.array([0, 2]))[0].tolist()
        [[9, 9], [1, 2]]
    """

    def __init__(
        self,
        pieces: Sequences,
        window: int,
        batch: int,
        seed: int,
        vocabulary_size: int,
        processes: Processes = ALONE,
    ) -> None:
        self.window, self.batch, self.seed, self.processes = window, batch, seed, processes
        pad = np.full(window, vocabulary_size, dtype=np.int64)
        self._line = np.concatenate([part for piece in pieces.tokens for part in (pad, piece)] or [pad])
        starts = np.cumsum([0, *(window + length for length in pieces.lengths)])[:-1]
        self._places = np.concatenate(
            [start + window + np.arange(length) for start, length in zip(starts, pieces.lengths, strict=True)]
            or [np.zeros(0, dtype=np.int64)]
        )

    @property
    def each_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._places) // self.batch)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The windows of each batch of an epoch, by number."""
        order = generator(self.seed, "train", "order", number).permutation(len(self._places))
        return [order[first : first + self.batch] for first in range(0, len(order), self.batch)]

    def windows(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`(windows, window)` tokens seen, and `(windows,)` the tokens after them."""
        places = self._places[chosen]
        return self._line[places[:, None] + np.arange(-self.window, 0)], self._line[places]

    def losses(
        self, network: Network, batch: NDArray[Any], place: Place, precisely: Precisely
    ) -> Iterator[tuple[Tensor, int]]:
        """Mean nats of the tokens after the windows; 0 without gradient where none is left for this process."""
        share = self.processes.share(batch)
        if not len(share):
            yield torch.zeros((), device=network.device), len(batch)
            return
        seen, following = self.windows(share)
        with precisely():
            scores = network.forward_windows(torch.from_numpy(seen).to(network.device))
        loss = F.cross_entropy(scores, torch.from_numpy(following).to(network.device))
        yield loss * (len(share) / len(batch)), len(batch)
