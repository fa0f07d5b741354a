"""Pieces as models learn from them and are measured on: tokens, and where their steps lie in their bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models.bars import Bars


@dataclass(frozen=True, eq=False)
class Sequences:
    """Whole pieces of different lengths.

    Args:
        tokens: `(steps,)` int64 of each.
        bars: bar length and pickup, one row a piece; 4/4 in sixteenths where none are given.

    Raises:
        UsageError: another number of bars than of pieces.

    Example:
        >>> pieces = Sequences.of([[14, 1, 16], [14]])
        >>> len(pieces), pieces.steps, pieces.padded([0, 1]).tolist()
        (2, 4, [[14, 1, 16], [14, 0, 0]])
    """

    tokens: tuple[NDArray[np.int64], ...]
    bars: Bars

    def __post_init__(self) -> None:
        if len(self.bars.steps_per_bar) != len(self.tokens):
            raise UsageError(
                f"{len(self.tokens)} pieces with bars for {len(self.bars.steps_per_bar)}", "give bars for every piece"
            )

    @classmethod
    def of(cls, tokens: Iterable[Iterable[int] | NDArray[np.integer]], bars: Bars | None = None) -> Sequences:
        """From tokens of any integer kind; pieces without a token are left out."""
        arrays = [np.asarray(piece, dtype=np.int64) for piece in tokens]
        bars = Bars.common_time(len(arrays)) if bars is None else bars
        kept = [number for number, piece in enumerate(arrays) if len(piece)]
        return cls(tuple(arrays[number] for number in kept), bars[kept] if len(kept) < len(arrays) else bars)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """`(pieces,)`: steps of each."""
        return np.array([len(piece) for piece in self.tokens], dtype=np.int64)

    @property
    def steps(self) -> int:
        """Steps of all pieces together."""
        return int(self.lengths.sum())

    def untold(self) -> Sequences:
        """The same pieces with nothing known of them but their bars."""
        return Sequences(self.tokens, self.bars.untold())

    def padded(self, pieces: Iterable[int]) -> NDArray[np.int64]:
        """`(pieces, steps of the longest)` tokens of some pieces, 0 after the end of each."""
        chosen = [self.tokens[piece] for piece in pieces]
        rows = np.zeros((len(chosen), max(map(len, chosen), default=0)), dtype=np.int64)
        for row, piece in zip(rows, chosen, strict=True):
            row[: len(piece)] = piece
        return rows
