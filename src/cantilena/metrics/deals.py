"""What two systems made, dealt out anew at random: the draws of a permutation test.

If two systems were one, it would not matter which of them a piece is from. So the pieces of both are dealt to two
sides, as many to each as it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

DEALS = 1999
"""Random deals: enough that seventy tests can hold after correction, (1 / 2000) x 70 < .05."""

FEWEST_WAYS = 40
"""With fewer ways to deal, no two-sided p-value is below .05."""

_CELLS = 1_000_000  # dealt at once: 8 MB


def random_deals(pieces: int, ours: int, deals: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Which pieces fall to the first side in each deal, `(some deals, pieces)`, a part of the deals at a time.

    Args:
        pieces: how many both sides have together.
        ours: how many of them the first side gets.
        deals: how many times.
        rng: deals.

    Example:
        >>> [dealt.sum(axis=1).tolist() for dealt in random_deals(5, 2, 3, np.random.default_rng(1))]
        [[2, 2, 2]]
    """
    at_once = max(_CELLS // pieces, 1)
    for begin in range(0, deals, at_once):
        some = min(at_once, deals - begin)
        chosen = np.argpartition(rng.random((some, pieces)), ours - 1, axis=1)[:, :ours]
        dealt = np.zeros((some, pieces), np.bool_)
        np.put_along_axis(dealt, chosen, values=True, axis=1)
        yield dealt


def too_few(pieces: int, ours: int) -> str:
    """Why so many pieces cannot be tested; "" where they can.

    Args:
        pieces: how many both sides have together.
        ours: how many of them the first side has.

    Example:
        >>> too_few(6, 3), too_few(60, 30)
        ('6 pieces can be dealt in 20 ways only', '')
    """
    if ours in (0, pieces):
        return "one of the two has no melody"
    ways = math.comb(pieces, ours)
    return f"{pieces} pieces can be dealt in {ways} ways only" if ways < FEWEST_WAYS else ""
