"""Pieces cut into windows of a few bars, each of which has a code of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.models.network.features import PLACES
from cantilena.models.protocol import Bars, Sequences

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of pieces, cut at barlines.

    A window holds as many bars as asked for, the first one the pickup too, the last one what is left.

    Args:
        sequences: one entry a window; the pickup of all but first ones is 0.
        piece: `(windows,)`: which piece each is from.

    Example:
        >>> cut = Windows.of(Sequences.of([[14] + [1] * 39]), bars=1)
        >>> [len(tokens) for tokens in cut.sequences.tokens], cut.piece.tolist()
        ([16, 16, 8], [0, 0, 0])
    """

    sequences: Sequences
    piece: Rows

    @classmethod
    def of(cls, pieces: Sequences, bars: int) -> Windows:
        """All windows of all pieces.

        Args:
            pieces: what to cut.
            bars: in a window.
        """
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
    """Where the windows of a piece begin.

    Args:
        steps: of the piece.
        window: steps of a whole window.
        pickup: steps before the first barline, which the first window holds beside its bars.

    Example:
        >>> window_starts(70, 32, pickup=4), window_starts(3, 32, pickup=4)
        ([0, 36, 68], [0])
    """
    return [0, *range(pickup + window, steps, window)]


def begins_window(clock: int, bars: Bars, bars_in_window: int) -> NDArray[np.bool_]:
    """`(melodies,)`: whether a step begins a window of its melody.

    Args:
        clock: the step, from 0.
        bars: of the melodies.
        bars_in_window: how many bars a window holds.
    """
    after = clock - bars.pickup
    begins: NDArray[np.bool_] = (after > 0) & (after % (bars_in_window * bars.steps_per_bar) == 0)
    return begins | (clock == 0)


def told_of(tokens: Rows, bars: Bars, vocabulary_size: int, first: int = 0) -> Rows:
    """`(windows, steps, 3)` rows of the table that describe steps: token, place in the bar, length of the bar.

    Args:
        tokens: `(windows, steps)`; `vocabulary_size` stands for the start symbol.
        bars: of the windows.
        vocabulary_size: how many tokens there are.
        first: the step of its window, or of its melody, that the first column is.
    """
    places = np.minimum(bars.positions(tokens.shape[1], first), PLACES - 1)
    lengths = np.broadcast_to(np.minimum(bars.steps_per_bar, PLACES)[:, None] - 1, tokens.shape)
    begin = vocabulary_size + 1
    return np.stack([tokens, begin + places, begin + PLACES + lengths], axis=2)


def heard_before(tokens: Rows, start: int) -> Rows:
    """`(windows, steps)`: the token before each, the start symbol before the first."""
    return np.concatenate([np.full((len(tokens), 1), start, dtype=np.int64), tokens[:, :-1]], axis=1)
