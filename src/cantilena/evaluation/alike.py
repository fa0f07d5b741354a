"""Two sets of melodies made comparable: as many melodies, and as many notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.theory import tones


def equal_sets(first: Line, second: Line, rng: np.random.Generator) -> tuple[Line, Line]:
    """The larger part of each set, so that both have as many melodies and, within one melody, as many notes.

    Numbers of a set fall as it grows: a set of more notes repeats itself more. Melodies are left out at random.

    Args:
        first: one set.
        second: the other.
        rng: decides which melodies stay.

    Example:
        >>> from cantilena.encoding import GridEncoding
        >>> dense = GridEncoding().line(np.full((8, 4), 14))
        >>> sparse = GridEncoding().line(np.tile([14, 1, 16, 1], (6, 1)))
        >>> [line.melodies for line in equal_sets(dense, sparse, np.random.default_rng(1))]
        [3, 6]
    """
    size = min(first.melodies, second.melodies)
    first, second = (line[np.sort(rng.permutation(line.melodies)[:size])] for line in (first, second))
    struck = [_notes(line) for line in (first, second)]
    budget = min(int(notes.sum()) for notes in struck)
    parts = []
    for line, notes in zip((first, second), struck, strict=True):
        order = rng.permutation(size)
        kept = order[np.cumsum(notes[order]) <= budget] if notes.sum() > budget else order
        parts.append(line[np.sort(kept)])
    return parts[0], parts[1]


def _notes(line: Line) -> NDArray[np.int64]:
    """`(melodies,)`: how many notes begin in each."""
    counts: NDArray[np.int64] = np.count_nonzero(tones(line), axis=1)
    return counts
