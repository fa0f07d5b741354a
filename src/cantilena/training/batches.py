"""Batches of pieces: about the same length together, in a new order each epoch, in a random key where asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.model import Bars, Sequences
from cantilena.runs import generator

_POOL = 16
"""Batches whose pieces are sorted by length together: small enough to leave the order random."""


class Batches:
    """What each batch of each epoch holds, decided by the seed alone.

    Args:
        pieces: what is learned.
        batch: pieces in a batch.
        seed: of the run.
        transpositions: `(shifts, vocabulary)` what each token becomes, -1 where it cannot be said; None for no shift.

    Example:
        >>> batches = Batches(Sequences.of([[1, 2, 3], [4], [5, 6]]), batch=2, seed=1)
        >>> sorted(len(chosen) for chosen in batches.epoch(0))
        [1, 2]
    """

    def __init__(
        self, pieces: Sequences, batch: int, seed: int, transpositions: NDArray[np.int64] | None = None
    ) -> None:
        self.pieces, self.batch, self.seed, self.transpositions = pieces, batch, seed, transpositions
        self._possible: NDArray[np.bool_] | None = None
        if transpositions is not None:
            sayable = [(transpositions[:, np.unique(piece)] >= 0).all(axis=1) for piece in pieces.tokens]
            self._possible = np.array(sayable, dtype=bool).reshape(len(pieces), len(transpositions))

    @property
    def each_epoch(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.pieces) // self.batch)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The pieces of each batch of an epoch, the longest piece of a batch first."""
        rng = generator(self.seed, "train", "order", number)
        order = rng.permutation(len(self.pieces))
        lengths = self.pieces.lengths
        batches = []
        for start in range(0, len(order), self.batch * _POOL):
            pool = order[start : start + self.batch * _POOL]
            pool = pool[np.argsort(-lengths[pool], kind="stable")]
            batches += [pool[first : first + self.batch] for first in range(0, len(pool), self.batch)]
        return [batches[place] for place in rng.permutation(len(batches))]

    def tokens(self, chosen: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Bars]:
        """The batch's tokens, `(pieces, steps)`, padded with 0; the pieces' lengths; their bars."""
        rows = self.pieces.padded(chosen)
        if self.transpositions is not None and self._possible is not None:
            for row, piece in zip(rows, chosen, strict=True):
                shifts = np.flatnonzero(self._possible[piece])
                if len(shifts):
                    shift = generator(self.seed, "train", "key", epoch, int(piece)).choice(shifts)
                    row[:] = self.transpositions[shift][row]
        # A pad may have been moved too, even to -1: what stands after the end is 0 and counts nowhere.
        lengths = self.pieces.lengths[chosen]
        rows[np.arange(rows.shape[1])[None, :] >= lengths[:, None]] = 0
        return rows, lengths, self.pieces.bars[chosen]
