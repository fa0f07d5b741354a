"""Windows of a few bars, each of which has a code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import BAR_POSITIONS
from cantilena.models.protocol import Bars, Sequences

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Windows:
    """Pieces cut at barlines into windows.

    Args:
        sequences: one entry a window; only first windows have a pickup.
        piece: `(windows,)`: the number of the piece of each window.

    Examples:
        >>> cut = Windows.from_sequences(Sequences.from_tokens([[14] + [1] * 39]), bars=1)
        >>> [len(tokens) for tokens in cut.sequences.tokens], cut.piece.tolist()
        ([16, 16, 8], [0, 0, 0])
    """

    sequences: Sequences
    piece: Ints

    @classmethod
    def from_sequences(cls, pieces: Sequences, bars: int) -> Windows:
        """Cut pieces into windows of `bars` bars; the first also holds the pickup, the last what is left."""
        tokens, owners, pickups = [], [], []
        for number, piece in enumerate(pieces.tokens):
            pickup = int(pieces.bars.pickup[number])
            starts = window_starts(len(piece), bars * int(pieces.bars.steps_per_bar[number]), pickup)
            for first, last in zip(starts, [*starts[1:], len(piece)], strict=True):
                tokens.append(piece[first:last])
                owners.append(number)
                pickups.append(pickup if first == 0 else 0)
        piece_of = np.array(owners, dtype=np.int64)
        of_windows = Bars(pieces.bars.steps_per_bar[piece_of], np.array(pickups, dtype=np.int64))
        return cls(Sequences(tuple(tokens), of_windows), piece_of)

    def __len__(self) -> int:
        return len(self.piece)


def window_starts(steps: int, window: int, pickup: int = 0) -> list[int]:
    """The steps at which windows of `window` steps begin in a piece; a pickup belongs to the first.

    Examples:
        >>> window_starts(70, 32, pickup=4), window_starts(3, 32, pickup=4)
        ([0, 36, 68], [0])
    """
    return [0, *range(pickup + window, steps, window)]


def begins_window(clock: int, bars: Bars, bars_in_window: int) -> NDArray[np.bool_]:
    """`(melodies,)`: whether step `clock`, from 0, begins a window of each melody."""
    after = clock - bars.pickup
    begins: NDArray[np.bool_] = (after > 0) & (after % (bars_in_window * bars.steps_per_bar) == 0)
    return begins | (clock == 0)


def table_rows(tokens: Ints, bars: Bars, vocabulary_size: int, first: int = 0) -> Ints:
    """`(windows, steps, 3)` rows of the embedding table: token, position in the bar, length of the bar.

    Args:
        tokens: `(windows, steps)`; `vocabulary_size` is the start symbol.
        bars: of the windows.
        vocabulary_size: number of tokens.
        first: the number of the first column's step, in its window or melody.
    """
    positions = np.minimum(bars.positions(tokens.shape[1], first), BAR_POSITIONS - 1)
    lengths = np.broadcast_to(np.minimum(bars.steps_per_bar, BAR_POSITIONS)[:, None] - 1, tokens.shape)
    begin = vocabulary_size + 1
    return np.stack([tokens, begin + positions, begin + BAR_POSITIONS + lengths], axis=2)


def shift_right(tokens: Ints, start: int) -> Ints:
    """`(windows, steps)`: the token before each, the start symbol before the first."""
    return np.concatenate([np.full((len(tokens), 1), start, dtype=np.int64), tokens[:, :-1]], axis=1)
