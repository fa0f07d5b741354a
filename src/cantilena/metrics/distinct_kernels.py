"""How many different things two sets say, over many ways to deal melodies to them; compiled when it first runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.runtime import compiled

Numbers = NDArray[np.int64]


def distinct_in_deals(number: Numbers, melody: Numbers, dealt: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of different ones among what the first set says, and the second, in each deal, `(deals, 2)`.

    What one melody alone says is different wherever that melody falls: only what several say is looked at deal by deal.

    Args:
        number: `(things,)`: equal numbers from 0 for equal things.
        melody: `(things,)`: who says each.
        dealt: `(deals, melodies)`: which melodies fall to the first set.

    Returns:
        NaN for a set that says nothing.

    Example:
        >>> thing, who = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
        >>> distinct_in_deals(thing, who, np.array([[True, True, False], [True, False, False]])).tolist()
        [[0.6666666666666666, 1.0], [1.0, 1.0]]
    """
    melodies = dealt.shape[1]
    entry = np.unique(number * melodies + melody)
    thing, who = np.divmod(entry, melodies) if melodies else (entry, entry)
    begins = np.flatnonzero(np.diff(thing, prepend=-1))
    speakers = np.diff(begins, append=len(entry))
    of_one = begins[speakers == 1]
    weights = np.stack([np.bincount(those, minlength=melodies) for those in (melody, who[of_one])], axis=1)
    first = dealt.astype(np.float64) @ weights
    said, alone = np.stack([first, weights.sum(axis=0) - first]).transpose(2, 1, 0)
    several = np.repeat(speakers > 1, speakers)
    ends = np.cumsum(speakers[speakers > 1])
    different = alone + _said_by_several(ends, who[several], dealt)
    shares = np.full(said.shape, np.nan)
    np.divide(different, said, out=shares, where=said > 0)
    return shares


@compiled
def _said_by_several(ends: Numbers, who: Numbers, dealt: NDArray[np.bool_]) -> Numbers:
    """How many things each side says in each deal, `(deals, 2)`.

    Args:
        ends: `(things,)`: where the melodies that say each thing end in `who`.
        who: `(entries,)`: melodies, those of one thing together.
        dealt: `(deals, melodies)`: which melodies fall to the first set.
    """
    different = np.zeros((dealt.shape[0], 2), np.int64)
    for deal in range(dealt.shape[0]):
        entry = 0
        for end in ends:
            here = dealt[deal, who[entry]]
            different[deal, 0 if here else 1] += 1
            entry += 1
            while entry < end and dealt[deal, who[entry]] == here:
                entry += 1
            if entry < end:  # the other side says it too
                different[deal, 1 if here else 0] += 1
            entry = end
    return different
