"""How many different things melodies say, melodies and n-grams: one tune for ever keeps every rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.evaluation.ngrams import note_ngrams
from cantilena.music import Line


def different_melodies(melodies: Line | NDArray[np.integer[Any]]) -> float:
    """The share of melodies that differ: distinct ones over all, NaN of none.

    Args:
        melodies: a line, whose padding does not count, or tokens `(melodies, steps)`.

    Example:
        >>> different_melodies(np.array([[14, 1], [14, 1], [16, 1], [0, 1]]))
        0.75
    """
    rows = _rows(melodies)
    return len({row.tobytes() for row in rows}) / len(rows) if len(rows) else float("nan")


def distinct_n(line: Line, n: int) -> float:
    """Distinct n-grams of (interval, duration) pairs over all n-grams of the set; NaN where there are none.

    J. Li et al., A Diversity-Promoting Objective Function for Neural Conversation Models, NAACL 2016, over notes
    instead of words. It falls as a set grows: compare sets of equal size.

    Args:
        line: the melodies.
        n: how many pairs in a row, 1 or more; n-grams do not run from one melody into the next.

    Raises:
        UsageError: n below 1.

    Example:
        >>> from cantilena.encoding import GridEncoding
        >>> up_twice = GridEncoding().line(np.array([[14, 16, 18, 1], [19, 21, 23, 0]]))
        >>> distinct_n(up_twice, 1), distinct_n(up_twice, 2)
        (0.25, 0.5)
    """
    numbers = note_ngrams(line, n).number
    return len(np.unique(numbers)) / len(numbers) if len(numbers) else float("nan")


def _rows(melodies: Line | NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Melodies as rows, equal for equal melodies."""
    if isinstance(melodies, Line):
        rows = np.stack([melodies.event, melodies.pitch, melodies.pitch_classes], axis=2)
        rows[~melodies.valid] = -2  # unlike any event: melodies of different lengths differ
        return rows
    tokens = np.asarray(melodies)
    if tokens.ndim != 2:
        raise UsageError(f"tokens of shape {tokens.shape}", "give tokens of shape (melodies, steps)")
    return tokens
