"""How many n-grams of a melody are met in others: the loop of self-BLEU, compiled when it first runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.runtime import compiled

Numbers = NDArray[np.int64]


@compiled
def met_elsewhere(ngram: Numbers, melody: Numbers, count: Numbers, inside: NDArray[np.bool_]) -> Numbers:
    """How many n-grams of each melody are met in another one of those inside, `(melodies,)`.

    Each counts as often at most as the other melody that says it most often does. Only the melody that says an n-gram
    most often can say it more often than the others do: there the second counts.

    Args:
        ngram: `(entries,)`, ascending.
        melody: `(entries,)`: who says it.
        count: `(entries,)`: how often, falling within an n-gram.
        inside: `(melodies,)`: who is of the set.
    """
    met = np.zeros(len(inside), np.int64)
    first = -1
    waits = False  # whether the one who says it most often still waits for a second
    for entry in range(len(ngram)):
        if not inside[melody[entry]]:
            continue
        if first < 0 or ngram[entry] != ngram[first]:
            first, waits = entry, True
            continue
        if waits:
            met[melody[first]] += count[entry]
            waits = False
        met[melody[entry]] += count[entry]
    return met
