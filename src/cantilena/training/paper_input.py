"""The paper's own way to train, for comparison: windows of 40 tokens as plain numbers, only the next token learned.

As in the Keras tutorial that the paper follows: every step of every piece gives one window, windows are shuffled and
learned from 64 at a time, and the loss is the categorical cross-entropy of the one token after the window. So a token
is read 40 times to be predicted once, which is what `EveryStep` saves. The windows of a piece's first steps are padded
on the left with the start symbol, so that the same tokens are predicted in both ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cantilena.models import Network, Sequences
from cantilena.runtime import generator
from cantilena.training.distributed import ALONE, Processes
from cantilena.training.objectives import Place, Precisely


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
        >>> lesson = LastStep(Sequences.of([[1, 2, 3]]), window=2, batch=2, seed=1, vocabulary_size=9)
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
