"""How different melodies are from one another: one tune for ever keeps every rule.

A pair is a note's duration in steps and the interval from its (top) pitch to the next note's. The last note of a melody
makes none: where an excerpt is cut its duration is not known. Pairs do not change when a melody is transposed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, Line
from cantilena.theory import lengths, tones


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


@dataclass(frozen=True, slots=True)
class Ngrams:
    """All n-grams of a set of melodies, in order.

    Args:
        number: `(ngrams,)`: equal numbers for equal n-grams.
        melody: `(ngrams,)`: the melody that each is from.
    """

    number: NDArray[np.int64]
    melody: NDArray[np.int64]


def note_ngrams(line: Line, n: int) -> Ngrams:
    """Every n consecutive (interval, duration) pairs of each melody."""
    if n < 1:
        raise UsageError(f"n-grams of {n} notes", "give 1 or more")
    melody, step = np.nonzero(tones(line))
    pitch = line.pitch[melody, step].astype(np.int64)
    duration = _ends(line)[melody, step] - step
    follows = melody[1:] == melody[:-1]
    pair, melody = _joined(np.diff(pitch)[follows], duration[:-1][follows]), melody[:-1][follows]
    number = pair
    for ahead in range(1, n):
        number = _joined(number[:-1], pair[ahead:])
    begins = melody[: len(number)]
    inside = begins == melody[n - 1 :]  # melodies come one after the other: those between are the same
    return Ngrams(number[inside], begins[inside])


def _ends(line: Line) -> NDArray[np.int64]:
    """The step at which what begins at each step ends: the next that is no hold, or the end of the melody."""
    steps, length = np.arange(line.steps), lengths(line)[:, None]
    changes = np.where((line.event != HOLD) & (steps < length), steps, length)
    upcoming = np.minimum.accumulate(changes[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([upcoming[:, 1:], length], axis=1)[:, : line.steps]


def _joined(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs of numbers as one number each, 0 or more, equal for equal pairs."""
    if not len(first):
        return first
    first, second = first - first.min(), second - second.min()
    size = int(second.max()) + 1
    if int(first.max()) + 1 > 2**62 // size:  # too large to join as they are: number them from 0 on
        first = np.unique(first, return_inverse=True)[1].astype(np.int64)
    return first * size + second


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
