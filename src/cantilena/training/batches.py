"""Batches of pieces: about the same length together, in a new order each epoch, in a random key where asked for.

What is told of a piece beforehand moves with its key, and is sometimes left out.

Transposition as a table of tokens, for any encoding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CantilenaError
from cantilena.models import CONDITIONS, UNKNOWN, Bars, Sequences, transpose_condition_ids
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding

_POOL = 16
"""Batches whose pieces are sorted by length together: small enough to leave the order random."""


class Batches:
    """What each batch of each epoch holds, decided by the seed alone.

    Args:
        pieces: what is learned.
        batch: pieces in a batch.
        seed: of the run.
        transpositions: `(shifts, vocabulary)` what each token becomes, -1 where it cannot be said; None for no shift.
        forget: share of the pieces of which nothing is told, and of the conditions left out of the others.

    Example:
        >>> batches = Batches(Sequences.from_tokens([[1, 2, 3], [4], [5, 6]]), batch=2, seed=1)
        >>> sorted(len(chosen) for chosen in batches.epoch(0))
        [1, 2]
    """

    def __init__(
        self,
        pieces: Sequences,
        batch: int,
        seed: int,
        transpositions: NDArray[np.int64] | None = None,
        forget: float = 0.0,
    ) -> None:
        self.pieces, self.batch, self.seed = pieces, batch, seed
        self.transpositions, self.forget = transpositions, forget
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
        moved = np.zeros(len(chosen), dtype=np.int64)
        if self.transpositions is not None and self._possible is not None:
            for number, (row, piece) in enumerate(zip(rows, chosen, strict=True)):
                shifts = np.flatnonzero(self._possible[piece])
                if len(shifts):
                    shift = generator(self.seed, "train", "key", epoch, int(piece)).choice(shifts)
                    row[:] = self.transpositions[shift][row]
                    moved[number] = shift - len(self.transpositions) // 2
        # A pad may have been moved too, even to -1: what stands after the end is 0 and counts nowhere.
        lengths = self.pieces.lengths[chosen]
        rows[np.arange(rows.shape[1])[None, :] >= lengths[:, None]] = 0
        return rows, lengths, self._told(chosen, moved, epoch)

    def _told(self, chosen: NDArray[np.int64], moved: NDArray[np.int64], epoch: int) -> Bars:
        """The bars of a batch's pieces, and what is told of them in this epoch after so many semitones of shift."""
        bars = self.pieces.bars[chosen]
        kept = self._kept(epoch)[chosen]
        return replace(bars, condition_ids=np.where(kept, transpose_condition_ids(bars.condition_ids, moved), UNKNOWN))

    def _kept(self, epoch: int) -> NDArray[np.bool_]:
        """`(pieces, 4)`: which conditions are told in an epoch."""
        chances = generator(self.seed, "train", "forget", epoch).random((len(self.pieces), len(CONDITIONS) + 1))
        kept: NDArray[np.bool_] = (chances >= self.forget).astype(np.bool_)
        return kept[:, 1:] & kept[:, :1]


def transpositions(encoding: Encoding, semitones: int) -> NDArray[np.int64]:
    """What each token becomes when a piece is moved by so many semitones down to so many up.

    Args:
        encoding: what the tokens mean.
        semitones: the furthest shift.

    Returns:
        `(2 semitones + 1, vocabulary)` tokens, -1 where the encoding cannot say the note in that key. Row `semitones`
        is no shift.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> transpositions(GridEncoding(), 1)[:, [0, 1, 2, 14]].tolist()
        [[0, 1, -1, 13], [0, 1, 2, 14], [0, 1, 3, 15]]
    """
    shifts = range(-semitones, semitones + 1)
    size = len(encoding.vocabulary)
    return np.array([[_moved(encoding, token, shift) for token in range(size)] for shift in shifts], dtype=np.int64)


def _moved(encoding: Encoding, token: int, shift: int) -> int:
    try:
        melody = encoding.decode([token]).transposed(shift)
        fit = encoding.fit(melody)
        said = encoding.encode(melody)
    except CantilenaError:  # beyond MIDI's range
        return -1
    return int(said[0]) if len(said) == 1 and not (fit.folded or fit.dropped) else -1
