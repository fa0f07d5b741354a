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
    return _share_distinct(_melody_numbers(melodies))


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
    return _share_distinct(note_ngrams(line, n).number)


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
    pair, melody = _numbered(np.diff(pitch)[follows], duration[:-1][follows]), melody[:-1][follows]
    number = pair
    for ahead in range(1, n):
        number = _numbered(number[:-1], pair[ahead:])
    begins = melody[: len(number)]
    inside = begins == melody[n - 1 :]  # melodies come one after the other: those between are the same
    return Ngrams(number[inside], begins[inside])


def _ends(line: Line) -> NDArray[np.int64]:
    """The step at which what begins at each step ends: the next that is no hold, or the end of the melody."""
    steps, length = np.arange(line.steps), lengths(line)[:, None]
    changes = np.where((line.event != HOLD) & (steps < length), steps, length)
    upcoming = np.minimum.accumulate(changes[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([upcoming[:, 1:], length], axis=1)[:, : line.steps]


def _numbered(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs as numbers from 0 on, equal for equal pairs."""
    if not len(first):
        return first
    low, high = second.min(), second.max()
    _, numbers = np.unique(first * (high - low + 1) + (second - low), return_inverse=True)
    return numbers.astype(np.int64)


def _melody_numbers(melodies: Line | NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Melodies as numbers, equal for equal melodies, `(melodies,)`."""
    if isinstance(melodies, Line):
        steps = np.stack([melodies.event, melodies.pitch, melodies.pitch_classes], axis=2).astype(np.int64)
        steps[~melodies.valid] = -2  # unlike any event: melodies of different lengths differ
    else:
        steps = np.asarray(melodies)
        if steps.ndim != 2:
            raise UsageError(f"tokens of shape {steps.shape}", "give tokens of shape (melodies, steps)")
    rows = steps.reshape(len(steps), -1) if steps.size else np.zeros((len(steps), 1), dtype=np.int64)
    _, numbers = np.unique(rows, axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)


def _share_distinct(numbers: NDArray[np.int64]) -> float:
    return len(np.unique(numbers)) / len(numbers) if len(numbers) else float("nan")
