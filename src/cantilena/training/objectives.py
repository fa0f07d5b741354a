"""Training objectives of networks: teacher forcing, and the paper's prediction of the last step of a window."""

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
from cantilena.training.distributed import SINGLE_PROCESS, ProcessGroup

Autocast = Callable[[], AbstractContextManager[object]]
"""Returns the context of a forward pass: `torch.autocast`, or nothing."""

IGNORED = -100
"""Target of the steps after the end of a piece, which `F.cross_entropy` ignores."""

Model = TypeVar("Model", bound=nn.Module, contravariant=True)


@dataclass(frozen=True)
class BatchPosition:
    """Position of a batch in the training.

    Args:
        epoch: from 0.
        batch: index within the epoch, from 0.
        progress: fraction of all batches that precede it, 0 to 1.
    """

    epoch: int = 0
    batch: int = 0
    progress: float = 0.0


class Objective(Protocol[Model]):
    """The batches of each epoch and their losses."""

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        ...

    def epoch(self, number: int) -> list[NDArray[Any]]:
        """The indices that each batch of an epoch consists of."""
        ...

    def losses(
        self, network: Model, batch: NDArray[Any], position: BatchPosition, autocast: Autocast
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield `(mean nats a step, steps)` of each part of a batch; the weights may be updated between two parts.

        With several processes, each yields its share of the mean over the steps of all processes, and their number. All
        processes yield equally often, even if one has no pieces left.
        """
        ...


class TeacherForcing(Batches):
    """Predict each step of each piece from all steps before it (Williams and Zipser 1989).

    A piece longer than `steps` is cut into parts. The state is carried from part to part, the gradient is not
    (truncated backpropagation through time).

    Args:
        steps: maximum length of a part; the other arguments are those of `Batches`.
        processes: the processes that share each batch.
    """

    def __init__(self, steps: int, *args: Any, processes: ProcessGroup = SINGLE_PROCESS, **kwargs: Any) -> None:  # noqa: ANN401  (those of Batches)
        super().__init__(*args, **kwargs)
        self.steps, self.processes = steps, processes

    def losses(
        self, network: Network, batch: NDArray[Any], position: BatchPosition, autocast: Autocast
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of each part of the batch and its steps; 0 without gradient once the own pieces have ended."""
        all_lengths = np.array([len(self.pieces.tokens[piece]) for piece in batch], dtype=np.int64)
        tokens, lengths, bars = self.tokens(self.processes.shard(batch), position.epoch)
        rows = torch.from_numpy(network.features.encode(tokens, bars)).to(network.device)
        valid = torch.arange(tokens.shape[1])[None, :] < torch.from_numpy(lengths)[:, None]
        targets = torch.from_numpy(tokens).masked_fill(~valid, IGNORED).to(network.device)
        state = None
        steps = self.steps - self.steps % network.features.period  # a part does not end within a note
        for start in range(0, int(all_lengths.max()), steps):
            total, own = (int(np.clip(sizes - start, 0, steps).sum()) for sizes in (all_lengths, lengths))
            remaining = int((lengths > start).sum())  # the longest pieces come first
            if not remaining:
                yield torch.zeros((), device=network.device), total
                continue
            part = slice(start, start + steps)
            with autocast():
                scores, state = network(rows[:remaining, part], _detach(state, remaining))
            loss = F.cross_entropy(scores.flatten(0, 1), targets[:remaining, part].flatten(), ignore_index=IGNORED)
            yield loss * (own / total), total


def _detach(state: Any, pieces: int) -> Any:  # noqa: ANN401  (a tensor, or a pair for lstm)
    """The state of the first pieces, without gradient."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(_detach(part, pieces) for part in state)
    return state[:, :pieces].detach().contiguous()


class LastStepPrediction:
    """Predict only the token after a window of tokens, given as plain numbers: the paper's own way, for comparison.

    As in the Keras tutorial that the paper follows, every step of every piece gives one window, the windows are
    shuffled, and the loss is the cross-entropy of the token after the window. So each token is read as often as a
    window is long, which `TeacherForcing` avoids. The first windows of a piece are padded on the left with the start
    symbol, so that both objectives predict the same tokens.

    Args:
        pieces: the training pieces.
        window: length of a window.
        batch: windows in a batch.
        seed: of the run.
        vocabulary_size: the start symbol.
        processes: the processes that share each batch.

    Examples:
        >>> from cantilena.models import Bars
        >>> pieces = Sequences((np.array([1, 2, 3]),), Bars.common_time(1))
        >>> objective = LastStepPrediction(pieces, window=2, batch=2, seed=1, vocabulary_size=9)
        >>> objective.windows(np.array([0, 2]))[0].tolist()
        [[9, 9], [1, 2]]
    """

    def __init__(
        self,
        pieces: Sequences,
        window: int,
        batch: int,
        seed: int,
        vocabulary_size: int,
        processes: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self.window, self.batch, self.seed, self.processes = window, batch, seed, processes
        pad = np.full(window, vocabulary_size, dtype=np.int64)
        self._tokens = np.concatenate([part for piece in pieces.tokens for part in (pad, piece)] or [pad])
        starts = np.cumsum([0, *(window + length for length in pieces.lengths)])[:-1]
        self._targets = np.concatenate(
            [start + window + np.arange(length) for start, length in zip(starts, pieces.lengths, strict=True)]
            or [np.zeros(0, dtype=np.int64)]
        )

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self._targets) // self.batch)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The indices of the windows of each batch of an epoch."""
        order = generator(self.seed, "train", "order", number).permutation(len(self._targets))
        return [order[start : start + self.batch] for start in range(0, len(order), self.batch)]

    def windows(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`(windows, window)` input tokens, and the `(windows,)` tokens after them."""
        targets = self._targets[indices]
        return self._tokens[targets[:, None] + np.arange(-self.window, 0)], self._tokens[targets]

    def losses(
        self, network: Network, batch: NDArray[Any], position: BatchPosition, autocast: Autocast
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield the loss of the batch and its windows; 0 without gradient if none is left for this process."""
        shard = self.processes.shard(batch)
        if not len(shard):
            yield torch.zeros((), device=network.device), len(batch)
            return
        inputs, targets = self.windows(shard)
        with autocast():
            scores = network.forward_windows(torch.from_numpy(inputs).to(network.device))
        loss = F.cross_entropy(scores, torch.from_numpy(targets).to(network.device))
        yield loss * (len(shard) / len(batch)), len(batch)
