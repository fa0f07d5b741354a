"""Batches of pieces of similar length, shuffled anew in each epoch, with random transposition and condition dropout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import CantilenaError
from cantilena.models import CONDITIONS, UNKNOWN, Bars, Sequences, transpose_condition_ids, transposed_chords
from cantilena.runtime import generator
from cantilena.tokenizers import Encoding, NotesEncoding

_POOL = 16
"""Number of batches whose pieces are sorted by length together: small enough to keep the order random."""

_DROPPED_OFTEN = 0.5
"""Share of pieces that are told no chords and, beside pieces whose style is always told, no style: most melodies are
composed without."""


class Batches:
    """The content of each batch of each epoch, determined by the seed alone.

    Args:
        pieces: the training pieces.
        batch: pieces in a batch.
        seed: of the run.
        transpositions: `(shifts, vocabulary)` table of tokens from the function `transpositions`; None for none.
        condition_dropout: probability of dropping all conditions of a piece, and each remaining one by itself.

    Examples:
        >>> batches = Batches(Sequences.from_tokens([[1, 2, 3], [4], [5, 6]]), batch=2, seed=1)
        >>> sorted(len(rows) for rows in batches.epoch(0))
        [1, 2]
    """

    def __init__(
        self,
        pieces: Sequences,
        batch: int,
        seed: int,
        transpositions: NDArray[np.int64] | None = None,
        condition_dropout: float = 0.0,
    ) -> None:
        self.pieces, self.batch, self.seed = pieces, batch, seed
        self.transpositions, self.condition_dropout = transpositions, condition_dropout
        self._allowed_shifts: NDArray[np.bool_] | None = None
        if transpositions is not None:
            rows = [(transpositions[:, np.unique(piece)] >= 0).all(axis=1) for piece in pieces.tokens]
            self._allowed_shifts = np.array(rows, dtype=bool).reshape(len(pieces), len(transpositions))

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return -(-len(self.pieces) // self.batch)

    def epoch(self, number: int) -> list[NDArray[np.int64]]:
        """The indices of the pieces of each batch of an epoch, the longest piece of a batch first."""
        rng = generator(self.seed, "train", "order", number)
        order = rng.permutation(len(self.pieces))
        lengths = self.pieces.lengths
        batches = []
        for start in range(0, len(order), self.batch * _POOL):
            pool = order[start : start + self.batch * _POOL]
            pool = pool[np.argsort(-lengths[pool], kind="stable")]
            batches += [pool[begin : begin + self.batch] for begin in range(0, len(pool), self.batch)]
        return [batches[index] for index in rng.permutation(len(batches))]

    def tokens(self, indices: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Bars]:
        """The `(pieces, steps)` tokens of a batch, padded with 0; the lengths of the pieces; their bars."""
        rows = self.pieces.padded(indices)
        semitones = np.zeros(len(indices), dtype=np.int64)
        if self.transpositions is not None and self._allowed_shifts is not None:
            for number, (row, piece) in enumerate(zip(rows, indices, strict=True)):
                shifts = np.flatnonzero(self._allowed_shifts[piece])
                if len(shifts):
                    shift = generator(self.seed, "train", "key", epoch, int(piece)).choice(shifts)
                    row[:] = self.transpositions[shift][row]
                    semitones[number] = shift - len(self.transpositions) // 2
        # Transposition may have changed the padding, even to -1.
        lengths = self.pieces.lengths[indices]
        rows[np.arange(rows.shape[1])[None, :] >= lengths[:, None]] = 0
        bars = self.pieces.bars[indices]
        if bars.condition_ids is not None:
            kept = self._kept_conditions(epoch)[indices]
            if bars.length.any():  # and the length and the form of notes
                drawn = generator(self.seed, "train", "length", epoch).random((len(self.pieces), 2))[indices]
                known = drawn >= self.condition_dropout
                plan = np.where(known[:, 1, None, None], bars.plan, 0)
                bars = replace(bars, length=np.where(known[:, 0], bars.length, 0), plan=plan)
            if bars.chords.shape[1]:
                dropped = max(self.condition_dropout, _DROPPED_OFTEN) if self.condition_dropout else 0.0
                known = generator(self.seed, "train", "chords", epoch).random(len(self.pieces)) >= dropped
                chords = transposed_chords(bars.chords, semitones)
                chords[:, :, 1:] *= known[indices, None, None]
                bars = replace(bars, chords=chords)
            bars = replace(
                bars, condition_ids=np.where(kept, transpose_condition_ids(bars.condition_ids, semitones), UNKNOWN)
            )
        return rows, lengths, bars

    def _kept_conditions(self, epoch: int) -> NDArray[np.bool_]:
        """`(pieces, 6)`: which conditions are not dropped in an epoch; independent of how pieces are batched."""
        chances = generator(self.seed, "train", "forget", epoch).random((len(self.pieces), 5))
        later = generator(self.seed, "train", "forget role", epoch).random((len(self.pieces), len(CONDITIONS) - 4))
        drawn: NDArray[np.bool_] = (np.hstack([chances, later]) >= self.condition_dropout).astype(np.bool_)
        kept: NDArray[np.bool_] = drawn[:, 1:] & drawn[:, :1]
        told, style = self.pieces.style_is_told, CONDITIONS.index("style")
        if told is not None and self.condition_dropout:
            kept[:, style] &= generator(self.seed, "train", "forget style", epoch).random(len(told)) >= _DROPPED_OFTEN
            kept[:, style] |= told
        return kept


def transpositions(encoding: Encoding, semitones: int) -> NDArray[np.int64]:
    """The token that each token becomes when a piece is transposed by up to `semitones` down and up.

    Returns:
        `(2 semitones + 1, vocabulary)` tokens, -1 where the encoding has no token for the shifted note. Row `semitones`
        is no shift.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> transpositions(GridEncoding(), 1)[:, [0, 1, 2, 14]].tolist()
        [[0, 1, -1, 13], [0, 1, 2, 14], [0, 1, 3, 15]]
    """
    shifts = range(-semitones, semitones + 1)
    size = len(encoding.vocabulary)
    if isinstance(encoding, NotesEncoding):  # whose tokens are parts of notes
        of_pitch = {pitches: token for token, pitches in enumerate(encoding.token_pitches) if pitches}
        moved = (
            of_pitch.get((pitches[0] + by,), -1) if pitches else token
            for by in shifts
            for token, pitches in enumerate(encoding.token_pitches)
        )
        return np.fromiter(moved, dtype=np.int64).reshape(len(shifts), size)
    return np.array([[_shift_token(encoding, token, by) for token in range(size)] for by in shifts], dtype=np.int64)


def _shift_token(encoding: Encoding, token: int, semitones: int) -> int:
    try:
        melody = encoding.decode([token]).transposed(semitones)
        fit = encoding.fit(melody)
        tokens = encoding.encode(melody)
    except CantilenaError:  # out of MIDI's range
        return -1
    return int(tokens[0]) if len(tokens) == 1 and not (fit.folded or fit.dropped) else -1
