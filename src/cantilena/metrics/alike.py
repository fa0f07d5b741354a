"""Two sets of melodies made comparable: as many melodies, and as many notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cantilena.music import Line
from cantilena.rules import tones


def equal_sets(*lines: Line, rng: np.random.Generator) -> list[Line]:
    """The larger part of each set, so that all have as many melodies and, within one melody, as many notes.

    Numbers of a set fall as it grows: a set of more notes repeats itself more. Melodies are left out at random.

    Args:
        lines: the sets, two or more.
        rng: decides which melodies stay.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> dense = GridEncoding().line(np.full((8, 4), 14))
        >>> sparse = GridEncoding().line(np.tile([14, 1, 16, 1], (6, 1)))
        >>> [line.melodies for line in equal_sets(dense, sparse, rng=np.random.default_rng(1))]
        [3, 6]
    """
    parts = equal_numbers(*lines, rng=rng)
    size = parts[0].melodies
    struck = [_notes(line) for line in parts]
    budget = min(int(notes.sum()) for notes in struck)
    equal = []
    for part, notes in zip(parts, struck, strict=True):
        order = rng.permutation(size)
        kept = order[np.cumsum(notes[order]) <= budget] if notes.sum() > budget else order
        equal.append(part[np.sort(kept)])
    return equal


def equal_numbers(*lines: Line, rng: np.random.Generator) -> list[Line]:
    """As many melodies of each set, drawn at random.

    Args:
        lines: the sets, one or more.
        rng: decides which melodies stay.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> sets = [GridEncoding().line(np.full((melodies, 4), 14)) for melodies in (8, 6)]
        >>> [line.melodies for line in equal_numbers(*sets, rng=np.random.default_rng(1))]
        [6, 6]
    """
    size = min(line.melodies for line in lines)
    return [line[np.sort(rng.permutation(line.melodies)[:size])] for line in lines]


def _notes(line: Line) -> NDArray[np.int64]:
    """`(melodies,)`: how many notes begin in each."""
    counts: NDArray[np.int64] = np.count_nonzero(tones(line), axis=1)
    return counts
