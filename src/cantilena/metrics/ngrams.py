"""The n-grams of melodies: what numbers of diversity count.

A pair is a note's duration in steps and the interval from its (top) pitch to the next note's. The last note of a melody
makes none: where an excerpt is cut its duration is not known. Pairs do not change when a melody is transposed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, Line
from cantilena.rules import lengths, tones


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


@dataclass(frozen=True, slots=True)
class NgramCounts:
    """How often each melody says each of its n-grams, by melody.

    Args:
        ngram: `(entries,)`: the n-grams, numbered from 0.
        melody: `(entries,)`: who says it, ascending.
        count: `(entries,)`: how often, 1 or more.
    """

    ngram: NDArray[np.int64]
    melody: NDArray[np.int64]
    count: NDArray[np.int64]


def ngram_counts(line: Line, n: int) -> NgramCounts:
    """Count the n-grams of each melody.

    Args:
        line: the melodies.
        n: how many (interval, duration) pairs in a row, 1 or more.

    Raises:
        UsageError: n below 1.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> counts = ngram_counts(GridEncoding().line(np.array([[14, 16, 18, 1], [14, 19, 21, 23]])), 1)
        >>> counts.ngram.tolist(), counts.melody.tolist(), counts.count.tolist()
        ([0, 0, 1], [0, 1, 1], [2, 2, 1])
    """
    found = note_ngrams(line, n)
    numbers, ngram = np.unique(found.number, return_inverse=True)
    kinds = max(len(numbers), 1)
    entry, count = np.unique(found.melody * kinds + ngram, return_counts=True)
    melody, ngram = np.divmod(entry, kinds)
    return NgramCounts(ngram, melody, count.astype(np.int64))


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
